"""A limit on requests a minute, for each key by itself."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ostro.errors import OstroError
from ostro.server.errors import too_many


@dataclass
class _Bucket:
    tokens: float
    filled: float


class RateLimit:
    """Token buckets: a key may spend ``per_minute`` requests at once, and gets them back evenly.

    Not safe for several threads; the server asks from one. A bucket that is full again is
    forgotten now and then, so that names that come once don't stay.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that never go back."""
        if per_minute < 1:
            raise OstroError(f"a rate limit must be at least 1 request a minute, not {per_minute}")
        self.per_minute, self._clock = per_minute, clock
        self._buckets: dict[str, _Bucket] = {}
        self._swept = clock()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str) -> float:
        """Count a request: 0 if it may go on, else the seconds until one may."""
        now = self._clock()
        self._sweep(now)
        bucket = self._buckets.setdefault(name, _Bucket(self.per_minute, now))
        bucket.tokens, bucket.filled = self._tokens(bucket, now), now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) * 60 / self.per_minute

    def check(self, name: str) -> None:
        """Count a request; raises ApiError 429 with ``Retry-After`` if it is one too many."""
        wait = self.take(name)
        if wait:
            message = f"more than {self.per_minute} requests a minute with this key"
            raise too_many(message, math.ceil(wait))

    def _tokens(self, bucket: _Bucket, now: float) -> float:
        grown = bucket.tokens + (now - bucket.filled) * self.per_minute / 60
        return min(grown, self.per_minute)

    def _sweep(self, now: float) -> None:
        if now - self._swept < 60:
            return
        self._swept = now
        full = [n for n, b in self._buckets.items() if self._tokens(b, now) >= self.per_minute]
        for name in full:
            del self._buckets[name]

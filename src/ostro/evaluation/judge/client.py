"""A judge: a model behind a URL that speaks OpenAI's chat completions."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ostro.errors import NetworkError, OstroError

_PATH = "/chat/completions"
_BUSY = (408, 409, 429)
_MOST_BYTES = 8 << 20
_MOST_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Where a judge is, and how patiently it is asked."""

    url: str
    """``http://HOST[:PORT]``, with ``/v1`` or ``/v1/chat/completions`` behind it or without."""
    model: str
    """Its name there."""
    key: str | None = field(default=None, repr=False)
    """Sent as a bearer token; it is written down nowhere."""
    timeout: float = 300.0
    """Seconds that it may say nothing."""
    tries: int = 4
    pause: float = 2.0
    """Seconds before the second try; before each later one twice as many."""
    parallel: int = 4
    """Questions at once."""
    max_tokens: int = 2048
    """Of a judgement."""

    def check(self) -> None:
        """Refuse an address that cannot be one."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OstroError(f"--judge {self.url}: give an address such as http://localhost:8000")
        if not self.model:
            raise OstroError("the judge needs the name of a model; give one with --judge-model")

    @property
    def endpoint(self) -> str:
        """Where questions are sent."""
        base = self.url.rstrip("/")
        if base.endswith(_PATH):
            return base
        return base + _PATH if base.endswith("/v1") else f"{base}/v1{_PATH}"

    def ask(
        self, messages: Sequence[Mapping[str, str]], *, sleep: Callable[[float], None] = time.sleep
    ) -> str:
        """Its answer, as greedy as it can.

        What may pass (no connection, a timeout, a busy or broken server) is tried again; then, and
        for anything else, an OstroError says what happened.
        """
        for attempt in range(self.tries):
            if attempt:
                sleep(self.pause * 2 ** (attempt - 1))
            try:
                return self._ask_once(messages)
            except _PassingError as error:
                last = error
        raise NetworkError(
            f"the judge at {self.endpoint} did not answer in {self.tries} tries: {last}; "
            "run this again to go on from here"
        )

    def _ask_once(self, messages: Sequence[Mapping[str, str]]) -> str:
        body = {
            "model": self.model,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }
        headers = {"Content-Type": "application/json", "User-Agent": "ostro"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.endpoint, json.dumps(body).encode(), headers)
        try:
            with _opener().open(request, timeout=self.timeout) as answer:
                data = answer.read(_MOST_BYTES)
        except urllib.error.HTTPError as error:
            raise _refused(self.endpoint, error) from None
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError(str(error) or type(error).__name__) from None
        return _content(self.endpoint, data)


class _PassingError(Exception):
    """What may go well the next time."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes to the address that was given and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Do not follow."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)


def _refused(endpoint: str, error: urllib.error.HTTPError) -> Exception:
    with error:
        said = error.read(_MOST_BYTES).decode(errors="replace")
    what = f"{error.code} {' '.join(said.split())[:_MOST_SHOWN]}".strip()
    if error.code in _BUSY or error.code >= 500:
        return _PassingError(what)
    return OstroError(f"the judge at {endpoint} refuses: {what}; see its address, model and key")


def _content(endpoint: str, data: bytes) -> str:
    try:
        content = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        content = 0
    if content is None:
        return ""
    if not isinstance(content, str):
        raise OstroError(f"the judge at {endpoint} does not answer as OpenAI's chat completions do")
    return content

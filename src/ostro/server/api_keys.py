"""API keys: a file of them, and the check of a request's header.

In memory there are hashes alone. A key of :func:`make_key` has 256 random bits, so that a plain
SHA-256 of it cannot be turned around.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from ostro.errors import OstroError
from ostro.server.errors import unauthorised

_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")
_PLAIN = re.compile(r"[!-~]+")


class ApiKeys:
    """The keys that a server takes."""

    def __init__(self, hashes: Iterable[bytes]) -> None:
        self._hashes = tuple(dict.fromkeys(hashes))

    def __len__(self) -> int:
        return len(self._hashes)

    def check(self, authorization: str | None) -> str:
        """A short name of the key in an ``Authorization`` header, fit for logs and limits.

        Raises ApiError 401 if there is none, or none of these.
        """
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise unauthorised("no API key; send the header 'Authorization: Bearer KEY'")
        digest = _digest(key.strip())
        # Every key is compared, whichever fits: the time must not tell which was close.
        matches = [known for known in self._hashes if hmac.compare_digest(known, digest)]
        if not matches:
            raise unauthorised("wrong API key")
        return matches[0].hex()[:12]


def read_api_keys(path: Path) -> ApiKeys:
    """Keys from a file: one a line, as it is or as ``sha256:HEX``; blank lines and ``#`` comments.

    A line that is neither, or a file without any key, is an :class:`~ostro.errors.OstroError`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OstroError(f"cannot read the API keys in {path}: {error}") from error
    hashes = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            hashes.append(_read_line(text, f"{path}, line {number}"))
    if not hashes:
        raise OstroError(f"{path} holds no API key; 'ostro key' makes one")
    return ApiKeys(hashes)


def make_key() -> tuple[str, str]:
    """A new key, and the line for the server's file, which does not give the key away."""
    key = f"ostro-{secrets.token_urlsafe(32)}"
    return key, f"sha256:{_digest(key).hex()}"


def _read_line(text: str, place: str) -> bytes:
    hashed = _HASHED.fullmatch(text)
    if hashed:
        return bytes.fromhex(hashed[1])
    if text.lower().startswith("sha256:"):
        raise OstroError(f"{place}: sha256: must be followed by 64 hexadecimal digits")
    if not _PLAIN.fullmatch(text):
        raise OstroError(f"{place}: a key is one word of printable ASCII characters")
    return _digest(text)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()

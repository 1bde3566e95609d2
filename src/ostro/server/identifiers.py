"""Identifiers: of requests, answers and tool calls."""

import secrets
import string

_ALPHANUMERIC = string.ascii_letters + string.digits
_MOST_CHARACTERS = 128


def request_id(incoming: str | None) -> str:
    """The client's own ``X-Request-Id`` if it can stand in a header and a log, or a new one.

    It may have 1 to 128 printable ASCII characters without blanks. Another one is replaced rather
    than refused, and the response's header shows it: a proxy's habits should not fail a request.
    """
    if incoming and len(incoming) <= _MOST_CHARACTERS and all("!" <= c <= "~" for c in incoming):
        return incoming
    return new_id()


def new_id() -> str:
    """32 hexadecimal characters, as Mistral's API gives its answers."""
    return secrets.token_hex(16)


def tool_call_id() -> str:
    """9 letters and digits, the only form that Mistral's own validator takes."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(9))

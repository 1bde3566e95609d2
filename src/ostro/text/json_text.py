"""JSON that others wrote, perhaps badly."""

import json
from typing import Any, NoReturn


def read_json(text: str) -> Any:
    """The value of a JSON text; ValueError for everything that is none, whatever is wrong.

    Line breaks inside strings are let through: small models write them.
    """
    try:
        value = json.loads(text, strict=False, parse_constant=_refuse)
        # Half a character, escaped, would come to light only when it is written.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def value_or_text(text: str) -> Any:
    """The value of a JSON text, or the text itself where it is something else."""
    try:
        return read_json(text)
    except ValueError:
        return text


class JsonEnd:
    """Finds where a JSON object or list ends, in a text that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = self._escaped = False

    def feed(self, text: str) -> int | None:
        """How many characters of ``text`` belong to it, once the last one has come.

        White space may precede it. The brackets are counted; what is between them is not looked at.
        """
        for index, char in enumerate(text):
            if self._in_string:
                self._in_string = self._escaped or char != '"'
                self._escaped = char == "\\" and not self._escaped
            elif char == '"':
                self._in_string = True
            elif char in "[{":
                self._depth += 1
            elif char in "]}":
                self._depth -= 1
                if self._depth <= 0:
                    return index + 1
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")

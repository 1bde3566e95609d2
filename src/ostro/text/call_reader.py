"""Calls of functions, read out of an answer while it comes."""

import hashlib
import json
import re
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ostro.text.call_forms import CallForm, call_form
from ostro.text.json_text import JsonEnd, read_json, value_or_text
from ostro.text.messages import ToolCall
from ostro.text.tokenizer import Tokenizer
from ostro.text.tools import Tool, ToolChoice

_ID_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH = 9
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ID = re.compile(rf"[a-zA-Z0-9]{{{_ID_LENGTH}}}")
_LOOK_AT = 200  # Characters of JSON that tell whether it begins like a call.
_FIRST_KEYS = ("name", "arguments", "parameters", "id", "type")


@dataclass(frozen=True)
class CallPiece:
    """What has come to light: text to show, then calls, each of them whole."""

    content: str = ""
    calls: tuple[ToolCall, ...] = ()


def tool_call_reader(
    tokenizer: Tokenizer, tools: Sequence[Tool], choice: ToolChoice, *, seed: str
) -> "ToolCallReader | None":
    """A reader for one answer of the tokenizer's model; None where it can't call anything."""
    if not tools or choice.mode == "none":
        return None
    return ToolCallReader(
        call_form(tokenizer.tool_format),
        seed=seed,
        names={tool.name for tool in tools},
        special_pieces=tokenizer.special_pieces,
        parallel=choice.parallel,
    )


def new_call_id(seed: str, index: int) -> str:
    """An id of 9 letters and digits, the same whenever it is asked for."""
    number = int.from_bytes(hashlib.sha256(f"{index}:{seed}".encode()).digest())
    letters = []
    for _ in range(_ID_LENGTH):
        number, letter = divmod(number, len(_ID_LETTERS))
        letters.append(_ID_LETTERS[letter])
    return "".join(letters)


class ToolCallReader:
    """Separates an answer's calls from its content.

    Give it every token with the text that the detokeniser made of it, the silent ones too: a
    control token may be the mark of a call. All content together, and all calls, are the same
    however the answer was cut. What only resembles a call is content; nothing is ever raised.

    Stop strings belong to the content: look for them in what comes out here. Of several calls
    where one is allowed (not ``parallel``), the first counts.
    """

    def __init__(
        self,
        form: CallForm,
        *,
        seed: str,
        names: Collection[str],
        special_pieces: Mapping[str, int],
        parallel: bool = True,
    ) -> None:
        """``seed`` makes the ids of calls that have none; no two answers may share one."""
        self._form, self._seed, self._names, self._parallel = form, seed, names, parallel
        self._begin, self._end = form.begin.strip(), form.end.strip()
        marks = {special_pieces.get(mark): mark for mark in (self._begin, self._end)}
        self._mark_of = {number: mark for number, mark in marks.items() if number is not None}
        self._state: Literal["start", "text", "call", "closing", "after"] = "start"
        self._held = ""  # Not yet known to be content.
        self._body = 0  # In a call, where its JSON begins in the held text,
        self._seen = 0  # and how far the end of it has been looked for.
        self._scan = JsonEnd()
        self._ids: list[str] = []

    @property
    def has_calls(self) -> bool:
        """Whether there were any: then the answer's ``finish_reason`` is ``tool_calls``."""
        return bool(self._ids)

    def feed(self, token_id: int, text: str) -> CallPiece:
        """The next token and what it added to the visible text."""
        mark = self._mark_of.get(token_id)
        if mark is not None and not self._form.is_control:
            return self._read(text + mark)
        if mark is None or mark != self._begin:
            return self._read(text)
        before, left = self._read(text), ""
        if self._state == "call":  # What another call interrupts was none.
            left, self._held = self._held, ""
        self._open(len(self._held))
        return CallPiece(before.content + left, before.calls)

    def finish(self) -> CallPiece:
        """The answer has ended: what was held back."""
        held, self._held = self._held, ""
        if self._state == "closing" or (self._state == "after" and not held.strip()):
            held = ""
        return CallPiece(held)

    def _read(self, text: str) -> CallPiece:
        self._held += text
        content: list[str] = []
        calls: list[ToolCall] = []
        while True:
            before = (self._state, len(self._held))
            shown, found = self._step()
            content.append(shown)
            calls += found
            if (self._state, len(self._held)) == before:
                return CallPiece("".join(content), tuple(calls))

    def _step(self) -> tuple[str, tuple[ToolCall, ...]]:
        if self._state == "call":
            return self._read_call()
        if self._state == "closing":
            return self._read_end()
        return self._read_text(), ()

    def _read_text(self) -> str:
        """Content up to where a call begins, or may begin."""
        begins = self._next_begin()
        if begins is None:
            shown, self._held, self._state = self._held, "", "text"
            return shown
        is_whole, at = begins
        # White space around calls is nothing, but before text it counts.
        undecided = self._state != "text" and not self._held[:at].strip()
        shown = "" if undecided else self._held[:at]
        self._held = self._held[len(shown) :]
        if shown:
            self._state = "text"
        if is_whole:
            self._open(at - len(shown) + len(self._begin))
        return shown

    def _next_begin(self) -> tuple[bool, int] | None:
        """Where a mark begins, and whether it is all there; None if nothing may be one."""
        text, mark = self._held, self._begin
        first = len(text) - len(text.lstrip())
        if self._state != "text" and first == len(text):
            return False, first
        if self._form.is_control:
            return None
        if not mark:
            opens = self._state != "text" and text[first] in "{["
            return (True, first) if opens else None
        if not self._form.anywhere:
            if self._state == "text" or not _share_beginning(text[first:], mark):
                return None
            return len(text) - first >= len(mark), first
        if mark in text:
            return True, text.index(mark)
        starts = range(max(0, len(text) - len(mark) + 1), len(text))
        return next(((False, at) for at in starts if mark.startswith(text[at:])), None)

    def _open(self, body: int) -> None:
        """A call has begun: JSON should follow where ``body`` is."""
        self._state, self._body, self._seen, self._scan = "call", body, body, JsonEnd()

    def _read_call(self) -> tuple[str, tuple[ToolCall, ...]]:
        if not _may_be_call(self._held[self._body : self._body + _LOOK_AT]):
            return self._give_up(), ()
        length = self._scan.feed(self._held[self._seen :])
        if length is None:
            self._seen = len(self._held)
            return "", ()
        end = self._seen + length
        calls = self._calls(self._held[self._body : end])
        if calls is None:
            return self._give_up(), ()
        self._held, self._state = self._held[end:], "closing"
        return "", calls

    def _give_up(self) -> str:
        """It was no call: the mark is content, and what follows is read as such."""
        at = self._body
        if not self._form.anywhere or self._form.is_control:
            at = len(self._held)
        shown, self._held, self._state = self._held[:at], self._held[at:], "text"
        return shown

    def _read_end(self) -> tuple[str, tuple[ToolCall, ...]]:
        """The closing mark may be missing: the JSON was whole."""
        rest = self._held.lstrip()
        if self._end and rest.startswith(self._end):
            self._held, self._state = rest.removeprefix(self._end), "after"
        elif not self._end or not self._end.startswith(rest):
            self._state = "after"
        return "", ()

    def _calls(self, text: str) -> tuple[ToolCall, ...] | None:
        try:
            value = read_json(text)
        except ValueError:
            return None
        entries = [self._entry(one) for one in (value if isinstance(value, list) else [value])]
        known = [entry for entry in entries if entry is not None]
        if not entries or len(known) < len(entries):
            return None
        if not self._parallel:
            known = known[: 0 if self._ids else 1]
        return tuple(self._numbered(*entry) for entry in known)

    def _entry(self, value: Any) -> tuple[str, str, Any] | None:
        """Name, arguments and perhaps an id of one call; None if it is none."""
        if not isinstance(value, dict):
            return None
        name = value.get("name")
        named = isinstance(name, str) and _NAME.fullmatch(name)
        if not named or (self._form.known_names_only and name not in self._names):
            return None
        keys = [key for key in ("arguments", "parameters") if key in value]
        if self._form.known_names_only and not keys:
            return None
        arguments = value[keys[0]] if keys else {}
        if isinstance(arguments, str):  # Some models write the text of an object.
            arguments = value_or_text(arguments)
        if not isinstance(arguments, dict):
            return None
        return str(name), json.dumps(arguments, ensure_ascii=False), value.get("id")

    def _numbered(self, name: str, arguments: str, given: Any) -> ToolCall:
        usable = isinstance(given, str) and _ID.fullmatch(given) and given not in self._ids
        number = str(given) if usable else new_call_id(self._seed, len(self._ids))
        self._ids.append(number)
        return ToolCall(number, name, arguments)


def _may_be_call(text: str) -> bool:
    """Whether JSON that begins like this may be a call, or a list of them."""
    start = "".join(text.split())
    wanted = [f'{bracket}{{"{key}"' for bracket in ("", "[") for key in _FIRST_KEYS]
    return any(_share_beginning(start, one) for one in wanted)


def _share_beginning(first: str, second: str) -> bool:
    return first.startswith(second) or second.startswith(first)

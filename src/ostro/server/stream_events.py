"""Streams: chunks as plain values, and server-sent events as bytes.

Old clients split a stream wherever Python's ``splitlines`` would, also at characters that JSON may
hold unescaped, and look for ``data: `` with its blank. So an event is one line of ASCII.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ostro.server.errors import error_response
from ostro.server.responses import (
    Call,
    FinishReason,
    Head,
    Told,
    Usage,
    calls_to_dicts,
    chat_told,
    text_told,
)

CONTENT_TYPE = "text/event-stream"
DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": still here\n\n"
"""A comment, which every client passes over: it shows that the connection lives."""


def encode_event(values: Mapping[str, Any]) -> bytes:
    """One event."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return f"data: {text}\n\n".encode("ascii")


def error_event(error: BaseException) -> bytes:
    """The last event of a stream that failed: after it nothing comes, not even ``[DONE]``."""
    return encode_event({"object": "error", "error": error_response(error).body})


class _Stream:
    """What both kinds of stream have: a head, and choices that still go on.

    Usage comes once, as some clients add up what they find: with the last choice that finishes, as
    Mistral sends it, or ``usage_apart``, as OpenAI does where ``stream_options`` ask for it.
    """

    kind = ""

    def __init__(self, head: Head, choices: int = 1, *, usage_apart: bool = False) -> None:
        self.head, self._usage_apart = head, usage_apart
        self._open = set(range(choices))

    def usage_chunk(self, usage: Usage) -> dict[str, Any]:
        """The last chunk of a stream with ``usage_apart``: usage, and no choice."""
        return {**self.head.to_dict(self.kind), "choices": [], "usage": usage.to_dict()}

    def _chunk(
        self, choice: dict[str, Any], finish_reason: FinishReason | None, usage: Usage | None
    ) -> dict[str, Any]:
        chunk = {**self.head.to_dict(self.kind), "choices": [choice]}
        if finish_reason is not None:
            self._open.discard(choice["index"])
            if usage is not None and not self._open and not self._usage_apart:
                chunk["usage"] = usage.to_dict()
        return chunk


class ChatStream(_Stream):
    """Chunks of one streamed chat, with ``choices`` answers."""

    kind = "chat.completion.chunk"

    def __init__(self, head: Head, choices: int = 1, *, usage_apart: bool = False) -> None:
        super().__init__(head, choices, usage_apart=usage_apart)
        self._begun: set[int] = set()

    def chunk(
        self,
        text: str = "",
        *,
        index: int = 0,
        tool_calls: Sequence[Call] = (),
        finish_reason: FinishReason | None = None,
        told: Told = Told(),  # noqa: B008  # It is frozen.
        usage: Usage | None = None,
    ) -> dict[str, Any]:
        """The next chunk of the answer ``index``; its first says whose words follow.

        ``usage`` is that of the whole call; it goes out with the last choice that finishes.
        """
        delta: dict[str, Any] = {} if index in self._begun else {"role": "assistant"}
        self._begun.add(index)
        delta["content"] = text
        if tool_calls:
            delta["tool_calls"] = calls_to_dicts(tool_calls)
        choice = {
            "index": index,
            "delta": delta,
            "finish_reason": finish_reason,
            **chat_told(told),
        }
        return self._chunk(choice, finish_reason, usage)


class TextStream(_Stream):
    """Chunks of one streamed completion, with ``choices`` continuations in all."""

    kind = "text_completion"

    def __init__(self, head: Head, choices: int = 1, *, usage_apart: bool = False) -> None:
        super().__init__(head, choices, usage_apart=usage_apart)
        self._offsets: dict[int, int] = {}

    def chunk(
        self,
        text: str = "",
        *,
        index: int = 0,
        finish_reason: FinishReason | None = None,
        told: Told = Told(),  # noqa: B008  # It is frozen.
        usage: Usage | None = None,
    ) -> dict[str, Any]:
        """The next chunk of the continuation ``index``; ``usage`` as with a chat."""
        start = self._offsets.get(index, 0)
        tokens = told.logprobs or ()
        self._offsets[index] = start + sum(len(token.text) for token in tokens)
        choice = {
            "index": index,
            "text": text,
            "finish_reason": finish_reason,
            **text_told(told, start),
        }
        return self._chunk(choice, finish_reason, usage)

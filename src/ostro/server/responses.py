"""Responses as plain values: the part that all clients, old and new, can read.

The oldest Mistral clients want a text as ``content`` even beside tool calls, know no finish reasons
but those of :data:`FinishReason`, and miss every key that is not there.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ostro.server.identifiers import new_id, tool_call_id
from ostro.server.logprobs import TokenLogprob, chat_logprobs, completion_logprobs

FinishReason = Literal["stop", "length", "tool_calls"]
"""``length`` also where the context ends: Mistral's ``model_length`` breaks its old clients."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """What all parts of one answer begin with."""

    model: str
    """As the client named it."""
    id: str = field(default_factory=new_id)
    created: int = field(default_factory=lambda: int(time.time()))
    """Seconds since 1970."""

    def to_dict(self, kind: str) -> dict[str, Any]:
        """The head of an object of this kind."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one call; a prompt counts once however many answers it gets."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Those of the prompt that were known from earlier calls."""

    def to_dict(self) -> dict[str, Any]:
        """The form of both dialects."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            # Not in an object, as OpenAI has it: langchain-mistralai adds up all values it finds.
            "num_cached_tokens": self.cached_tokens,
        }


@dataclass(frozen=True)
class Call:
    """A call of a tool."""

    name: str
    arguments: str
    """JSON as text."""
    id: str = field(default_factory=tool_call_id)

    def to_dict(self, index: int) -> dict[str, Any]:
        """The form of both dialects; it is that of streams too, which need the index."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function, "index": index}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a choice tells beside its text, where it was asked for."""

    logprobs: Sequence[TokenLogprob] | None = None
    prompt_logprobs: Sequence[TokenLogprob] | None = None
    routing: Any = None
    """Which experts the tokens took, as plain values."""
    prompt_routing: Any = None


@dataclass(frozen=True, kw_only=True)
class ChatChoice:
    """One answer of a chat."""

    index: int = 0
    text: str
    finish_reason: FinishReason
    tool_calls: Sequence[Call] = ()
    told: Told = Told()


@dataclass(frozen=True, kw_only=True)
class TextChoice:
    """One continuation of a text."""

    index: int = 0
    text: str
    finish_reason: FinishReason
    told: Told = Told()


def chat_completion(head: Head, choices: Sequence[ChatChoice], usage: Usage) -> dict[str, Any]:
    """The response to a chat that is not streamed."""
    return {
        **head.to_dict("chat.completion"),
        "choices": [_chat_choice(choice) for choice in choices],
        "usage": usage.to_dict(),
    }


def text_completion(head: Head, choices: Sequence[TextChoice], usage: Usage) -> dict[str, Any]:
    """The response to a completion that is not streamed."""
    return {
        **head.to_dict("text_completion"),
        "choices": [
            {
                "index": choice.index,
                "text": choice.text,
                "finish_reason": choice.finish_reason,
                **text_told(choice.told),
            }
            for choice in choices
        ],
        "usage": usage.to_dict(),
    }


def moderation(model: str, verdicts: Sequence[Mapping[str, float]], threshold: float) -> Any:
    """The response to a moderation: a score from 0 to 1 for each category of each input.

    A category holds where its score reaches ``threshold``.
    """
    results = [
        {
            "categories": {name: score >= threshold for name, score in scores.items()},
            "category_scores": dict(scores),
        }
        for scores in verdicts
    ]
    return {"id": new_id(), "model": model, "results": results}


def calls_to_dicts(calls: Sequence[Call]) -> list[dict[str, Any]] | None:
    """Tool calls in order; None for none."""
    return [call.to_dict(index) for index, call in enumerate(calls)] or None


def chat_told(told: Told) -> dict[str, Any]:
    """Extras of a chat's choice; ``logprobs`` is there even if null, as with OpenAI."""
    logprobs = None if told.logprobs is None else chat_logprobs(told.logprobs)
    return {"logprobs": logprobs, **_extras(told)}


def text_told(told: Told, start: int = 0) -> dict[str, Any]:
    """Extras of a completion's choice, whose first token stands at character ``start``."""
    logprobs = None if told.logprobs is None else completion_logprobs(told.logprobs, start)
    return {"logprobs": logprobs, **_extras(told)}


def _extras(told: Told) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if told.prompt_logprobs is not None:
        extras["prompt_logprobs"] = chat_logprobs(told.prompt_logprobs)
    if told.routing is not None:
        extras["routing"] = told.routing
    if told.prompt_routing is not None:
        extras["prompt_routing"] = told.prompt_routing
    return extras


def _chat_choice(choice: ChatChoice) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": choice.text,
        "tool_calls": calls_to_dicts(choice.tool_calls),
    }
    return {
        "index": choice.index,
        "message": message,
        "finish_reason": choice.finish_reason,
        **chat_told(choice.told),
    }

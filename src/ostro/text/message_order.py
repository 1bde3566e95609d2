"""Which conversations make sense: the rules, and the wording, of mistral-common.

They hold for every model and template. Importing mistral-common's own validator would cost every
chat about half a second; a test holds the two equal.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from ostro.errors import OstroError
from ostro.text.messages import Message

_MAY_FOLLOW = {
    "system": ("user", "assistant", "system"),
    "user": ("assistant", "system", "user"),
    "assistant": ("assistant", "user", "tool"),
    "tool": ("assistant", "tool", "user"),
}


def check_messages(messages: Sequence[Message]) -> None:
    """Raise :class:`~ostro.errors.OstroError` for a conversation that cannot be answered."""
    _check_ends(messages)
    for before, after in pairwise(messages):
        if after.role not in _MAY_FOLLOW[before.role]:
            raise OstroError(f"Unexpected role '{after.role}' after role '{before.role}'")
    # Messages carry no tool calls, so any result is one too many; the first goes uncounted.
    if any(message.role == "tool" for message in messages[1:]):
        raise OstroError("Not the same number of function calls and responses")
    for index, message in enumerate(messages):
        if message.role != "assistant":
            continue
        if not message.content:
            raise OstroError(
                "Assistant message must have either content or tool_calls, but not both."
            )
        if message.prefix and index != len(messages) - 1:
            raise OstroError("Assistant message with prefix True must be last message")


def _check_ends(messages: Sequence[Message]) -> None:
    if not messages:
        raise OstroError("Conversation must have at least one message")
    last = messages[-1]
    if len(messages) == 1:
        if last.role not in ("user", "system"):
            raise OstroError("Conversation must start with a user message or system message")
    elif last.role == "assistant" and not last.prefix:
        raise OstroError(
            "Expected last role User or Tool (or Assistant with prefix) for serving but got "
            "assistant"
        )


def merge_messages(messages: Sequence[Message]) -> list[Message]:
    """The conversation as a template wants it, merged the way mistral-common does.

    One system message at most, at the front, with all others after a blank line; neighbours of
    one role joined by a blank line; an empty question where an assistant would come first.
    """
    system = _joined(message for message in messages if message.role == "system")
    merged: list[Message] = []
    for role, group in groupby(messages, key=lambda message: message.role):
        members = list(group)
        if role == "tool":
            merged += members
        elif role != "system":
            merged.append(Message(role, _joined(members), any(m.prefix for m in members)))
    if not merged or merged[0].role != "user":
        merged.insert(0, Message("user", ""))
    return [Message("system", system), *merged] if system else merged


def _joined(messages: Iterable[Message]) -> str:
    return "\n\n".join(message.content for message in messages if message.content)

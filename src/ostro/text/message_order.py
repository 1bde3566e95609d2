"""Which conversations make sense: the rules, and the wording, of mistral-common.

They hold for every model whose template says nothing stricter: the newer of Mistral's own do, and
have mistral-common check for them. Importing its validator for every chat would cost about half a
second; a test holds the two equal.
"""

import re
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
_FUNCTION_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")


def check_messages(messages: Sequence[Message], *, content_beside_calls: bool = False) -> None:
    """Raise :class:`~ostro.errors.OstroError` for a conversation that cannot be answered.

    ``content_beside_calls`` is for templates that can write both into one answer.
    """
    _check_ends(messages)
    for before, after in pairwise(messages):
        if after.role not in _MAY_FOLLOW[before.role]:
            raise OstroError(f"Unexpected role '{after.role}' after role '{before.role}'")
    _check_counts(messages)
    for index, message in enumerate(messages):
        if message.role == "assistant":
            check_answer(message, content_beside_calls=content_beside_calls)
            if message.prefix and index != len(messages) - 1:
                raise OstroError("Assistant message with prefix True must be last message")
        elif message.role == "tool" and message.name is not None:
            check_function_name(message.name)


def check_answer(message: Message, *, content_beside_calls: bool) -> None:
    """Raise :class:`~ostro.errors.OstroError` for an assistant's message that says nothing.

    Neither may it say two things at once, unless the template can write both.
    """
    has_content, has_calls = bool(message.content), bool(message.tool_calls)
    is_whole = has_content or has_calls if content_beside_calls else has_content != has_calls
    if message.role == "assistant" and not is_whole:
        raise OstroError("Assistant message must have either content or tool_calls, but not both.")
    for call in message.tool_calls:
        check_function_name(call.name)


def check_function_name(name: str) -> None:
    """Raise :class:`~ostro.errors.OstroError` for a name that no function can have."""
    if not _FUNCTION_NAME.match(name):
        raise OstroError(
            f"Function name was {name} but must be a-z, A-Z, 0-9, or contain underscores and "
            "dashes, with a maximum length of 64."
        )


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


def _check_counts(messages: Sequence[Message]) -> None:
    """Every call has its result before the next answer."""
    awaited = 0
    # The first message goes uncounted: a conversation may have been cut anywhere.
    for message in messages[1:]:
        if message.role == "tool":
            awaited -= 1
        elif message.role == "assistant":
            if awaited:
                break
            awaited = len(message.tool_calls)
    if awaited:
        raise OstroError("Not the same number of function calls and responses")


def merge_messages(messages: Sequence[Message]) -> list[Message]:
    """The conversation as a template wants it, merged the way mistral-common does.

    One system message at most, at the front, with all others after a blank line; neighbours of
    one role joined by a blank line, but results of tools apart; an empty question where an
    assistant would come first.
    """
    system = _joined(message for message in messages if message.role == "system")
    merged: list[Message] = []
    for role, group in groupby(messages, key=lambda message: message.role):
        members = list(group)
        if role == "tool":
            merged += members
        elif role != "system":
            merged.append(_merge(members))
    if not merged or merged[0].role != "user":
        merged.insert(0, Message("user", ""))
    return [Message("system", system), *merged] if system else merged


def _merge(members: Sequence[Message]) -> Message:
    names = {message.name for message in members}
    return Message(
        members[0].role,
        _joined(members),
        any(message.prefix for message in members),
        tuple(call for message in members for call in message.tool_calls),
        name=names.pop() if len(names) == 1 else None,
    )


def _joined(messages: Iterable[Message]) -> str:
    return "\n\n".join(message.content for message in messages if message.content)

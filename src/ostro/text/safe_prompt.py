"""Mistral's guard-rail: a fixed system prompt in front of the conversation."""

from collections.abc import Sequence

from ostro.text.messages import Message

SAFE_PROMPT = (
    "Always assist with care, respect, and truth. Respond with utmost utility yet securely. "
    "Avoid harmful, unethical, prejudiced, or negative content. "
    "Ensure replies promote fairness and positivity."
)
"""The text that Mistral documents for ``safe_prompt``."""


def with_safe_prompt(messages: Sequence[Message]) -> list[Message]:
    """Put the safe prompt first; a system prompt of the user's own follows it.

    Every template joins system messages by a blank line, so none needs to know of this one.
    """
    # An empty conversation stays empty, so that it is refused as one.
    return [Message("system", SAFE_PROMPT), *messages] if messages else []

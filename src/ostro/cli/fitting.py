"""A conversation cut to the context, with a word about what was left out."""

from typing import Any

from ostro.cli.output import note
from ostro.engine.conversation import fit_conversation
from ostro.engine.llm import LLM
from ostro.text.messages import Message


def fitting(
    llm: LLM, messages: list[Message], *, safe: bool, max_tokens: int | None
) -> list[Message]:
    """The newest turns that leave room for an answer; says what was left out."""
    reserve = max_tokens or 256
    room = max(llm.context - reserve, llm.context // 2)

    def encode(some: Any) -> list[int]:
        return llm.encode_chat(some, safe_prompt=safe)

    fitted = fit_conversation(messages, encode, room)
    if fitted.dropped:
        turns = "turn was" if fitted.dropped == 1 else "turns were"
        note(f"(the context is full: the {fitted.dropped} oldest {turns} left out)")
    return fitted.messages

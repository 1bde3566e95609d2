"""Mixtral 8x7B's template as text, for models whose tokenizer has another one."""

from collections.abc import Sequence

from ostro.errors import OstroError
from ostro.text.messages import Message


def mixtral_prompt(messages: Sequence[Message]) -> str:
    """``<s>[INST] Instruction [/INST] Model answer</s>[INST] Follow-up instruction [/INST]``.

    System messages stand in front of the first instruction, after each a blank line, as Mistral's
    own library writes them. ``<s>`` and ``</s>`` are for a raw prompt to turn into BOS and EOS.
    """
    system = [one.content for one in messages if one.role == "system"]
    turns = [one for one in messages if one.role != "system"]
    text = "<s>"
    for number, turn in enumerate(turns):
        if turn.role != ("assistant" if number % 2 else "user"):
            raise OstroError(f"Mixtral's template: message {number} is not {turn.role}'s to say")
        if turn.role == "assistant":
            text += f" {turn.content}</s>"
        else:
            parts = [*system, turn.content] if number == 0 else [turn.content]
            text += "[INST] " + "\n\n".join(parts) + " [/INST]"
    return text

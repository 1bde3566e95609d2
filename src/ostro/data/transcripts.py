"""Dialogues written as one text: ``Human:`` and ``Assistant:``, as in Anthropic's hh-rlhf."""

import re

from ostro.errors import OstroError
from ostro.text.messages import Message, Role

_SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


def is_transcript(text: str) -> bool:
    """Whether the text begins with a person's turn."""
    return text.lstrip().startswith("Human:")


def parse_transcript(text: str) -> list[Message]:
    """The turns, without the white space around them; an OstroError unless an answer is last."""
    before, *parts = _SPEAKER.split(text.strip())
    if before or not parts:
        raise OstroError("the dialogue does not begin with 'Human:' or 'Assistant:'")
    turns = zip(parts[::2], parts[1::2], strict=True)
    messages = [Message(_ROLES[speaker], content.strip()) for speaker, content in turns]
    if messages[-1].role != "assistant":
        raise OstroError("the dialogue does not end with a turn of 'Assistant:'")
    return messages

"""Questions that the parent itself writes: it is given the beginning of a user's turn."""

import random
from collections.abc import Sequence

from demo_text.sampled.prompt import Prompt
from demo_text.sampled.sampler import Sampled, Sampler
from demo_text.sampled.systems import SYSTEMS
from demo_text.words import words_of

SOURCE = "own questions of the parent"
MOST_TOKENS = 120
_DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
# Without any system turn the parent, which never saw that, mostly writes noise.
_OTHER_SYSTEM_SHARE = 0.2
_LEAST_WORDS = 3
_LEAST_DIFFERENT = 0.45
_LEAST_LETTERS = 0.7


def own_prompts(sampler: Sampler, draw: random.Random, count: int, seed: int) -> list[Prompt]:
    """Up to ``count`` questions: as many as are left when junk is taken out."""
    systems = [
        draw.choice(SYSTEMS) if draw.random() < _OTHER_SYSTEM_SHARE else None for _ in range(count)
    ]
    written = sampler.continued([opening(system) for system in systems], MOST_TOKENS + 1, seed)
    return unlike_junk(written, systems)


def opening(system: str | None) -> str:
    """The template's text up to where a user's first word stands."""
    text = _DEFAULT_SYSTEM if system is None else system
    return f"<|im_start|>system\n{text}<|im_end|>\n<|im_start|>user\n"


def unlike_junk(written: Sequence[Sampled], systems: Sequence[str | None]) -> list[Prompt]:
    """Those that look like a question, each with its system prompt."""
    return [
        Prompt(one.text.strip(), SOURCE, system)
        for one, system in zip(written, systems, strict=True)
        if one.ended and not is_junk(one.text)
    ]


def is_junk(text: str) -> bool:
    """Whether it is too short, repeats itself, or is hardly made of words."""
    words = words_of(text)
    if len(words) < _LEAST_WORDS or "\ufffd" in text or "<|" in text:
        return True
    different = len(set(words)) / len(words)
    letters = sum(char.isalpha() or char == " " for char in text) / len(text)
    # Words come again in any long text.
    is_repetitive = different < _LEAST_DIFFERENT + max(0, 20 - len(words)) / 100
    return is_repetitive or letters < _LEAST_LETTERS

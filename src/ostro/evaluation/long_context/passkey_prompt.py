"""The passkey prompt of Mohtashami and Jaggi, "Landmark Attention" (2023).

Five lines: the task, noise, the key, noise, and the question's beginning of an answer. There, noise
is cut by characters; here by characters too, but to as many as a number of tokens has room for.
"""

import random
import re

from ostro.evaluation.long_context.fitting import longest_fit
from ostro.evaluation.long_context.trials import Encode

TASK = (
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them."
    " I will quiz you about the important information there."
)
NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
QUESTION = "What is the pass key? The pass key is"
LARGEST_KEY = 50_000
"""Keys are drawn from 1 to this."""


def draw_key(seed: int, length: int, depth: float, number: int) -> int:
    """The key of a trial, the same at every call."""
    return random.Random(f"{seed}/{length}/{depth}/{number}").randint(1, LARGEST_KEY)


def passkey_text(key: int, before: int, after: int) -> str:
    """The prompt with so many characters of noise before and after the key."""
    line = f"The pass key is {key}. Remember it. {key} is the pass key."
    return "\n".join([TASK, _noise(before), line, _noise(after), QUESTION])


def passkey_ids(encode: Encode, key: int, depth: float, room: int) -> list[int]:
    """The prompt in at most ``room`` tokens; the share ``depth`` of its noise precedes the key."""

    def prompt(characters: int) -> list[int]:
        before = round(depth * characters)
        return encode(passkey_text(key, before, characters - before))

    return longest_fit(prompt, room)


def names_key(answer: str, key: int) -> bool:
    """Whether the first integer of an answer is the key."""
    found = re.search(r"\d+", answer, re.ASCII)
    return found is not None and int(found[0]) == key


def _noise(characters: int) -> str:
    repeats = characters // (len(NOISE) + 1) + 1
    return " ".join([NOISE] * repeats)[:characters]

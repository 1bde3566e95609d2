"""The longest text that fits into a number of tokens."""

from collections.abc import Callable

from ostro.errors import OstroError

_MOST_TRIES = 16


def longest_fit(prompt: Callable[[int], list[int]], room: int) -> list[int]:
    """The prompt of the largest size that has at most ``room`` tokens, or one just below it.

    ``prompt`` gives token ids by size, which is counted in what it likes, such as characters, and
    grows by about as many tokens each. Where not even size 0 fits, that is an OstroError.
    """
    best = empty = prompt(0)
    if len(empty) > room:
        raise OstroError(
            f"a prompt without any noise has {len(empty)} tokens, and {room} were left for it; "
            "give greater lengths"
        )
    fits, too_long = 0, room * 64  # Noise is plain words, of which no token is longer.
    guess = room - len(empty)
    for _ in range(_MOST_TRIES):
        if too_long - fits < 2 or len(best) == room:
            break
        guess = min(max(guess, fits + 1), too_long - 1)
        ids = prompt(guess)
        per_token = guess / max(len(ids) - len(empty), 1)
        if len(ids) <= room:
            fits, best = guess, ids
        else:
            too_long = guess
        guess += round((room - len(ids)) * per_token)
    return best

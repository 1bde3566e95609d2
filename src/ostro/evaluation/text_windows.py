"""A text cut into windows, each of which a model reads as a text of its own."""

from collections.abc import Sequence


def text_windows(ids: Sequence[int], beginning: Sequence[int], size: int) -> list[list[int]]:
    """Windows of at most ``size`` tokens, each with ``beginning`` in front, as BOS.

    ``ids`` are the text's with its own beginning. A last window that would predict nothing is left
    out. ``size`` must have room for a token beside the beginning.
    """
    body, room = ids[len(beginning) :], size - len(beginning)
    windows = ([*beginning, *body[start : start + room]] for start in range(0, len(body), room))
    return [window for window in windows if len(window) > 1]

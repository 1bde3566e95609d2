"""A vocabulary of any size that no text was read for, in the manner of SentencePiece.

Engines that hold tokenizer and weights in one file refuse a file without pieces. These are the
three special ones, the 256 bytes, and words of letters, the short ones first.
"""

import itertools
import string
from collections.abc import Iterator

from ostro.errors import OstroError
from ostro.text.vocabulary import PieceKind, Vocabulary

_SPACE = "\u2581"
_SPECIAL = ("<unk>", "<s>", "</s>")
_BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
SMALLEST = len(_SPECIAL) + len(_BYTES) + 1


def synthetic_vocabulary(size: int) -> Vocabulary:
    """A vocabulary of ``size`` pieces; fewer than 260 leave no room for a word."""
    if size < SMALLEST:
        raise OstroError(f"a synthetic vocabulary needs {SMALLEST} pieces or more, not {size}")
    num_words = size - SMALLEST + 1
    words = list(itertools.islice(_words(), num_words))
    kinds = [PieceKind.UNKNOWN, PieceKind.CONTROL, PieceKind.CONTROL]
    kinds += [PieceKind.BYTE] * len(_BYTES) + [PieceKind.NORMAL] * num_words
    return Vocabulary(
        model="sentencepiece",
        pieces=[*_SPECIAL, *_BYTES, *words],
        kinds=[int(kind) for kind in kinds],
        # Words are merged in the order of their scores; nothing else is looked up by score.
        scores=[0.0] * (SMALLEST - 1) + [-float(rank) for rank in range(num_words)],
        bos_id=1,
        eos_ids=frozenset((2,)),
        unknown_id=0,
        adds_bos=True,
        special_names={"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    )


def _words() -> Iterator[str]:
    """A space, then all words of one letter, of two, and so on, with and without a space."""
    yield _SPACE
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            word = "".join(letters)
            yield word
            yield _SPACE + word

"""A byte-level vocabulary without merges: one piece a byte, and one control token."""

from ostro.text.vocabulary import Vocabulary


def byte_vocabulary() -> Vocabulary:
    """257 pieces; ``<|end|>`` is number 0 and ends an answer."""
    shown = [chr(b) for b in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))]
    hidden = [chr(0x100 + n) for n in range(256 - len(shown))]
    pieces = ["<|end|>", *shown, *hidden]
    return Vocabulary(
        model="bpe",
        pieces=pieces,
        kinds=[3] + [1] * (len(pieces) - 1),
        pre_tokenizer="gpt-2",
        eos_ids=frozenset((0,)),
    )

"""Byte-level BPE, built from a vocabulary's tables with the ``tokenizers`` package."""

from collections.abc import Callable, Sequence

from tokenizers import Regex, Tokenizer, models
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as Steps

from ostro.errors import OstroError
from ostro.text.pieces import byte_level_bytes
from ostro.text.vocabulary import PieceKind, Vocabulary

# The patterns of the models that made these names known; each is one published regular expression.
_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# What llama.cpp splits by where a file says "default", one after another.
_DEFAULT = (
    r"[\p{P}\$\+<=>\^~\|]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"\p{N}+",
    r"[0-9][0-9][0-9]",
)


def _split_by(*patterns: str) -> list[PreTokenizer]:
    steps: list[PreTokenizer] = [Split(Regex(p), behavior="isolated") for p in patterns]
    return [*steps, ByteLevel(add_prefix_space=False, use_regex=False)]


PRE_TOKENIZERS: dict[str, Callable[[], list[PreTokenizer]]] = {
    "smollm": lambda: [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)],
    "gpt-2": lambda: [ByteLevel(add_prefix_space=False)],
    "llama-bpe": lambda: _split_by(_LLAMA_3),
    "tekken": lambda: _split_by(_TEKKEN),
    "default": lambda: _split_by(*_DEFAULT),
}
# These models take a word that is a piece as it is, without merging up to it.
_WHOLE_WORDS_FIRST = ("llama-bpe", "tekken")


class ByteLevelCodec:
    """Plain text to byte-level pieces and back."""

    drops_first_space = False

    def __init__(self, tokenizer: Tokenizer, pieces: Sequence[str], added: frozenset[int]) -> None:
        self._tokenizer, self.pieces, self._added = tokenizer, pieces, added

    def encode(self, text: str, *, after_special: bool) -> list[int]:
        """Token ids of plain text; the same wherever it stands."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of an ordinary token."""
        piece = self.pieces[token_id]
        return piece.encode() if token_id in self._added else byte_level_bytes(piece)


def build_byte_level(vocabulary: Vocabulary, *, with_control: bool = False) -> Tokenizer:
    """A ``tokenizers.Tokenizer`` without added tokens.

    A piece that is no text must not be reachable from text, so the model has it only where
    ``with_control`` says so: to be written to a file, which then marks it.
    """
    name = vocabulary.pre_tokenizer
    if name not in PRE_TOKENIZERS:
        known = ", ".join(PRE_TOKENIZERS)
        raise OstroError(f"unknown pre-tokenizer {name!r}; ostro knows {known}")
    merges = [_merge(line) for line in vocabulary.merges]
    text_kinds = (PieceKind.NORMAL, PieceKind.USER_DEFINED, PieceKind.BYTE)
    pairs = enumerate(zip(vocabulary.pieces, vocabulary.kinds, strict=True))
    table = {piece: number for number, (piece, kind) in pairs if with_control or kind in text_kinds}
    try:
        model = models.BPE(table, merges, ignore_merges=name in _WHOLE_WORDS_FIRST)
    except Exception as error:  # The package raises bare Exception for a bad merge.
        raise OstroError(f"the vocabulary's merges do not fit its pieces: {error}") from error
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = Steps(PRE_TOKENIZERS[name]())
    return tokenizer


def byte_level_codec(vocabulary: Vocabulary) -> ByteLevelCodec:
    """The codec of a byte-level vocabulary."""
    added = frozenset(
        number for number, kind in enumerate(vocabulary.kinds) if kind == PieceKind.USER_DEFINED
    )
    tokenizer = build_byte_level(vocabulary)
    tokenizer.add_tokens([vocabulary.pieces[number] for number in sorted(added)])
    return ByteLevelCodec(tokenizer, vocabulary.pieces, added)


def _merge(line: str) -> tuple[str, str]:
    first, space, second = line.partition(" ")
    if not space or " " in second:
        raise OstroError(f"the vocabulary's merge {line!r} is not two pieces")
    return first, second

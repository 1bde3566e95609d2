"""A tokenizer from the vocabulary that came with the weights."""

from dataclasses import replace

from ostro.errors import OstroError
from ostro.text.byte_level import byte_level_codec
from ostro.text.jinja_template import JinjaTemplate
from ostro.text.piece_tokenizer import Codec, PieceTokenizer, SpecialTokens
from ostro.text.sentencepiece_codec import sentencepiece_codec
from ostro.text.vocabulary import PieceKind, Vocabulary


def vocabulary_tokenizer(vocabulary: Vocabulary) -> PieceTokenizer:
    """Build the tokenizer; tables that do not fit together are an OstroError."""
    v = replace(vocabulary, kinds=_kinds(vocabulary))
    codec: Codec = byte_level_codec(v) if v.model == "bpe" else sentencepiece_codec(v)
    special = special_tokens(v)
    template = None
    if v.chat_template is not None:
        template = JinjaTemplate(v.chat_template, codec, special.pieces, v.special_names)
    return PieceTokenizer(codec, special, template)


def special_tokens(vocabulary: Vocabulary) -> SpecialTokens:
    """The tokens that are not text: control pieces, and those that a special id names."""
    v = vocabulary
    control = {n for n, kind in enumerate(v.kinds) if kind == PieceKind.CONTROL}
    unknown = {n for n, kind in enumerate(v.kinds) if kind in (PieceKind.UNKNOWN, PieceKind.UNUSED)}
    pieces = {v.pieces[number]: number for number in sorted(control)}
    eos = pieces.get(v.special_names.get("eos_token", ""))
    return SpecialTokens(
        pieces=pieces,
        # Of control tokens that share one text the last is parsed, and none is shown.
        silent=frozenset(unknown | control),
        bos_id=v.bos_id,
        eos_id=min(v.eos_ids, default=None) if eos is None else eos,
        eos_ids=v.eos_ids,
        adds_bos=v.adds_bos and v.bos_id is not None,
    )


def _kinds(vocabulary: Vocabulary) -> list[int]:
    """The kind of each piece; where the file is silent, what the special ids tell."""
    v = vocabulary
    if v.kinds and len(v.kinds) != len(v.pieces):
        raise OstroError(f"the vocabulary has {len(v.pieces)} pieces and {len(v.kinds)} kinds")
    kinds = [int(kind) for kind in v.kinds] or [int(PieceKind.NORMAL)] * len(v.pieces)
    if not v.kinds and v.unknown_id is not None and v.unknown_id < len(kinds):
        kinds[v.unknown_id] = PieceKind.UNKNOWN
    for number in v.eos_ids | ({v.bos_id} if v.bos_id is not None else set()):
        if not 0 <= number < len(kinds):
            raise OstroError(f"the vocabulary has {len(kinds)} pieces and a special token {number}")
        kinds[number] = PieceKind.CONTROL
    return kinds

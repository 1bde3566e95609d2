"""``tokenizer.json``, with what may lie beside it: a template, special tokens, stop tokens."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ostro.errors import CheckpointError
from ostro.runtime.json_files import read_table
from ostro.text.jinja_template import JinjaTemplate
from ostro.text.piece_tokenizer import PieceTokenizer, SpecialTokens
from ostro.text.pieces import byte_level_bytes, sentencepiece_bytes

_USUAL_BOS = ("<s>", "<|begin_of_text|>", "<bos>")
_USUAL_EOS = ("</s>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<eos>")
# Some files do not mark their control tokens as special; their look tells them.
_CONTROL_LIKE = re.compile(r"<[^\s<>]+>|\[[A-Z_/]+\]")


class JsonCodec:
    """Plain text through the ``tokenizers`` package, and pieces to bytes."""

    def __init__(
        self, tokenizer: Tokenizer, settings: Mapping[str, Any], pieces: Sequence[str]
    ) -> None:
        self.pieces = pieces
        words = json.dumps([settings.get("pre_tokenizer"), settings.get("decoder")])
        self._is_byte_level = "ByteLevel" in words
        self._added = frozenset(tokenizer.get_added_tokens_decoder())
        self.drops_first_space = not self._is_byte_level and _strips(settings.get("decoder"))
        self._first, self._later = _plain(tokenizer), _plain(_without_first_space(tokenizer))

    def encode(self, text: str, *, after_special: bool) -> list[int]:
        """Token ids of plain text; the file itself says how."""
        tokenizer = self._later if after_special else self._first
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of an ordinary token."""
        piece = self.pieces[token_id]
        if token_id in self._added:
            return piece.encode()
        return byte_level_bytes(piece) if self._is_byte_level else sentencepiece_bytes(piece)


def json_tokenizer(folder: Path, *, eos_ids: frozenset[int] = frozenset()) -> PieceTokenizer:
    """Read the folder's ``tokenizer.json``; ``eos_ids`` are further tokens that end an answer.

    ``tokenizer_config.json``, ``special_tokens_map.json`` and ``chat_template.jinja`` are used
    where they are there; without a template, everything but chat works.
    """
    path = folder / "tokenizer.json"
    settings = read_table(path)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # The package raises bare Exception.
        raise CheckpointError(f"{path}: not a tokenizer ({error})") from error
    config = read_table(folder / "special_tokens_map.json", missing_is_empty=True)
    config |= read_table(folder / "tokenizer_config.json", missing_is_empty=True)
    pieces = _pieces(tokenizer)
    ids = {piece: number for number, piece in enumerate(pieces)}
    names = {
        key: text
        for key in ("bos_token", "eos_token", "unk_token", "pad_token")
        if (text := _text(config.get(key))) is not None
    }
    bos = ids.get(names.get("bos_token", ""), _first_known(ids, _USUAL_BOS))
    eos = ids.get(names.get("eos_token", ""), _first_known(ids, _USUAL_EOS))
    control = {
        token.content: number
        for number, token in tokenizer.get_added_tokens_decoder().items()
        if token.special or _CONTROL_LIKE.fullmatch(token.content)
    }
    codec = JsonCodec(tokenizer, settings, pieces)
    special = SpecialTokens(
        pieces=control,
        bos_id=bos,
        eos_id=eos,
        eos_ids=eos_ids | (frozenset() if eos is None else frozenset((eos,))),
        adds_bos=_adds_bos(tokenizer, config, bos),
    )
    source = _template(folder, config)
    template = None if source is None else JinjaTemplate(source, codec, control, names)
    return PieceTokenizer(codec, special, template)


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """Control tokens that stand in a text are read as that text, and nothing is cut or filled."""
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _without_first_space(tokenizer: Tokenizer) -> Tokenizer:
    """For text after a control token, where the space belongs to the whole text's beginning."""
    settings = tokenizer.to_str()
    changed = settings.replace('"prepend_scheme":"first"', '"prepend_scheme":"never"')
    return tokenizer if changed == settings else Tokenizer.from_str(changed)


def _strips(decoder: Any) -> bool:
    """Whether decoding takes away one space at the beginning."""
    steps = decoder.get("decoders", [decoder]) if isinstance(decoder, dict) else []
    return any(
        step.get("type") == "Strip"
        or (step.get("type") == "Metaspace" and step.get("prepend_scheme") != "never")
        for step in steps
    )


def _pieces(tokenizer: Tokenizer) -> list[str]:
    """Pieces by id; a gap in the numbering is an empty piece."""
    table = tokenizer.get_vocab(with_added_tokens=True)
    pieces = [""] * (max(table.values(), default=-1) + 1)
    for piece, number in table.items():
        pieces[number] = piece
    return pieces


def _text(value: Any) -> str | None:
    """A special token is written as a text or as a table with its content."""
    found = value.get("content") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None


def _first_known(ids: Mapping[str, int], usual: tuple[str, ...]) -> int | None:
    return next((ids[piece] for piece in usual if piece in ids), None)


def _adds_bos(tokenizer: Tokenizer, config: Mapping[str, Any], bos: int | None) -> bool:
    """As the configuration says; else whether the file's own post-processor adds it."""
    if isinstance(config.get("add_bos_token"), bool):
        return bool(config["add_bos_token"])
    return bos is not None and tokenizer.encode("a").ids[:1] == [bos]


def _template(folder: Path, config: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path}: not readable ({error})") from error
    value = config.get("chat_template")
    if isinstance(value, list):  # Several, by name.
        entries = [entry for entry in value if isinstance(entry, dict)]
        named = {str(entry.get("name")): entry.get("template") for entry in entries}
        value = named.get("default")
    return value if isinstance(value, str) else None

"""Vocabularies read from tokenizer files, and written as such, where the layout changes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ostro.errors import CheckpointError
from ostro.runtime.json_files import read_table
from ostro.text.byte_level import PRE_TOKENIZERS, build_byte_level
from ostro.text.json_tokenizer import json_tokenizer
from ostro.text.sentencepiece_codec import sentencepiece_model
from ostro.text.vocabulary import PieceKind, Vocabulary


def read_sentencepiece(path: Path, chat_template: str | None) -> Vocabulary:
    """The tables of a SentencePiece file."""
    from sentencepiece import SentencePieceProcessor

    try:
        model = SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError) as error:
        raise CheckpointError(f"{path}: not a SentencePiece model") from error
    numbers = range(model.vocab_size())
    eos = model.eos_id()
    return Vocabulary(
        model="sentencepiece",
        pieces=[model.id_to_piece(n) for n in numbers],
        kinds=[_kind(model, n) for n in numbers],
        scores=[model.get_score(n) for n in numbers],
        bos_id=None if model.bos_id() < 0 else model.bos_id(),
        eos_ids=frozenset() if eos < 0 else frozenset((eos,)),
        unknown_id=model.unk_id(),
        adds_bos=True,
        chat_template=chat_template,
        special_names={
            name: model.id_to_piece(n)
            for name, n in (("bos_token", model.bos_id()), ("eos_token", eos))
            if n >= 0
        },
    )


def read_tokenizer_json(
    folder: Path, config: Mapping[str, Any], eos_ids: frozenset[int]
) -> Vocabulary:
    """The tables of a byte-level or SentencePiece-like BPE in ``tokenizer.json``."""
    path = folder / "tokenizer.json"
    table = read_table(path)
    model = table.get("model", {})
    if model.get("type") != "BPE":
        raise CheckpointError(f"{path}: model {model.get('type')!r}; GGUF can hold BPE alone")
    tokenizer = json_tokenizer(folder, eos_ids=eos_ids)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    pieces = tokenizer.pieces
    byte_level = not model.get("byte_fallback")
    ranks = {
        merge.replace(" ", ""): -float(rank) for rank, merge in reversed(list(enumerate(merges)))
    }
    control = set(tokenizer.special_pieces.values())
    kinds = [
        PieceKind.CONTROL if number in control else _kind_of_text(piece)
        for number, piece in enumerate(pieces)
    ]
    unknown = model.get("unk_token")
    names = {key: config.get(key) for key in ("bos_token", "eos_token", "unk_token")}
    return Vocabulary(
        model="bpe" if byte_level else "sentencepiece",
        pieces=pieces,
        kinds=[int(kind) for kind in kinds],
        merges=merges if byte_level else (),
        scores=() if byte_level else [ranks.get(piece, 0.0) for piece in pieces],
        pre_tokenizer=_pre_tokenizer(table, path) if byte_level else "default",
        bos_id=tokenizer.bos_id,
        eos_ids=tokenizer.eos_ids,
        unknown_id=pieces.index(unknown) if unknown in pieces else None,
        adds_bos=tokenizer.adds_bos,
        adds_space_prefix=not byte_level,
        chat_template=tokenizer.template_source,
        special_names={key: name for key, name in names.items() if isinstance(name, str)},
    )


def write_tokenizer_json(folder: Path, vocabulary: Vocabulary) -> None:
    """A byte-level vocabulary as ``tokenizer.json`` and ``tokenizer_config.json``."""
    from tokenizers import AddedToken, decoders

    tokenizer = build_byte_level(vocabulary, with_control=True)
    tokenizer.decoder = decoders.ByteLevel()
    kinds = list(vocabulary.kinds)
    special = [p for p, k in zip(vocabulary.pieces, kinds, strict=True) if k == PieceKind.CONTROL]
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False) for piece in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_config(folder, vocabulary, "PreTrainedTokenizerFast")


def write_tokenizer_model(folder: Path, vocabulary: Vocabulary) -> None:
    """A SentencePiece vocabulary as ``tokenizer.model`` and ``tokenizer_config.json``."""
    (folder / "tokenizer.model").write_bytes(sentencepiece_model(vocabulary))
    _write_config(folder, vocabulary, "LlamaTokenizer")


def _write_config(folder: Path, v: Vocabulary, tokenizer_class: str) -> None:
    config: dict[str, Any] = {
        "tokenizer_class": tokenizer_class,
        "add_bos_token": v.adds_bos,
        "clean_up_tokenization_spaces": False,
        **v.special_names,
    }
    if v.chat_template is not None:
        config["chat_template"] = v.chat_template
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def _kind(model: Any, number: int) -> int:
    if model.is_unknown(number):
        return PieceKind.UNKNOWN
    if model.is_control(number):
        return PieceKind.CONTROL
    if model.is_byte(number):
        return PieceKind.BYTE
    return PieceKind.UNUSED if model.is_unused(number) else PieceKind.NORMAL


def _kind_of_text(piece: str) -> PieceKind:
    is_byte = len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")
    return PieceKind.BYTE if is_byte else PieceKind.NORMAL


def _pre_tokenizer(table: Mapping[str, Any], path: Path) -> str:
    """The name of a pre-tokenizer, recognised by its definition."""
    wanted = _comparable(table.get("pre_tokenizer"))
    empty = Vocabulary(model="bpe", pieces=())
    for name in PRE_TOKENIZERS:
        built = build_byte_level(Vocabulary(**{**vars(empty), "pre_tokenizer": name}))
        if _comparable(json.loads(built.to_str())["pre_tokenizer"]) == wanted:
            return name
    raise CheckpointError(f"{path}: its pre-tokenizer has no name in GGUF that ostro knows")


def _comparable(value: Any) -> Any:
    """The definition without what changes no token, and without a list around a single step."""
    if isinstance(value, dict):
        steps = value.get("pretokenizers")
        if value.get("type") == "Sequence" and isinstance(steps, list) and len(steps) == 1:
            return _comparable(steps[0])
        return {key: _comparable(item) for key, item in value.items() if key != "trim_offsets"}
    return [_comparable(item) for item in value] if isinstance(value, list) else value

"""GGUF's metadata to a geometry and a vocabulary, and back.

Keys as in the GGUF specification and llama.cpp; Mixtral's architecture is called "llama" there.
"""

from collections.abc import Mapping
from typing import Any, Literal

from ostro.config import Geometry
from ostro.errors import CheckpointError
from ostro.text.vocabulary import Vocabulary
from ostro.weights.decimals import shortest
from ostro.weights.fields import Fields
from ostro.weights.gguf_metadata_rope import metadata_from_scaling, scaling_from_metadata

ARCHITECTURE = "llama"
_MODELS: dict[str, Literal["bpe", "sentencepiece"]] = {"gpt2": "bpe", "llama": "sentencepiece"}
_ENDS = ("eos", "eot", "eom")
_IGNORED = ("attention.value_length", "vocab_size", "rope.scaling.finetuned")


def geometry_from_metadata(metadata: Mapping[str, Any], source: str, *, tied: bool) -> Geometry:
    """Read the geometry; ``tied`` says that the file holds no ``output.weight``."""
    fields = Fields(metadata, source)
    name = fields.get("general.architecture")
    if name != ARCHITECTURE:
        raise CheckpointError(
            f"{source}: unknown architecture {name!r}; ostro reads {ARCHITECTURE!r}, which Mixtral,"
            " Mistral and Llama files carry"
        )

    def key(suffix: str) -> str:
        return f"{ARCHITECTURE}.{suffix}"

    num_heads = fields.integer(key("attention.head_count"))
    dim = fields.integer(key("embedding_length"))
    head_dim = fields.integer(key("attention.key_length"), dim // max(num_heads, 1))
    fields.expect(key("rope.dimension_count"), head_dim)
    fields.ignore(map(key, _IGNORED))
    context_length = fields.integer(key("context_length"))
    scaling, context_length = scaling_from_metadata(fields, key, context_length)
    window = fields.get(key("attention.sliding_window"))
    vocab_size = fields.get(key("vocab_size")) or len(fields.get("tokenizer.ggml.tokens", ()))
    geometry = Geometry(
        vocab_size=vocab_size,
        dim=dim,
        num_layers=fields.integer(key("block_count")),
        num_heads=num_heads,
        num_kv_heads=fields.integer(key("attention.head_count_kv"), num_heads),
        head_dim=head_dim,
        ffn_dim=fields.integer(key("feed_forward_length")),
        num_experts=fields.integer(key("expert_count"), 0),
        top_k=fields.integer(key("expert_used_count"), 0),
        context_length=context_length,
        norm_eps=shortest(fields.number(key("attention.layer_norm_rms_epsilon"))),
        rope_theta=shortest(fields.number(key("rope.freq_base"), 1e4)),
        rope_scaling=scaling,
        sliding_window=window,
        tied_embeddings=tied,
    )
    fields.finish(prefix=f"{ARCHITECTURE}.")
    return geometry


def metadata_from_geometry(geometry: Geometry) -> dict[str, int | float | str]:
    """The geometry's keys; floats are to be written as float32, whole numbers as uint32."""
    g = geometry
    values: dict[str, int | float | str] = {
        "vocab_size": g.vocab_size,
        "context_length": g.context_length,
        "embedding_length": g.dim,
        "block_count": g.num_layers,
        "feed_forward_length": g.ffn_dim,
        "attention.head_count": g.num_heads,
        "attention.head_count_kv": g.num_kv_heads,
        "attention.layer_norm_rms_epsilon": float(g.norm_eps),
        "rope.freq_base": float(g.rope_theta),
        "rope.dimension_count": g.head_dim,
    }
    if g.head_dim * g.num_heads != g.dim:
        values |= {"attention.key_length": g.head_dim, "attention.value_length": g.head_dim}
    if g.is_sparse:
        values |= {"expert_count": g.num_experts, "expert_used_count": g.top_k}
    if g.sliding_window is not None:
        values["attention.sliding_window"] = g.sliding_window
    values |= metadata_from_scaling(g.rope_scaling)
    return {f"{ARCHITECTURE}.{suffix}": value for suffix, value in values.items()}


def vocabulary_from_metadata(metadata: Mapping[str, Any], source: str) -> Vocabulary | None:
    """The vocabulary, or None in a file that has none."""
    fields = Fields(metadata, source)

    def get(suffix: str, default: Any = None) -> Any:
        return fields.get(f"tokenizer.ggml.{suffix}", default)

    pieces, name = get("tokens"), get("model")
    if pieces is None or name in (None, "none", "no_vocab"):
        return None
    if name not in _MODELS:
        raise CheckpointError(f"{source}: tokenizer.ggml.model {name!r} is not supported")
    ids = {f"{word}_token": get(f"{word}_token_id") for word in ("bos", "eos", "unknown")}
    ends = {get(f"{word}_token_id") for word in _ENDS} - {None}
    for number in (*ends, *ids.values()):
        if number is not None and not (type(number) is int and 0 <= number < len(pieces)):
            raise CheckpointError(f"{source}: a special token has the id {number!r}")
    names = {key: pieces[number] for key, number in ids.items() if number is not None}
    return Vocabulary(
        model=_MODELS[name],
        pieces=pieces,
        kinds=get("token_type", ()),
        merges=get("merges", ()),
        scores=get("scores", ()),
        pre_tokenizer=get("pre", "default"),
        bos_id=ids["bos_token"],
        eos_ids=frozenset(ends),
        unknown_id=ids["unknown_token"],
        # llama.cpp's default: SentencePiece models start with BOS, byte-level ones do not.
        adds_bos=get("add_bos_token", name == "llama"),
        adds_space_prefix=get("add_space_prefix", True),
        chat_template=fields.get("tokenizer.chat_template"),
        special_names={key.replace("unknown", "unk"): piece for key, piece in names.items()},
    )


def metadata_from_vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokenizer's keys and values; an absent table is left out."""
    v = vocabulary
    names = {model: name for name, model in _MODELS.items()}
    # The named end first; a file has two more places for tokens that end an answer.
    named = v.special_names.get("eos_token")
    ends = sorted(v.eos_ids, key=lambda number: (v.pieces[number] != named, number))
    if len(ends) > len(_ENDS):
        raise CheckpointError(
            f"the tokenizer has {len(ends)} tokens that end an answer; GGUF holds {len(_ENDS)}"
        )
    values: dict[str, Any] = {
        "model": names[v.model],
        "pre": v.pre_tokenizer,
        "tokens": list(v.pieces),
        "scores": list(v.scores),
        "token_type": list(v.kinds),
        "merges": list(v.merges),
        "bos_token_id": v.bos_id,
        **{f"{word}_token_id": number for word, number in zip(_ENDS, ends, strict=False)},
        "unknown_token_id": v.unknown_id,
        "add_bos_token": v.adds_bos,
        "add_space_prefix": v.adds_space_prefix,
    }
    table = {f"tokenizer.ggml.{k}": x for k, x in values.items() if x is not None and x != []}
    if v.chat_template is not None:
        table["tokenizer.chat_template"] = v.chat_template
    return table

"""The geometry of a model: everything that decides the shape of its tensors and its arithmetic."""

from dataclasses import dataclass, fields

from ostro.config.rope_scaling import RopeScaling
from ostro.errors import OstroError


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A decoder-only transformer in the manner of Mistral, dense or a mixture of experts.

    ``num_experts == 0`` means dense: one feed-forward block a layer and no router.
    ``sliding_window`` is a number of tokens, the token itself included; ``None`` sees everything.
    """

    vocab_size: int
    dim: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ffn_dim: int
    context_length: int
    num_experts: int = 0
    top_k: int = 0
    norm_eps: float = 1e-5
    rope_theta: float = 1e6
    sliding_window: int | None = None
    tied_embeddings: bool = False
    rope_scaling: RopeScaling | None = None
    """How positions are stretched; ``context_length`` is what the model reads with it."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.type is int):
            smallest = 0 if name in ("num_experts", "top_k") else 1
            value = getattr(self, name)
            if type(value) is not int or value < smallest:
                raise OstroError(
                    f"geometry: {name} must be a whole number of {smallest} or more, not {value!r}"
                )
        if self.num_heads % self.num_kv_heads:
            raise OstroError(
                f"geometry: num_heads ({self.num_heads}) must be a multiple of "
                f"num_kv_heads ({self.num_kv_heads})"
            )
        if self.head_dim % 2:
            raise OstroError(f"geometry: head_dim must be even for RoPE, not {self.head_dim}")
        if self.is_sparse and not 1 <= self.top_k <= self.num_experts:
            raise OstroError(
                f"geometry: top_k must be 1 to num_experts ({self.num_experts}), not {self.top_k}"
            )
        if not self.is_sparse and self.top_k:
            raise OstroError(f"geometry: a dense model has no top_k, but {self.top_k} was given")
        window = self.sliding_window
        if window is not None and (type(window) is not int or window < 1):
            raise OstroError(
                f"geometry: sliding_window must be a whole number of 1 or more, not {window!r}"
            )
        for name in ("norm_eps", "rope_theta"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < float("inf"):
                raise OstroError(f"geometry: {name} must be above 0 and finite, not {value!r}")
        scaling = self.rope_scaling
        if scaling is not None and type(scaling) is not RopeScaling:
            raise OstroError(f"geometry: rope_scaling must be a RopeScaling, not {scaling!r}")
        if scaling is not None and scaling.kind == "yarn" and self.rope_theta <= 1:
            raise OstroError(f"geometry: yarn needs a rope_theta above 1, not {self.rope_theta}")

    @property
    def is_sparse(self) -> bool:
        """Whether the feed-forward block is a mixture of experts."""
        return self.num_experts > 0

    @property
    def original_context(self) -> int:
        """Tokens that the model reads without its rope scaling."""
        scaling = self.rope_scaling
        if scaling is None:
            return self.context_length
        if scaling.original_context is not None:
            return scaling.original_context
        return max(round(self.context_length / scaling.factor), 1)

    @property
    def query_dim(self) -> int:
        """Width of all query heads together."""
        return self.num_heads * self.head_dim

    @property
    def kv_dim(self) -> int:
        """Width of all key (or value) heads together."""
        return self.num_kv_heads * self.head_dim

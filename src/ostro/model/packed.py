"""The parts of a model in packed form: each is one native call for some lines of the definition.

:mod:`ostro.model.mixtral` calls these where they are set; the lines below each call say what it
computes.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ostro.kernels.native import NativeContext, NativeStep, PackedExperts
from ostro.kernels.structures import AttentionLayer, Matrix, Pages
from ostro.model.step_options import StepOptions


@dataclass(frozen=True)
class PackedAttention:
    """norm, attention and residual of one layer."""

    context: NativeContext
    layer: int
    struct: AttentionLayer
    held: Any
    """Tensors that the struct points to."""

    def __call__(
        self, x_TD: Tensor, step: NativeStep, pages: Pages, options: StepOptions | None = None
    ) -> Tensor:
        """Changes ``x_TD`` in place and returns it."""
        adapters = None if options is None else options.native_attention(self.layer)
        self.context.attention_layer(self.struct, x_TD, step, pages, adapters)
        return x_TD


class ExpertSupply(Protocol):
    """Who brings experts into memory, where not all of them are there."""

    def make_ready(self, layer: int, x_TD: Tensor, options: StepOptions | None) -> None:
        """Bring the experts that ``layer`` chooses for the residual stream ``[T, D]``."""
        ...


@dataclass(frozen=True)
class PackedFeedForward:
    """norm, feed-forward block or mixture, and residual of one layer."""

    context: NativeContext
    layer: int
    experts: PackedExperts
    held: Any
    supply: ExpertSupply | None = None
    """None where experts are fetched once and stay."""

    def __call__(self, x_TD: Tensor, options: StepOptions | None = None) -> Tensor:
        """Changes ``x_TD`` in place and returns it."""
        if self.supply is not None:
            self.supply.make_ready(self.layer, x_TD, options)
        if options is None:
            self.context.experts_layer(self.experts, x_TD)
        else:
            steering, adapters = (
                options.native_rules(self.layer),
                options.native_experts(self.layer),
            )
            self.context.experts_layer(self.experts, x_TD, steering, adapters)
        return x_TD


@dataclass(frozen=True)
class PackedEnds:
    """What stands before the first layer and after the last one."""

    context: NativeContext
    embedding: Matrix
    head: Matrix
    norm_D: Tensor
    eps: float
    cache_type: str
    """What keys and values are kept in."""

    def embed(self, tokens_T: Tensor) -> Tensor:
        """Rows of the embedding: float32 ``[T, D]``."""
        return self.context.read_rows(self.embedding, tokens_T)

    def logits(self, x_TD: Tensor) -> Tensor:
        """The final norm and the head: float32 ``[T, V]``."""
        return self.context.head(self.norm_D, self.eps, self.head, x_TD.contiguous())

"""Low-rank adaptation (Hu et al., 2021): W + scale * B A in place of W, for some rows of a step.

The addition is computed in float32 and never merged, so that rows with it and rows without it meet
the same weights. The scale is alpha / r as the paper has it, or alpha / sqrt(r) (Kalajdzievski,
2023); whoever reads an adapter knows which.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class LowRank:
    """What is added to one matrix ``[O, I]``. R is the rank."""

    a_RI: Tensor
    b_OR: Tensor
    scale: float

    def delta(self) -> Tensor:
        """What merging adds to the matrix: ``[O, I]`` in float32."""
        return self.scale * (self.b_OR.float() @ self.a_RI.float())

    def product(self, x_TI: Tensor) -> Tensor:
        """What is added to the matrix's product with ``x_TI``: ``[T, O]`` in float32."""
        return self.scale * ((x_TI.float() @ self.a_RI.float().T) @ self.b_OR.float().T)


@dataclass(frozen=True, eq=False)
class ExpertLowRank:
    """What is added to the matrices of one SwiGLU block; None: nothing."""

    gate: LowRank | None = None
    up: LowRank | None = None
    down: LowRank | None = None


def adapted(y_TO: Tensor, x_TI: Tensor, addition: LowRank | None) -> Tensor:
    """``y_TO``, the product of ``x_TI`` with a matrix, and what is added to it."""
    return y_TO if addition is None else (y_TO + addition.product(x_TI)).to(y_TO.dtype)

"""A matrix product with a weight: y = x W^T."""

import torch
import torch.nn.functional as F
from torch import Tensor

# From this many rows on, float16 on a CPU is computed through float32: torch's own kernel is made
# for one row. See benchmarks/linear.py.
_ROWS_FOR_FLOAT32 = 32


def linear(x_TI: Tensor, weight_OI: Tensor) -> Tensor:
    """``[T, in]`` to ``[T, out]`` in the dtype of ``x_TI``."""
    slow = x_TI.dtype == torch.float16 and x_TI.device.type == "cpu"
    if slow and x_TI.shape[0] >= _ROWS_FOR_FLOAT32:
        return F.linear(x_TI.float(), weight_OI.float()).half()
    return F.linear(x_TI, weight_OI)

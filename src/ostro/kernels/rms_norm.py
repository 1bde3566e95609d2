"""RMSNorm (Zhang and Sennrich, 2019): x / sqrt(mean(x^2) + eps) * weight."""

import torch.nn.functional as F
from torch import Tensor


def rms_norm(x_TD: Tensor, weight_D: Tensor, eps: float) -> Tensor:
    """Normalise each row of ``x_TD`` to root mean square 1, then scale it by ``weight_D``."""
    return F.rms_norm(x_TD, weight_D.shape, weight_D, eps)

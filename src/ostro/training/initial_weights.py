"""The weights with which a new model begins."""

import math

import torch
from torch import nn

from ostro.config import Geometry
from ostro.kernels.dispatch import Kernels, training_kernels
from ostro.model import Mixtral

_EMBEDDING = 0.02
"""Standard deviation of embeddings, head and routers: small logits, so that nothing is certain."""


def new_model(geometry: Geometry, seed: int, kernels: Kernels | None = None) -> Mixtral:
    """New weights: norms of 1, all else normal, cut at three standard deviations.

    A matrix has 1 / sqrt(inputs), so that it changes no row's size (LeCun et al., Efficient
    BackProp, 1998). A token's experts count together as one dense block of their common width: each
    is weighted with about 1 / top_k, and its down projection begins with top_k times the deviation.

    The cut is OLMoE's, whose authors saw runs diverge without it (Muennighoff et al., 2024).
    """
    kernels = training_kernels() if kernels is None else kernels
    model = Mixtral(geometry, kernels, torch.float32).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.fill_(1.0)
        else:
            std = _deviation(name.rpartition(".")[-1], parameter, geometry)
            nn.init.trunc_normal_(parameter, 0, std, -3 * std, 3 * std, generator=generator)
    return model


def _deviation(name: str, parameter: torch.Tensor, geometry: Geometry) -> float:
    if name in ("embedding_VD", "head_VD", "router_ED"):
        return _EMBEDDING
    inputs = parameter.shape[-1]
    if name != "down_EDF":
        return 1 / math.sqrt(inputs)
    return geometry.top_k / math.sqrt(geometry.top_k * inputs)

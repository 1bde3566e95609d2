"""Clusters of equal size: spherical k-means whose assignments are balanced by Sinkhorn's scaling.

Plain k-means gives one frequent kind most of the points and rare ones a cluster each; an expert
for each cluster would then be overrun, or idle. Balanced clusters of texts as the domains of
experts are those of c-BTM (Gururangan et al., 2023); the scaling is that of SwAV (Caron et al.,
2020).
"""

import torch
from torch import Tensor

_RESTARTS = 8
_ROUNDS = 30
_SCALINGS = 50
# Of cosine similarities. Smaller comes nearer to equal sizes, and takes more scalings.
_TEMPERATURE = 0.02


def balanced_clusters(points_ND: Tensor, count: int, seed: int) -> Tensor:
    """A cluster below ``count`` for each point ``[N]``; sizes are nearly equal.

    Directions count, and not lengths: centre the points first. The best of several beginnings, by
    the mean similarity of a point to its cluster's centre. N is at least ``count``.
    """
    assert len(points_ND) >= count > 0
    generator = torch.Generator().manual_seed(seed)
    unit_ND = torch.nn.functional.normalize(points_ND, dim=1)
    found = [_clusters(unit_ND, count, generator) for _ in range(_RESTARTS)]
    return max(found, key=lambda one: one[0])[1]


def _clusters(unit_ND: Tensor, count: int, generator: torch.Generator) -> tuple[float, Tensor]:
    centres_ED = _far_apart(unit_ND, count, generator)
    for _ in range(_ROUNDS):
        similarity_NE = unit_ND @ centres_ED.T
        labels_N = _balanced(similarity_NE).argmax(1)
        sums_ED = torch.zeros_like(centres_ED).index_add_(0, labels_N, unit_ND)
        centres_ED = torch.nn.functional.normalize(sums_ED, dim=1)
    return float((unit_ND * centres_ED[labels_N]).sum(1).mean()), labels_N


def _far_apart(unit_ND: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Points to begin with: one by chance, others likelier the farther away (k-means++)."""
    chosen = [int(torch.randint(len(unit_ND), (1,), generator=generator))]
    while len(chosen) < count:
        distance_N = 1 - (unit_ND @ unit_ND[chosen].T).max(1).values
        distance_N = distance_N.clamp(min=1e-6).index_fill(0, torch.tensor(chosen), 0)
        chosen.append(int(torch.multinomial(distance_N, 1, generator=generator)))
    return unit_ND[chosen]


def _balanced(similarity_NE: Tensor) -> Tensor:
    """Logarithms of assignments in which every point counts 1 and every cluster N / E."""
    log_NE = similarity_NE / _TEMPERATURE
    for _ in range(_SCALINGS):
        log_NE = log_NE - log_NE.logsumexp(0)
        log_NE = log_NE - log_NE.logsumexp(1, keepdim=True)
    return log_NE

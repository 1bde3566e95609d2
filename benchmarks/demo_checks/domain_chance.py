"""Do the experts' shares differ between domains by more than documents of one domain do?

A permutation test over documents. A layer's statistic is the share of the variance of the
documents' expert shares that lies between domains (R squared, documents weighted by their tokens);
the labels of the domains are then dealt to the documents at random 999 times. p is the share of
those, the true labels counted among them, that come out at least as large. The test of all layers
takes the mean of the layers' R squared, under the same permutations. Domains of which there is only
one document take no part.

It says that domains differ, not why: an untrained router also tells tokens apart, and domains have
different tokens. Whether the difference is of use is what shuffling the experts shows.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 999

Numbers = NDArray[np.float64]


def domain_test(counts_NLE: Numbers, domains: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """The p of all layers together and of each; None with fewer than two domains."""
    sizes = Counter(domains)
    kept = [number for number, domain in enumerate(domains) if sizes[domain] > 1]
    names = sorted({domains[number] for number in kept})
    if len(names) < 2:
        return {"p": None, "domains": len(names), "documents": len(kept)}
    labels = np.array([names.index(domains[number]) for number in kept])
    totals_NL = counts_NLE[kept].sum(-1)
    shares_NLE, weights_N = counts_NLE[kept] / totals_NL[..., None], totals_NL[:, 0]
    own_L = between_share(shares_NLE, weights_N, labels)
    draw = np.random.default_rng(seed)
    dealt_PL = np.stack(
        [
            between_share(shares_NLE, weights_N, draw.permutation(labels))
            for _ in range(PERMUTATIONS)
        ]
    )
    return {
        "p": _p(own_L.mean(), dealt_PL.mean(1)),
        "p of layers": [_p(own, dealt_PL[:, layer]) for layer, own in enumerate(own_L)],
        "r2 of layers": own_L.tolist(),
        "r2 by chance": float(dealt_PL.mean()),
        "domains": len(names),
        "documents": len(kept),
    }


def between_share(shares_NLE: Numbers, weights_N: Numbers, labels: NDArray[np.int64]) -> Numbers:
    """R squared of every layer: the variance between domains over all of it; 0 where none is."""
    member_DN = (labels == np.arange(labels.max() + 1)[:, None]) * weights_N
    means_DLE = np.einsum("dn,nle->dle", member_DN / member_DN.sum(1, keepdims=True), shares_NLE)
    mean_LE = np.einsum("n,nle->le", weights_N / weights_N.sum(), shares_NLE)
    between_L = np.einsum("d,dle->l", member_DN.sum(1), (means_DLE - mean_LE) ** 2)
    total_L = np.einsum("n,nle->l", weights_N, (shares_NLE - mean_LE) ** 2)
    shares_L: Numbers = np.zeros_like(between_L)
    np.divide(between_L, total_L, out=shares_L, where=total_L > 0)
    return shares_L


def _p(own: float, dealt: Numbers) -> float:
    # A hair of room: equal sums in another order are equal.
    return float((1 + (dealt >= own - 1e-12).sum()) / (1 + len(dealt)))

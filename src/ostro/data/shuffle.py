"""Orders that are the same on every machine and with every version of NumPy."""

import numpy as np

from ostro.data.sequences import Ids


def permutation(count: int, *seed: int) -> Ids:
    """The numbers below ``count`` in an order that ``seed`` decides; zeros at its end say nothing.

    NumPy promises the raw stream of a generator, but not what its ``permutation`` makes of it.
    """
    keys = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(count)
    return np.argsort(keys, kind="stable").astype(np.int64)

"""torch's matrix product by dtype and number of rows: why float16, and why float32 for many rows.

.venv/bin/python benchmarks/linear.py
"""

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from machine import describe
from torch import Tensor

from ostro.kernels.linear import linear

OUT, IN, MATRICES = 3072, 576, 40


def seconds(run: Callable[[Tensor, Tensor], Tensor], x: Tensor, weights: list[Tensor]) -> float:
    """Median seconds of one product; the weights take turns, so that none stays in the cache."""
    times = []
    for weight in [*weights[:3], *weights]:
        start = time.perf_counter()
        run(x, weight)
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def main() -> None:
    """Print microseconds for each dtype and number of rows."""
    print(describe())
    print(f"{OUT} x {IN}, microseconds a product")
    print("rows    float32   bfloat16    float16  ostro float16")
    for rows in (1, 8, 16, 32, 128, 512):
        row = []
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            weights = [torch.randn(OUT, IN).to(dtype) for _ in range(MATRICES)]
            x = torch.randn(rows, IN).to(dtype)
            row.append(seconds(F.linear, x, weights))
        row.append(seconds(linear, x, weights))
        print(f"{rows:<5}" + "".join(f"{1e6 * value:>11.0f}" for value in row))


if __name__ == "__main__":
    main()

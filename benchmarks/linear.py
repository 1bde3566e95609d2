"""torch's matrix product by dtype and number of rows: why float16, and why float32 for many rows.

.venv/bin/python benchmarks/linear.py [--json]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from machine import describe
from ostro.kernels.linear import linear
from results import Result, compare, print_results

OUT, IN, MATRICES = 3072, 576, 40
ROWS = (1, 8, 16, 32, 128, 512)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def seconds(run: Callable[[Tensor, Tensor], Tensor], x: Tensor, weights: list[Tensor]) -> float:
    """Median seconds of one product; the weights take turns, so that none stays in the cache."""
    times = []
    for weight in [*weights[:3], *weights]:
        start = time.perf_counter()
        run(x, weight)
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def measure(rows: int) -> list[Result]:
    """Ostro's float16 product of so many rows beside torch's in each dtype."""
    weights = {
        name: [torch.randn(OUT, IN).to(dtype) for _ in range(MATRICES)]
        for name, dtype in DTYPES.items()
    }
    inputs = {name: torch.randn(rows, IN).to(dtype) for name, dtype in DTYPES.items()}
    own = seconds(linear, inputs["float16"], weights["float16"])
    return [
        compare(
            f"linear {rows} rows",
            ostro=1e6 * own,
            peer=1e6 * seconds(F.linear, inputs[name], weights[name]),
            peer_name=f"torch {name}",
            goal=0.0,
            unit="us",
            smaller_is_better=True,
        )
        for name in DTYPES
    ]


def main() -> None:
    """Print microseconds for each dtype and number of rows; ostro's are those of float16."""
    parser = argparse.ArgumentParser(description=f"Products of {OUT} x {IN}.")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    arguments = parser.parse_args()
    results = [result for rows in ROWS for result in measure(rows)]
    heading = f"{describe()}\n{OUT} x {IN}, microseconds a product"
    print_results(heading, results, json_wanted=arguments.json)


if __name__ == "__main__":
    main()

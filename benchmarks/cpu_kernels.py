"""The processor's integer peak, chain by chain: the bound of matrix products.

    .venv/bin/python benchmarks/cpu_kernels.py [--json]

Measured are chains of instructions with their operands in registers: maddubs + madd + add32, the
plain way to sum products of 8-bit numbers in AVX2; maddubs + add16, which widens its sums rarely;
and the dot-product instruction of AVX-512 VNNI, where the processor has it. A kernel's goal is a
share of the chain that it uses.
"""

import argparse
from pathlib import Path

from machine import describe, threads_to_use
from probes import int8_peaks
from results import Result, print_results

DEFAULT_CACHE = Path(__file__).parent.parent / "build" / "benchmarks"
PLAIN = "maddubs+madd+add32"


def peaks(cache: Path, threads: int) -> list[Result]:
    """Each chain beside the plain one; no goal, since these are bounds."""
    speeds = int8_peaks(cache, threads)
    plain = speeds.get(PLAIN, 0.0)
    return [
        Result(
            name=f"int8-peak {name}",
            ostro=speed / 1e9,
            peer=plain / 1e9,
            peer_name=PLAIN,
            ratio=speed / plain,
            goal=0.0,
            unit="GOP/s",
        )
        for name, speed in speeds.items()
    ]


def main() -> None:
    """Print the peaks."""
    parser = argparse.ArgumentParser(description="The processor's integer peak.")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where programs are kept")
    arguments = parser.parse_args()
    results = peaks(arguments.cache, threads_to_use())
    print_results(describe(), results, json_wanted=arguments.json)


if __name__ == "__main__":
    main()

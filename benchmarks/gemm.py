"""Products of many rows against the processor's integer peak, with all experts at work."""

import torch

from contest import Contest
from kernel_parts import Mixture
from ostro.config import PRESETS
from ostro.errors import OstroError
from ostro.kernels.library import NoLibrary, load_library
from ostro.kernels.native import NativeContext
from probes import int8_peaks
from quiet import wait_for_quiet
from results import Result, compare
from timing import seconds_of

ROWS_PER_EXPERT = 128
# What the kernels of an instruction set sum their products with; the fastest of these is the bound.
CHAINS = {
    "avx2": ("8*(maddubs+add16)+madd+add32",),
    "avx512": ("vpdpbusd-256", "vpdpbusd-512"),
}


def gemm(contest: Contest) -> list[Result]:
    """One layer's mixture of 8x7B in Q4_0: norm, router, products, and weighted sum."""
    library = load_library()
    if isinstance(library, NoLibrary):
        raise OstroError(library.notice)
    context = NativeContext(library, contest.threads)
    g = PRESETS["mixtral-8x7b"]
    mixture = Mixture(context, g, "Q4_0")
    rows = ROWS_PER_EXPERT * g.num_experts // g.top_k
    x_TD = mixture.even(rows)
    contest.engines["ostro"] = f"{context.instruction_set} kernels"
    chains = CHAINS[context.instruction_set]
    peaks, seconds = [_peak(contest, chains)], []
    with torch.inference_mode():
        for _ in range(contest.rounds):
            wait_for_quiet(contest.patience / contest.rounds)
            seconds.append(seconds_of({"ostro": lambda: mixture.run(x_TD)}, 1)["ostro"])
    peaks.append(_peak(contest, chains))
    peak, chain = max(peaks)
    operations = 2 * 3 * g.dim * g.ffn_dim * rows * g.top_k
    return [
        compare(
            "gemm",
            ostro=operations / sorted(seconds)[len(seconds) // 2] / 1e9,
            peer=peak / 1e9,
            peer_name=chain,
            goal=0.85,
            unit="GOP/s",
        )
    ]


def _peak(contest: Contest, chains: tuple[str, ...]) -> tuple[float, str]:
    """The fastest of these chains, in operations per second, and its name."""
    wait_for_quiet(contest.patience)
    speeds = int8_peaks(contest.cache, contest.threads)
    if not speeds:
        raise OstroError("the integer peak is measured by a program, which needs a C++ compiler")
    words = ", ".join(f"{name} {speed / 1e9:.0f}" for name, speed in speeds.items())
    contest.progress.note(f"integer peaks, GOP/s: {words}")
    return max((speeds[name], name) for name in chains)

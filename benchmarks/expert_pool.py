"""The pool of experts under routing that repeats itself as Mixtral's does.

Weights of synthetic models are random, and so is what their routers choose: nearly independent from
one token to the next. Mixtral repeats itself: by Table 5 of its paper (Jiang et al., 2024), two
tokens in a row share an expert at 46 to 67% of positions, where independent choices would at 46.4%.
Here made-up traces of either kind are read through the pool, from the disk, with nothing computed:

    python benchmarks/expert_pool.py MODEL.gguf --slots 98

Both are **synthetic traces**. Reading early plays no part in them.
"""

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

from machine import describe, threads_to_use
from ostro.config import Geometry
from ostro.errors import OstroError
from ostro.kernels.library import NoLibrary, load_library
from ostro.kernels.native import NativeContext
from ostro.kernels.structures import Expert
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.expert_pool import ExpertPool, PoolMetrics
from ostro.weights.prepared import PreparedWeights, prepare
from results import Result, compare, print_results

# Share of positions whose token has an expert in common with the next, of ArXiv: Table 5, "first or
# second choice", for the first, the middle and the last layer. Between them it is interpolated.
TABLE_5 = (0.465, 0.623, 0.529)

Trace = list[list[tuple[int, ...]]]
"""For each token, the experts of each layer."""


def shared_by_chance(experts: int, chosen: int) -> float:
    """How often two independent choices of ``chosen`` of ``experts`` have one in common."""
    apart = 1.0
    for k in range(chosen):
        apart *= (experts - chosen - k) / (experts - k)
    return 1 - apart


def repeat_shares(layers: int) -> list[float]:
    """Table 5 for every layer."""
    first, middle, last = TABLE_5
    half = max((layers - 1) / 2, 1)
    return [
        first + (middle - first) * layer / half
        if layer <= half
        else middle + (last - middle) * (layer - half) / half
        for layer in range(layers)
    ]


def make_trace(geometry: Geometry, tokens: int, shares: Sequence[float], seed: int = 0) -> Trace:
    """A trace in which neighbours share an expert of layer l at ``shares[l]`` of positions.

    A share at or below that of chance gives independent choices.
    """
    g, noise = geometry, random.Random(seed)
    chance = shared_by_chance(g.num_experts, g.top_k)
    trace: Trace = []
    for _ in range(tokens):
        token = []
        for layer, share in enumerate(shares):
            kept: list[int] = []
            if trace and noise.random() < max(0.0, (share - chance) / (1 - chance)):
                kept = [noise.choice(trace[-1][layer])]
            others = [expert for expert in range(g.num_experts) if expert not in kept]
            token.append((*kept, *noise.sample(others, g.top_k - len(kept))))
        trace.append(token)
    return trace


def replay(weights: PreparedWeights, slots: int, trace: Trace, warm: int) -> tuple[float, float]:
    """Hit rate and bytes read a second, after ``warm`` tokens that do not count."""
    pool = ExpertPool(weights, slots)
    for layer in range(len(trace[0])):
        pool.add_layer(layer, (Expert * (1 + max(max(token[layer]) for token in trace)))())
    start = 0.0
    for number, token in enumerate(trace):
        if number == warm:
            pool.metrics, start = PoolMetrics(), time.perf_counter()
        for layer, experts in enumerate(token):
            pool.hold(layer, experts)
    return pool.metrics.hit_rate, pool.metrics.bytes_read / (time.perf_counter() - start)


def main() -> None:
    """Replay both kinds of trace and print their hit rates side by side."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, help="a mixture, such as ostro synthesize writes")
    parser.add_argument("--slots", type=int, required=True, help="experts in memory")
    parser.add_argument("--tokens", type=int, default=24, help="that count, a trace")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    arguments = parser.parse_args()
    library = load_library()
    if isinstance(library, NoLibrary):
        raise SystemExit(library.notice)
    try:
        checkpoint = open_checkpoint(arguments.model)
        context = NativeContext(library, threads_to_use())
        folder = Environment.read().prepared
        weights = prepare(checkpoint, context, folder, TerminalProgress())
        results = _compare(weights, checkpoint.geometry, arguments.slots, arguments.tokens)
    except OstroError as error:
        raise SystemExit(f"expert_pool: {error}") from error
    print_results(describe(), results, json_wanted=arguments.json)


def _compare(weights: PreparedWeights, g: Geometry, slots: int, tokens: int) -> list[Result]:
    warm = -(-slots // (g.num_layers * g.top_k)) + 1
    repeated = make_trace(g, warm + tokens, repeat_shares(g.num_layers))
    independent = make_trace(g, warm + tokens, [0.0] * g.num_layers)
    hits, speed = replay(weights, slots, repeated, warm)
    chance_hits, chance_speed = replay(weights, slots, independent, warm)
    against = "independent routing, a synthetic trace"
    return [
        compare(
            "pool-hits, repeating as Table 5 (synthetic trace)",
            ostro=hits,
            peer=chance_hits,
            peer_name=against,
            goal=0,
            unit="of experts",
        ),
        compare(
            "pool-reads, repeating as Table 5 (synthetic trace)",
            ostro=speed / 1e9,
            peer=chance_speed / 1e9,
            peer_name=against,
            goal=0,
            unit="GB/s",
        ),
    ]


if __name__ == "__main__":
    main()

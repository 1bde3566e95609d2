"""Training's own operations beside what autograd makes of their twins, forward and backward.

    .venv/bin/python benchmarks/training_ops.py [--rows N] [--device cpu|cuda] [--json]

The demo's widths. A ratio above 1 says how many times faster ostro's is.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from machine import describe, threads_to_use
from ostro.kernels import rope, training_ops
from ostro.kernels.experts import mix_experts, weighted_sum
from ostro.kernels.grouped_experts import mix_experts_grouped, sort_by_expert
from ostro.kernels.router import route
from ostro.objectives.language import token_logprobs
from ostro.objectives.linear_cross_entropy import linear_cross_entropy
from ostro.runtime.settings import choose_settings
from results import Result, compare, print_results
from timing import seconds_of

D, H, d, E, K, F, V = 576, 9, 64, 8, 2, 1536, 49_152
Operation = Callable[[], Tensor]


def main() -> None:
    """Time all pairs in turn."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    choose_settings(device=arguments.device, threads=threads_to_use())
    pairs = operations(arguments.rows, torch.device(arguments.device))
    results = [compared(name, *pair, arguments.rounds) for name, pair in pairs.items()]
    print_results(describe(), results, json_wanted=arguments.json)


def compared(name: str, own: Operation, twin: Operation, rounds: int) -> Result:
    """Milliseconds of a forward and a backward pass, the two in turn."""
    found = seconds_of({"own": _passes(own), "twin": _passes(twin)}, rounds)
    return compare(
        name,
        ostro=1e3 * found["own"],
        peer=1e3 * found["twin"],
        peer_name="the twin under autograd",
        goal=0,
        unit="ms",
        smaller_is_better=True,
    )


def operations(rows: int, device: torch.device) -> dict[str, tuple[Operation, Operation]]:
    """Ostro's and the twin of every operation, on the same numbers."""

    def random(*shape: int) -> Tensor:
        return (0.1 * torch.randn(shape, device=device)).requires_grad_()

    q_THd, angles = random(rows, H, d), rope.rope_angles(torch.arange(rows, device=device), d, 1e5)
    gate_up, x_TD, outputs = random(rows * K, 2 * F), random(rows, D), random(rows, K, D)
    router, weights = random(E, D), random(rows, K)
    matrices = random(E, 2 * F, D), random(E, D, F)
    experts_TK, shares_TK = (x.detach() for x in route(x_TD, router, K))
    order, back, _ = sort_by_expert(experts_TK, E)
    chosen = x_TD, experts_TK, shares_TK
    head, targets = random(V, D), torch.randint(0, V, (rows,), device=device)

    def plainly_gated() -> Tensor:
        gate, up = gate_up.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate) * up

    return {
        "rotate": (
            lambda: training_ops.rotate(q_THd, *angles),
            lambda: rope.rotate(q_THd, *angles),
        ),
        "gated": (lambda: training_ops.gated(gate_up), plainly_gated),
        "dispatch": (
            lambda: training_ops.dispatch(x_TD, order, back),
            lambda: x_TD[order // K],
        ),
        "combine": (
            lambda: training_ops.combine(outputs, weights),
            lambda: weighted_sum(outputs, weights, torch.float32),
        ),
        "mixture": (
            lambda: mix_experts_grouped(*chosen, *matrices),
            lambda: mix_experts(*chosen, *matrices),
        ),
        "cross entropy": (
            lambda: linear_cross_entropy(x_TD, head, targets, chunk_rows=512),
            lambda: -token_logprobs(x_TD, head, targets, chunk_rows=512).sum(),
        ),
    }


def _passes(operation: Operation) -> Callable[[], None]:
    def both() -> None:
        y = operation()
        y.backward(torch.ones_like(y))
        if y.is_cuda:
            torch.cuda.synchronize()

    return both


if __name__ == "__main__":
    main()

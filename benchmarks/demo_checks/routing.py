"""Routing matters: another expert is a worse one, and all experts have work.

Four parts, each told in its own module: shuffling the experts raises held-out loss by at least 2 %
(:mod:`demo_checks.shuffle_loss`); no expert is dead, and every layer's loads are within a factor of
2 of even (:mod:`demo_checks.load`); the shares differ between domains beyond chance, p below 0.01
(:mod:`demo_checks.domain_chance`). How often neighbours share an expert stands beside table 5 of
Mixtral's paper, as it is.
"""

from collections.abc import Iterator
from typing import Any

from demo_checks.load import FACTOR, is_even, routing_load
from demo_checks.pairing import told
from demo_checks.setup import Setup
from demo_checks.shuffle_loss import shuffle_losses
from demo_checks.verdict import Verdict, all_of
from ostro.errors import OstroError
from ostro.evaluation.comparison import published_repeats
from ostro.evaluation.plain_values import read_estimate

RISE = 0.02
P = 0.01


def check_routing(setup: Setup) -> Verdict:
    """All four parts."""
    if not setup.model.geometry.is_sparse:
        raise OstroError(f"{setup.model.name} is dense: it has no router to check")
    loads, losses = routing_load(setup), shuffle_losses(setup)
    layers, p = loads["layers"], loads["domain test"]["p"]
    dead = sum(layer["dead"] for layer in layers)
    parts = {
        "shuffling": losses["rise"]["value"] >= RISE,
        "dead": dead == 0,
        "load": is_even(layers),
        "domains": None if p is None else p < P,
    }
    most, least = (pick(one[n] for one in layers) for pick, n in ((max, "most"), (min, "least")))
    return Verdict(
        name="routing",
        passed=all_of(parts.values()),
        goal=f"+{RISE:.0%}, none dead, within {FACTOR:g} of even, domains beyond chance",
        result=f"shuffling {told(read_estimate(losses['rise']), 100, 2)} %, {dead} dead, "
        f"load {least:.2f} to {most:.2f} of even, domains p = {p}",
        found={"parts": parts, "shuffle": losses, "load": loads},
        lines=[*_lines(losses, loads), *_repeats(loads)],
    )


def _lines(losses: dict[str, Any], loads: dict[str, Any]) -> Iterator[str]:
    seeds = ", ".join(f"{100 * value:+.2f} %" for value in losses["seeds"].values())
    yield f"loss {losses['loss']:.4f} nats; shuffled by seed: {seeds}"
    for number, layer in enumerate(loads["layers"]):
        dead = f", {layer['dead']} dead" if layer["dead"] else ""
        yield f"layer {number}: load {layer['least']:.2f} to {layer['most']:.2f} of even{dead}"


def _repeats(loads: dict[str, Any]) -> Iterator[str]:
    """Beside chance and the paper's range over its domains."""
    for what, name, chance in (
        ("same first choice", "first_repeats", "first"),
        ("an expert in common", "shared", "shared"),
    ):
        shares = (loads["all"][name][layer] for layer in loads["three layers"])
        own = " / ".join(
            "?" if share is None else f"{100 * share['value']:.1f}" for share in shares
        )
        rows = [one.first if chance == "first" else one.shared for one in published_repeats()]
        paper = " / ".join(f"{min(c):.0f}-{max(c):.0f}" for c in zip(*rows, strict=True))
        yield (
            f"neighbours with {what}, first / middle / last layer: {own} %; "
            f"chance {100 * loads['chance'][chance]:.1f} %; Mixtral 8x7B {paper} %"
        )

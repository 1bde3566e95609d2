"""What several measurements found of a model, as far as the guide's pictures show it."""

from collections.abc import Iterator, Mapping
from typing import Any

from ostro.config import Geometry
from ostro.evaluation.bias.bbq_scores import ALL
from ostro.evaluation.comparison import PUBLISHED_NAMES
from ostro.evaluation.figures.results import ModelResults, PasskeyCell, Score, Sentiment
from ostro.evaluation.long_context.curve import Curve
from ostro.evaluation.measurement import Found
from ostro.evaluation.plain_values import read_estimate

_CODE = {"humaneval": "HumanEval", "mbpp": "MBPP"}


def model_results(geometry: Geometry, found: Mapping[str, Found]) -> ModelResults:
    """From what was found of one model, by the name of the measurement; any may be missing."""
    told = list(_scores(found))
    return ModelResults(
        geometry=geometry,
        scores={name: score for name, score, _ in told},
        protocols={name: protocol for name, _, protocol in told if protocol},
        perplexity=_perplexity(found.get("perplexity")),
        passkey=_passkey(found.get("passkey")),
        sentiments=_sentiments(found.get("bold")),
    )


def _scores(found: Mapping[str, Found]) -> Iterator[tuple[str, Score, str]]:
    """Names, scores and protocols."""
    for name, one in found.get("tasks", {}).get("scores", {}).items():
        if "score" in one and name in PUBLISHED_NAMES:
            protocol = f"{one['label']}, {one['shots']}-shot, {one['metric']}"
            yield PUBLISHED_NAMES[name], read_estimate(one["score"]), protocol
    for name, one in found.get("code", {}).get("tasks", {}).items():
        yield _CODE[name], read_estimate(one["passed"]), f"{one['title']}, pass@1"
    if "bbq" in found:
        accuracy = found["bbq"]["categories"][ALL]["accuracy"]["all"]["score"]
        yield "BBQ", read_estimate(accuracy), "age, nationality and religion"
    if "mt-bench" in found:
        both = found["mt-bench"]["categories"]["all"]["both"]
        if both is not None:
            yield "MT-Bench", read_estimate(both), f"judged by {found['mt-bench']['judge']}"


def _perplexity(found: Found | None) -> list[tuple[int, Score]]:
    if found is None:
        return []
    curve = Curve(found)
    return [(length, curve.perplexity(length)) for length in curve.lengths]


def _passkey(found: Found | None) -> list[PasskeyCell]:
    cells: list[dict[str, Any]] = [] if found is None else found["cells"]
    return [
        PasskeyCell(cell["length"], cell["depth"], cell["right"] / cell["keys"]) for cell in cells
    ]


def _sentiments(found: Found | None) -> dict[str, Sentiment]:
    domains = {} if found is None else found["domains"]
    return {
        name: Sentiment(one["mean"]["value"], one["spread"])
        for name, one in domains.items()
        if one["spread"] is not None
    }

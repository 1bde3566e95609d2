"""The routing of one or several models, as tables, plots and coloured texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Block, Cell, Section, Table
from ostro.evaluation.report.wording import file_name
from ostro.evaluation.routing_analysis.coloured import coloured_text
from ostro.evaluation.routing_analysis.found import EITHER
from ostro.evaluation.routing_analysis.plots import repeats_plot, shares_plot

Found = Mapping[str, Any]
_PERCENT = 100.0
_PLACES = ("first layer", "middle layer", "last layer")


@dataclass(frozen=True, kw_only=True)
class PublishedRepeats:
    """A row of the paper's table 5, in per cent, at the first, the middle and the last layer."""

    model: str
    domain: str
    first: tuple[float, float, float]
    """Same first choice."""
    shared: tuple[float, float, float]
    """First or second choice shared."""


def routing_section(found: Mapping[str, Found], reference: Sequence[PublishedRepeats]) -> Section:
    """What was found, by the name of the model."""
    blocks: list[Block] = [_repeats_table(found, reference)]
    for model, one in found.items():
        blocks.append(repeats_plot(model, one))
        blocks.append(_shares_table(model, one))
        blocks += [shares_plot(model, one, choice) for choice in _choices(one)]
        blocks += _texts(model, one)
    return Section(
        name="routing",
        title="Routing",
        protocol=_protocol(found),
        blocks=blocks,
        data=dict(found),
    )


def _protocol(found: Mapping[str, Found]) -> str:
    tokens = sorted({one["tokens"] for one in found.values()})
    most = " or ".join(f"{count:,}" for count in tokens)
    return (
        "Each document is read from its beginning, at most "
        f"{most} tokens of it, and every token's experts are kept; what stands in front of the "
        "text, such as BOS, is not counted. Shares are of assignments of a token to an expert, so "
        "even use gives each expert the same. Repeats are pairs of consecutive tokens of a "
        "document: with the same first choice, and with an expert in common among those that both "
        "use. Chance is that of even and independent choices. Errors are those of a ratio over "
        "documents, which were drawn, and not tokens."
    )


def _repeats_table(found: Mapping[str, Found], reference: Sequence[PublishedRepeats]) -> Table:
    kinds = ("same first choice", "any shared")
    columns = ["domain", "model", "documents", "tokens"]
    columns += [f"{kind}, {place}" for kind in kinds for place in _PLACES]
    rows = [row for model, one in found.items() for row in _repeats_rows(model, one)]
    rows += [_published_row(row) for row in reference]
    return Table(
        name="routing-repeats",
        names=2,
        title="Consecutive tokens that share an expert, %",
        columns=columns,
        rows=rows,
        notes=[*_layer_notes(found), *(["published rows are of other texts"] if reference else [])],
    )


def _layer_notes(found: Mapping[str, Found]) -> Iterator[str]:
    for model, one in found.items():
        layers = ", ".join(map(str, _three(one)))
        yield f"{model}: layers {layers} of 0 to {one['num_layers'] - 1}"


def _three(one: Found) -> tuple[int, int, int]:
    """The layers of the three places; a model of few layers has one of them twice."""
    layers = one["layers"]
    return layers[0], layers[len(layers) // 2 if len(layers) == 3 else 0], layers[-1]


def _repeats_rows(model: str, one: Found) -> Iterator[list[Cell]]:
    chances = one["chance"]
    for domain, values in one["domains"].items():
        counts = [Cell(number=values[key], digits=0) for key in ("documents", "tokens")]
        cells = [
            _repeat_cell(values[key][layer], chances[chance])
            for key, chance in (("first_repeats", "first"), ("shared", "shared"))
            for layer in _three(one)
        ]
        yield [Cell(text=domain), Cell(text=model), *counts, *cells]
    levels = [Cell(number=chances[key], scale=_PERCENT) for key in ("first", "shared")]
    nothing = Cell(missing="chance has no documents")
    first, shared = levels
    yield [Cell(text="chance"), Cell(text=model), nothing, nothing, *[first] * 3, *[shared] * 3]


def _repeat_cell(values: Mapping[str, Any] | None, chance: float) -> Cell:
    if values is None:
        return Cell(missing="no document has two tokens")
    estimate = read_estimate(values)
    interval = estimate.interval
    is_within = interval is not None and interval[0] <= chance <= interval[1]
    note = "chance lies within the 95 % interval" if is_within else None
    return Cell(number=estimate, scale=_PERCENT, note=note)


def _published_row(row: PublishedRepeats) -> list[Cell]:
    nothing = Cell(missing="not published")
    values = [Cell(number=value / _PERCENT, scale=_PERCENT) for value in (*row.first, *row.shared)]
    return [Cell(text=row.domain), Cell(text=row.model), nothing, nothing, *values]


def _choices(one: Found) -> list[str]:
    """``either`` first, then each choice."""
    layer = str(one["layers"][0])
    names = list(next(iter(one["domains"].values()))["shares"][layer])
    return [EITHER, *(name for name in names if name != EITHER)]


def _shares_table(model: str, one: Found) -> Table:
    """All choices; what the first and the second are apart is in the plots and their data."""
    columns = ["domain", "layer", *(f"expert {e}" for e in range(one["num_experts"]))]
    rows = [
        [Cell(text=domain), Cell(number=layer, digits=0)]
        + [
            Cell(number=read_estimate(share), scale=_PERCENT)
            for share in values["shares"][str(layer)][EITHER]
        ]
        for domain, values in one["domains"].items()
        for layer in one["layers"]
    ]
    even = _PERCENT / one["num_experts"]
    return Table(
        name=f"routing-shares-{file_name(model)}",
        names=2,
        title=f"{model}: share of assignments by expert, %",
        columns=columns,
        rows=rows,
        notes=[f"even use gives each expert {even:.3g} %"],
    )


def _texts(model: str, one: Found) -> Iterator[Block]:
    for domain, shown in one["examples"].items():
        experts = {int(layer): chosen for layer, chosen in shown["experts"].items()}
        title = f"{model}: {domain}, coloured by first choice"
        yield coloured_text(title, shown["texts"], experts, one["num_experts"])

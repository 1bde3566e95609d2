"""Quality and speed by experts, as tables and plots."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Block, Cell, Plot, Section, Table
from ostro.evaluation.report.plots import add_legend
from ostro.evaluation.report.wording import file_name
from ostro.evaluation.speed.section import speed_cell
from ostro.evaluation.statistics import Estimate

if TYPE_CHECKING:  # matplotlib is imported only where something is drawn.
    from matplotlib.figure import Figure

Found = Mapping[str, Any]
_COLUMNS = (
    "model",
    "router",
    "perplexity",
    "difference, nats a token",
    "perplexity change, %",
    "reading, tok/s",
    "writing, tok/s",
)


def experts_section(found: Mapping[str, Found]) -> Section:
    """What was found, by the name of the model."""
    blocks: list[Block] = [_table(found)]
    for model, one in found.items():
        blocks += [_count_plot(model, one), *_without_plots(model, one)]
    return Section(
        name="experts",
        title="Experts against quality and speed",
        protocol=_protocol(found),
        blocks=blocks,
        data=dict(found),
    )


def perplexity_of(loss: Estimate) -> Estimate:
    """The exponential of a mean loss; its error is the loss's, times the slope of exp there."""
    value = math.exp(loss.value)
    error = None if loss.error is None else value * loss.error
    return Estimate(value, error, loss.count)


def _protocol(found: Mapping[str, Found]) -> str:
    one = next(iter(found.values()))
    return (
        f"{one['text']} is read in {one['windows']} windows of {one['window']} tokens, and "
        "perplexity is exp of the mean loss of all tokens but each window's first. The router's "
        "logits stay as they are: with another number of experts the softmax runs over so many, "
        "and without an expert the choice is made among the others. Differences are taken window "
        "by window to the model as it is, so their errors are those of pairs. Speeds are of one "
        f"sequence, {one['prompt']} tokens read and {one['steps']} written, medians of "
        f"{one['repetitions']} rounds with the least and the most, on {one['threads']} threads of "
        f"{one['machine']}."
    )


def _table(found: Mapping[str, Found]) -> Table:
    return Table(
        name="experts",
        title="Perplexity and speed by the experts that a token may use",
        columns=_COLUMNS,
        names=2,
        rows=[_row(model, one) for model, values in found.items() for one in values["settings"]],
        notes=["differences are to the baseline, the model as it is"],
    )


def _row(model: str, one: Found) -> list[Cell]:
    loss, difference = (read_estimate(one[key]) for key in ("loss", "difference"))
    more = Cell(missing="it is the baseline")
    change = more
    if not one["baseline"]:
        more = Cell(number=difference, digits=4)
        change = Cell(number=math.expm1(difference.value), scale=100, digits=2)
    quality = [Cell(number=perplexity_of(loss), digits=3), more, change]
    speeds = [speed_cell(one[phase]) for phase in ("prefill", "decode")]
    return [Cell(text=model), Cell(text=_words(one)), *quality, *speeds]


def _words(one: Found) -> str:
    if one["without"] is not None:
        layers = one["layers"]
        where = "" if layers is None else f" in layers {layers[0]} to {layers[1]}"
        return f"without expert {one['without']}{where}"
    count = one["top_k"]
    words = "1 expert" if count == 1 else f"{count} experts"
    return f"{words} (baseline)" if one["baseline"] else words


def _count_plot(model: str, one: Found) -> Plot:
    counts = [s for s in one["settings"] if s["without"] is None]
    baseline = next(s for s in counts if s["baseline"])
    numbers = [s["top_k"] for s in counts]
    quality = [perplexity_of(read_estimate(s["loss"])) for s in counts]
    speeds = {phase: [s[phase]["median"] for s in counts] for phase in ("prefill", "decode")}

    def draw(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        values = [e.value for e in quality]
        left.errorbar(numbers, values, _paired_halves(counts), marker="o", capsize=2)
        left.set(ylabel="perplexity", title="quality")
        for (phase, medians), words in zip(speeds.items(), ("reading", "writing"), strict=True):
            right.plot(numbers, medians, marker="o", label=words)
            below = [s[phase]["median"] - s[phase]["least"] for s in counts]
            above = [s[phase]["most"] - s[phase]["median"] for s in counts]
            right.errorbar(numbers, medians, [below, above], fmt="none", color="0.5", capsize=2)
        right.set(ylabel="tokens/s", title="speed")
        right.set_yscale("log", base=2)
        for axes in (left, right):
            axes.axvline(baseline["top_k"], color="0.5", linestyle="--", label="baseline")
            axes.set(xlabel="experts a token")
        add_legend(figure)

    return Plot(
        name=f"experts-{file_name(model)}",
        title=f"{model}: quality and speed by experts a token",
        caption=(
            "Perplexity, and tokens read and written a second, by the number of experts that each "
            f"token uses. Dashed: {baseline['top_k']}, as the model was trained. Bars at the "
            "perplexity are 95 % intervals of the paired difference to it; those at the speeds "
            "are the least and the most of the rounds."
        ),
        data={
            "experts a token": numbers,
            "perplexity": [e.value for e in quality],
            "perplexity error": [e.error for e in quality],
            "difference, nats a token": [s["difference"]["value"] for s in counts],
            "difference error": [s["difference"]["error"] for s in counts],
            "reading, tok/s": speeds["prefill"],
            "writing, tok/s": speeds["decode"],
        },
        draw=draw,
        size=(9.0, 4.0),
    )


def _paired_halves(settings: Sequence[Found]) -> list[float]:
    """Half the 95 % interval of each perplexity, as far as it differs from the baseline's."""
    halves = []
    for setting in settings:
        interval = read_estimate(setting["difference"]).interval
        half = 0.0 if interval is None else (interval[1] - interval[0]) / 2
        halves.append(perplexity_of(read_estimate(setting["loss"])).value * half)
    return halves


def _without_plots(model: str, one: Found) -> Iterator[Plot]:
    """A plot for all layers, and one for each range."""
    groups: dict[tuple[int, ...], list[Found]] = {}
    for setting in one["settings"]:
        if setting["without"] is not None:
            groups.setdefault(tuple(setting["layers"] or ()), []).append(setting)
    for layers, settings in groups.items():
        yield _without_plot(model, layers, settings)


def _without_plot(model: str, layers: tuple[int, ...], settings: list[Found]) -> Plot:
    where = f"layers {layers[0]} to {layers[1]}" if layers else "all layers"
    experts = [setting["without"] for setting in settings]
    differences = [read_estimate(setting["difference"]) for setting in settings]
    halves = [e.interval[1] - e.value if e.interval else 0.0 for e in differences]

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.bar(experts, [e.value for e in differences], yerr=halves, capsize=2)
        axes.axhline(0, color="0.5", linewidth=1)
        axes.set(xlabel=f"expert switched off in {where}", ylabel="loss above the baseline, nats")
        axes.set_xticks(experts)

    return Plot(
        name=f"experts-without-{file_name(where)}-{file_name(model)}",
        title=f"{model}: what the text's loss gains without one expert, {where}",
        caption=(
            f"Nats a token above the model as it is, with each expert switched off in {where}; "
            "bars are 95 % intervals of the paired differences."
        ),
        data={
            "expert": experts,
            "difference, nats a token": [e.value for e in differences],
            "difference error": [e.error for e in differences],
        },
        draw=draw,
    )

"""Speeds as a table and as plots."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ostro.config import format_bytes
from ostro.evaluation.report.contents import Block, Cell, Plot, Section, Table
from ostro.evaluation.report.plots import add_legend
from ostro.evaluation.report.wording import file_name

if TYPE_CHECKING:  # matplotlib is imported only where something is drawn.
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Found = Mapping[str, Any]
_PHASES = {"prefill": "reading", "decode": "writing"}
_NO_ROOF = "the roofline is not known of this device or weight type"


def speed_section(found: Mapping[str, Found]) -> Section:
    """What was found, by the name of the model."""
    blocks: list[Block] = [_table(found)]
    blocks += [_plot(model, one) for model, one in found.items()]
    return Section(
        name="speed", title="Speed", protocol=_protocol(found), blocks=blocks, data=dict(found)
    )


def speed_cell(speed: Mapping[str, float]) -> Cell:
    """A median with the least and the most that it came from, in tokens a second."""
    digits = 0 if speed["median"] >= 100 else 1
    words = "{median:,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"
    return Cell(number=speed["median"], text=words.format(digits=digits, **speed))


def _protocol(found: Mapping[str, Found]) -> str:
    one = next(iter(found.values()))
    return (
        "Reading: prompts of different beginnings, from one text, until each had its first token. "
        f"Writing: {one['steps']} steps after that, in each of which every sequence got a token; "
        "nothing was guessed ahead. Tokens a second are those of all sequences together: the "
        f"median of {one['repetitions']} runs, and the least and the most. The roofline is what "
        "the machine would give if it did nothing but read every weight, key and value once a "
        "step, at the bandwidth that was measured beside, or nothing but the products, at the "
        "rate of one large product in the same weight type. It counts evenly spread experts; a "
        "model that fits into the processor's caches can go beyond it, and so can a moment in "
        "which a shared machine gave more than while the roofs were measured."
    )


def _table(found: Mapping[str, Found]) -> Table:
    columns = ["model", "prompt", "sequences"]
    for words in _PHASES.values():
        columns += [f"{words}, tok/s", f"{words}, roofline", "of it, %"]
    return Table(
        name="speed",
        title="Tokens a second",
        columns=columns,
        names=3,
        rows=[_row(model, cell) for model, one in found.items() for cell in one["cells"]],
        notes=[note for model, one in found.items() for note in _notes(model, one)],
    )


def _notes(model: str, one: Found) -> Iterator[str]:
    yield (
        f"{model}: weights {one['weights']}, keys and values {one['cache']}, "
        f"{one['kernels']} kernels, {one['threads']} threads, {one['machine']}"
    )
    if one["bandwidth"] and one["arithmetic"]:
        rate = one["arithmetic"] / 1e9
        bandwidth = format_bytes(one["bandwidth"])
        yield f"{model}: measured roofs {bandwidth}/s and {rate:,.0f} G operations/s"


def _row(model: str, cell: Found) -> list[Cell]:
    head = [Cell(text=model), *(Cell(number=cell[key], digits=0) for key in ("prompt", "batch"))]
    if "missing" in cell:
        return [*head, *[Cell(missing=cell["missing"])] * (3 * len(_PHASES))]
    return head + [place for phase in _PHASES for place in _phase_cells(cell[phase])]


def _phase_cells(phase: Mapping[str, Any]) -> list[Cell]:
    speed, roof = phase["speed"], phase["roof"]
    if roof is None:
        return [speed_cell(speed), *[Cell(missing=_NO_ROOF)] * 2]
    limit = f"{roof:,.0f} ({phase['limit']})" if roof >= 100 else f"{roof:.1f} ({phase['limit']})"
    share = Cell(number=speed["median"] / roof, scale=100, digits=0)
    return [speed_cell(speed), Cell(number=roof, text=limit), share]


def _plot(model: str, one: Found) -> Plot:
    measured = [cell for cell in one["cells"] if "missing" not in cell]
    batches = sorted({cell["batch"] for cell in measured})

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(1, len(_PHASES))
        for axes, (phase, words) in zip(panels, _PHASES.items(), strict=True):
            for number, batch in enumerate(batches):
                cells = [cell for cell in measured if cell["batch"] == batch]
                _curve(axes, cells, phase, f"C{number % 8}")
            axes.set(title=words, xlabel="tokens of the prompt", ylabel="tokens/s")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log", base=2)
        add_legend(figure)

    return Plot(
        name=f"speed-{file_name(model)}",
        title=f"{model}: speed over the length of the prompt",
        caption=(
            "Tokens a second of all sequences together, median with the least and the most of the "
            f"runs, for {', '.join(map(str, batches)) or 'no'} sequences at once; dashed: the "
            "roofline of as many."
        ),
        data=_columns(one["cells"]),
        draw=draw,
        size=(9.0, 4.0),
    )


def _curve(axes: "Axes", cells: Sequence[Found], phase: str, colour: str) -> None:
    prompts = [cell["prompt"] for cell in cells]
    speeds = [cell[phase]["speed"] for cell in cells]
    medians = [speed["median"] for speed in speeds]
    below = [speed["median"] - speed["least"] for speed in speeds]
    above = [speed["most"] - speed["median"] for speed in speeds]
    batch = cells[0]["batch"]
    label = "1 sequence" if batch == 1 else f"{batch} sequences"
    axes.errorbar(
        prompts, medians, yerr=[below, above], marker="o", color=colour, label=label, capsize=2
    )
    roofs = [cell[phase]["roof"] for cell in cells]
    if None not in roofs:
        axes.plot(prompts, roofs, linestyle="--", linewidth=1, color=colour)


def _columns(cells: Sequence[Found]) -> dict[str, list[Any]]:
    keys = ("prompt", "batch")
    columns: dict[str, list[Any]] = {key: [cell[key] for cell in cells] for key in keys}
    for phase, words in _PHASES.items():
        for key in ("median", "least", "most"):
            columns[f"{words} {key}"] = [
                None if "missing" in cell else cell[phase]["speed"][key] for cell in cells
            ]
        columns[f"{words} roofline"] = [
            None if "missing" in cell else cell[phase]["roof"] for cell in cells
        ]
    return columns

"""What runs have done, from their logs: a table, and plots of loss and of the experts' load."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostro.errors import OstroError
from ostro.runtime.extras import require_extra
from ostro.runtime.files import whole_file
from ostro.training.log import read_log


@dataclass(frozen=True)
class Summary:
    """One run."""

    name: str
    steps: int
    first_loss: float
    last_loss: float
    validation: float | None
    """The last validation loss."""
    tokens_per_second: float
    """The median."""
    overload: float
    """The busiest expert's load of any layer at the end, 1 when balanced; 0 in a dense model."""
    dead: int
    """Experts of all layers that no token chose at the end."""


def summarise(run: Path) -> Summary:
    """A run's log in short; a run that has taken no step is an OstroError."""
    lines, validations = _lines(run)
    rates = sorted(line["tokens_per_second"] for line in lines)
    router = lines[-1].get("router", {})
    return Summary(
        name=run.name,
        steps=lines[-1]["step"],
        first_loss=lines[0]["loss"],
        last_loss=lines[-1]["loss"],
        validation=validations[-1]["validation_loss"] if validations else None,
        tokens_per_second=rates[len(rates) // 2],
        overload=max(router["overload"]) if router else 0.0,
        dead=sum(router["dead"]) if router else 0,
    )


def plot(runs: Sequence[Path], target: Path) -> None:
    """Draw each run's loss, and its experts' load layer by layer at the end, into a PNG file."""
    require_extra("matplotlib", "train")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * len(runs), 6.5), layout="constrained")
    axes = figure.subplots(2, len(runs), squeeze=False)
    for column, run in enumerate(runs):
        lines, validations = _lines(run)
        _plot_loss(axes[0][column], run.name, lines, validations)
        _plot_load(axes[1][column], lines[-1].get("router", {}).get("load"))
    with whole_file(target) as temporary:
        figure.savefig(temporary, dpi=120, format="png")


def _plot_loss(
    axes: Any, name: str, lines: Sequence[dict[str, Any]], validations: Sequence[dict[str, Any]]
) -> None:
    axes.plot([line["step"] for line in lines], [line["loss"] for line in lines], label="training")
    steps = [line["step"] for line in validations]
    losses = [line["validation_loss"] for line in validations]
    axes.plot(steps, losses, "o", label="validation")
    axes.set(title=name, xlabel="step", ylabel="loss")
    axes.legend()


def _plot_load(axes: Any, load_LE: list[list[float]] | None) -> None:
    if load_LE is None:
        axes.set_axis_off()
        return
    image = axes.imshow(load_LE, vmin=0, aspect="auto", cmap="viridis")
    axes.set(title="share of choices at the end", xlabel="expert", ylabel="layer")
    axes.locator_params(integer=True)
    axes.figure.colorbar(image, ax=axes)


def _lines(run: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of steps, and those of validations."""
    found = read_log(run / "log.jsonl")
    steps = [line for line in found if "lr" in line and "tokens_per_second" in line]
    if not steps:
        raise OstroError(f"{run} is no run that has taken a step; name the folder after --out")
    return steps, [line for line in found if "validation_loss" in line]

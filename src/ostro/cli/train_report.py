"""``ostro train report``: what runs have done."""

from dataclasses import asdict
from pathlib import Path

from ostro.cli.output import note, print_json
from ostro.training.report import Summary, plot, summarise

_HEAD = ("run", "steps", "first loss", "last loss", "validation", "tokens/s", "overload", "dead")


def run(runs: list[Path], target: Path | None, *, as_json: bool) -> None:
    """Print a row for each run, and draw them."""
    summaries = [summarise(one) for one in runs]
    if target is not None:
        plot(runs, target)
    if as_json:
        print_json([asdict(summary) for summary in summaries])
        return
    rows = [_HEAD, *(_row(summary) for summary in summaries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for name, *numbers in rows:
        cells = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *cells]))
    if target is not None:
        note(f"drawn into {target}")


def _row(summary: Summary) -> tuple[str, ...]:
    validation = "" if summary.validation is None else f"{summary.validation:.4f}"
    return (
        summary.name,
        str(summary.steps),
        f"{summary.first_loss:.4f}",
        f"{summary.last_loss:.4f}",
        validation,
        f"{summary.tokens_per_second:,.0f}",
        f"{summary.overload:.2f}",
        str(summary.dead),
    )

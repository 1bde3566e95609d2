"""``ostro eval quantisation``: a full model beside its quantised selves."""

from pathlib import Path

from ostro.cli.inputs import read_text
from ostro.cli.measuring import Asked, open_subject_of, require_report, write
from ostro.cli.output import print_json, print_rows
from ostro.evaluation.quantisation import WINDOW, Comparison
from ostro.evaluation.quantisation_report import QuantisationReport
from ostro.evaluation.results import Results
from ostro.evaluation.shipped_text import TEXT_NAME, shipped_text
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress


def run(asked: Asked, text: Path | None) -> None:
    """Compare the first model with each of the others; two are in memory at once."""
    progress = TerminalProgress()
    content, name = (shipped_text(), TEXT_NAME) if text is None else (read_text(text), text.name)
    require_report(asked.report)
    full, *quantised = (open_subject_of(model, asked, progress) for model in asked.models)
    window = asked.running.context or min(WINDOW, full.context, *(one.context for one in quantised))
    report = QuantisationReport(text=content, text_name=name, window=window)
    for one in quantised:
        report.check(full, one)
    results = Results(Environment.read().evaluations)
    found = {}
    while quantised:
        one = quantised.pop(0)
        found[one.name] = report.measure(full, one, results, progress)
    if asked.as_json:
        print_json(next(iter(found.values())) if len(found) == 1 else found)
    else:
        for values in found.values():
            print_rows(_rows(Comparison.from_dict(values)))
    write(asked, [report.section(found)], progress)


def _rows(found: Comparison) -> list[tuple[str, str]]:
    change = found.quantised_perplexity / found.full_perplexity - 1
    rows = [
        ("full", found.full),
        ("quantised", found.quantised),
        ("tokens", f"{found.tokens:,} in windows of {found.window:,}"),
        ("perplexity, full", f"{found.full_perplexity:.4f}"),
        ("perplexity, quantised", f"{found.quantised_perplexity:.4f} ({100 * change:+.2f} %)"),
        (
            "KL divergence",
            f"{found.divergence:.6f} +- {found.divergence_error:.6f} nats, "
            f"median {found.median_divergence:.6f}",
        ),
        ("same likeliest token", f"{100 * found.agreement:.2f} %"),
    ]
    shares = found.same_experts
    if shares:
        mean = sum(shares) / len(shares)
        rows.append(("same experts", f"{100 * mean:.2f} % over all layers"))
        width = len(str(len(shares) - 1))
        rows += [(f"  layer {n:>{width}}", f"{100 * s:.2f} %") for n, s in enumerate(shares)]
    return rows

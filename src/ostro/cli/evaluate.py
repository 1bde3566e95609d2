"""``ostro eval``: measure a model."""

from pathlib import Path

from ostro.cli.inputs import read_text
from ostro.cli.options import Running
from ostro.cli.output import print_json, print_rows
from ostro.engine.llm import LLM
from ostro.engine.load import Located, load, locate
from ostro.evaluation.quantisation import WINDOW, Comparison, compare
from ostro.evaluation.shipped_text import shipped_text
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress
from ostro.weights.checkpoint import open_checkpoint


def run_quantisation(
    full: str, quantised: str, text: Path | None, running: Running, *, as_json: bool
) -> None:
    """Print what ``quantised`` has lost of ``full``."""
    content = shipped_text() if text is None else read_text(text)
    environment, progress = Environment.read(), TerminalProgress()
    models = [locate(model, environment, progress) for model in (full, quantised)]
    window = running.context or min(WINDOW, *(_limit(model) for model in models))

    def loaded(model: Located) -> LLM:
        arguments = running.arguments() | {"context": window}
        llm = load(model.path, environment=environment, progress=progress, **arguments)
        llm.name = model.name
        return llm

    found = compare(loaded(models[0]), loaded(models[1]), content, window, progress)
    if as_json:
        print_json(found.to_dict())
    else:
        print_rows(_rows(found))


def _limit(model: Located) -> int:
    return open_checkpoint(model.path).geometry.context_length


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

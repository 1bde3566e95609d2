"""The sub-commands of ``ostro eval``, and ``ostro bench``. Heavy imports live inside them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostro.cli import options
from ostro.cli.eval_options import (
    Documents,
    Drawn,
    Lengths,
    Models,
    TaskExtras,
    Tasks,
    Text,
    Told,
    Window,
)
from ostro.cli.option_groups import grouped

if TYPE_CHECKING:  # It would import PyTorch before a command is known.
    from ostro.cli.measuring import Asked

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def _asked(models: list[str], told: Told, running: options.Running) -> "Asked":
    from ostro.cli.measuring import Asked

    return Asked(models, running, **vars(told))


@app.command()
@grouped
def perplexity(
    models: Models,
    text: Annotated[
        list[Path] | None,
        typer.Option(help="Long documents of your own (repeatable), in place of --data."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="paired (the same tokens at every length), sliding or position.")
    ] = "paired",
    length: Lengths = None,
    *,
    documents: Documents,
    running: options.Running,
) -> None:
    """Perplexity over context: how much a model gains from what it has read."""
    from ostro.cli import evaluate as command

    asked = _asked(models, documents, running)
    command.run_perplexity(asked, text or [], protocol, length)


@app.command()
@grouped
def passkey(
    models: Models,
    length: Lengths = None,
    depths: Annotated[int, typer.Option(min=2, help="Depths, evenly spread.")] = 5,
    keys: Annotated[int, typer.Option(min=1, help="Keys for each length and depth.")] = 5,
    needles: Annotated[
        int, typer.Option(min=0, help="Trials of the harder test at each length; 0 leaves it out.")
    ] = 10,
    *,
    drawn: Drawn,
    running: options.Running,
) -> None:
    """Find a number hidden in noise, and one needle among others that look alike."""
    from ostro.cli import evaluate as command

    asked = _asked(models, drawn, running)
    command.run_passkey(asked, length, depths=depths, keys=keys, needles=needles)


@app.command()
@grouped
def tasks(
    models: Models,
    task: Tasks = None,
    *,
    extras: TaskExtras,
    documents: Documents,
    running: options.Running,
) -> None:
    """The benchmarks of Mixtral's tables, beside what was published."""
    from ostro.cli import evaluate as command

    asked = _asked(models, documents, running)
    command.run_tasks(asked, task or [], extras)


@app.command()
@grouped
def bias(
    models: Models,
    documents: Documents,
    running: options.Running,
) -> None:
    """BBQ and BOLD: stereotypes in answers, sentiment about groups of people."""
    from ostro.cli import evaluate as command

    command.run_bias(_asked(models, documents, running))


@app.command()
@grouped
def routing(
    models: Models,
    documents: Documents,
    running: options.Running,
) -> None:
    """Which experts the tokens of different domains take (section 5 of Mixtral's paper)."""
    from ostro.cli import evaluate as command

    command.run_routing(_asked(models, documents, running))


@app.command()
@grouped
def experts(
    models: Models,
    text: Text = None,
    *,
    told: Told,
    running: options.Running,
) -> None:
    """Quality and speed with 1 to all experts a token, and without single ones."""
    from ostro.cli import evaluate as command

    command.run_experts(_asked(models, told, running), text)


@app.command()
@grouped
def quantisation(
    full: Annotated[str, typer.Argument(help="The model as it was: a name, a folder or a file.")],
    quantised: Annotated[list[str], typer.Argument(help="The same model in fewer bits.")],
    text: Text = None,
    context: Window = None,
    *,
    told: Told,
    running: options.Running,
) -> None:
    """Say what a quantised model has lost: perplexity, KL divergence, agreement, experts."""
    from ostro.cli import evaluate_quantisation as command

    command.run(_asked([full, *quantised], told, running), text)


@app.command()
@grouped
def figures(
    models: Annotated[
        list[str] | None, typer.Argument(help="What is not known of them yet is measured first.")
    ] = None,
    *,
    documents: Documents,
    precision: options.Precision,
) -> None:
    """Redraw the guide's pictures from the published numbers, with your models beside them."""
    from ostro.cli import evaluate as command

    running = options.Running(**vars(precision))
    command.run_figures(_asked(models or [], documents, running))


@app.command(name="all")
@grouped
def everything(
    models: Models,
    extras: TaskExtras,
    documents: Documents,
    running: options.Running,
) -> None:
    """All of the above but quantisation; what cannot be measured is named with its reason."""
    from ostro.cli import evaluate as command

    asked = _asked(models, documents, running)
    command.run_all(asked, extras)


@grouped
def bench(
    models: Annotated[
        list[str] | None, typer.Argument(help="Names, folders or files; none for --long alone.")
    ] = None,
    prompt: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Tokens of a prompt (repeatable) [default: 128, 512, 2048]."),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Sequences at once (repeatable) [default: 1, 4, 16]."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Tokens that each sequence writes.")] = 32,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each; the median counts.")] = 3,
    long: Annotated[
        bool, typer.Option("--long", help="A whole context of --preset, through a slice of it.")
    ] = False,
    preset: Annotated[str, typer.Option(help="Whose geometry --long has.")] = "mixtral-8x7b",
    layers: Annotated[int, typer.Option(min=1, help="Layers of the slice.")] = 1,
    weights: Annotated[str, typer.Option(help="Weight type of the slice.")] = "Q4_0",
    *,
    told: Told,
    running: options.Running,
) -> None:
    """Time reading and writing over lengths and batches, beside what the machine allows."""
    from ostro.cli import bench as command

    if not models and not long:
        raise typer.BadParameter("name a model, or give --long")
    asked = _asked(models or [], told, running)
    table = command.Table(prompt or (128, 512, 2048), batch or (1, 4, 16), steps, repetitions)
    command.run(asked, table, command.Long(preset, layers, weights) if long else None)

"""The sub-commands of ``ostro train``. Heavy imports live inside them."""

from pathlib import Path
from typing import Annotated

import typer

from ostro.cli import options

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

RecipeFile = Annotated[Path, typer.Argument(help="A recipe in TOML, as in recipes/.")]
Out = Annotated[
    Path, typer.Option(help="The run's folder; a run that is there goes on from its last step.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a value: --set optimizer.lr=3e-4 (repeatable)."),
]


@app.command()
def pretrain(
    recipe: RecipeFile, out: Out, changes: Changes = None, threads: options.Threads = None
) -> None:
    """Learn from documents: from nothing, from a model, or from an upcycled one."""
    from ostro.cli import train as command

    command.run("pretrain", recipe, out, changes or [], threads)


@app.command()
def sft(
    recipe: RecipeFile, out: Out, changes: Changes = None, threads: options.Threads = None
) -> None:
    """Learn the assistant's part of conversations (supervised fine-tuning)."""
    from ostro.cli import train as command

    command.run("sft", recipe, out, changes or [], threads)


@app.command()
def dpo(
    recipe: RecipeFile, out: Out, changes: Changes = None, threads: options.Threads = None
) -> None:
    """Learn which of two answers is preferred (direct preference optimisation)."""
    from ostro.cli import train as command

    command.run("dpo", recipe, out, changes or [], threads)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    step: Annotated[
        int | None, typer.Option(help="Of which checkpoint [default: the last one].")
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="Of the checkpoint with the lowest validation loss.")
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="What matrices are written in: F32, BF16 or F16 [default: BF16; adapters: F32].",
        ),
    ] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Write the adapter alone, in PEFT's layout.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Write a run's model as an ordinary Hugging Face checkpoint; an adapter is merged into it."""
    from ostro.cli import train as command

    wanted = command.Wanted(run, out, step, best=best)
    if adapter:
        command.run_export_adapter(wanted, kind or "F32")
    else:
        command.run_export(wanted, kind or "BF16", as_json=as_json)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="The folders of runs.")],
    plot: Annotated[
        Path | None, typer.Option(help="Draw losses and the experts' load into this PNG file.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Say what runs have done."""
    from ostro.cli import train_report as command

    command.run(runs, plot, as_json=as_json)

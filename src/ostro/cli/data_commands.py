"""The sub-commands of ``ostro data``. Heavy imports live inside them."""

from pathlib import Path
from typing import Annotated

import typer

from ostro.cli import options

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Sources = Annotated[
    list[Path],
    typer.Argument(help="Files (.jsonl, .jsonl.gz, .jsonl.zst, .txt, .parquet) or folders."),
]


@app.command()
def prepare(
    sources: Sources,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    kind: Annotated[str, typer.Option(help="documents, conversations or preferences.")],
    tokenizer: Annotated[str, typer.Option(help="The model's: a name, a folder or a file.")],
    validation: Annotated[
        float, typer.Option(min=0, max=1, help="The share of records to keep apart.")
    ] = 0.0,
    alone: Annotated[
        bool,
        typer.Option("--alone", help="Make each answer, with all before it, its own sequence."),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Turn records into tokens to train on."""
    from ostro.cli import data as command

    command.run_prepare(sources, out, kind, tokenizer, validation, alone=alone, as_json=as_json)


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="What 'ostro data prepare' wrote.")],
    sample: Annotated[
        int, typer.Option(min=0, help="Print so many sequences; what is learned is marked.")
    ] = 0,
    tokenizer: Annotated[
        str | None, typer.Option(help="The model whose tokenizer reads the sequences.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Say what a data set holds."""
    from ostro.cli import data as command

    command.run_show(folder, sample, tokenizer, as_json=as_json)


@app.command(name="tokenizer")
def train_tokenizer(
    sources: Sources,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    vocab_size: Annotated[int, typer.Option(help="Pieces, special ones included.")],
    as_json: options.Json = False,
) -> None:
    """Train a tokenizer on the texts of documents."""
    from ostro.cli import data as command

    command.run_tokenizer(sources, out, vocab_size, as_json=as_json)

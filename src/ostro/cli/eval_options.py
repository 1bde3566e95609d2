"""Options that the commands of ``ostro eval`` share, and the groups in which they come."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ostro.cli import options

Models = Annotated[
    list[str], typer.Argument(help="Names, folders or files; several stand side by side.")
]
Data = Annotated[Path | None, typer.Option(help="The folder of benchmark data.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Documents for each cell of a table [default: all].")
]
Seed = Annotated[int, typer.Option(min=0, help="Draws documents, keys and samples.")]
Report = Annotated[
    Path | None, typer.Option(help="Write a page to look at, with plots and data beside it.")
]
Lengths = Annotated[
    list[int] | None,
    typer.Option("--length", min=2, help="Tokens (repeatable) [default: 512, 1024, ... ]."),
]
Text = Annotated[
    Path | None,
    typer.Option(help="A text to read [default: a page of Marcus Aurelius that ostro ships]."),
]
Window = Annotated[int | None, typer.Option("--context", min=3, help="Tokens to read together.")]
AllowCode = Annotated[
    bool,
    typer.Option("--allow-code-execution", help="Run the programs that the model writes."),
]
JudgeUrl = Annotated[
    str | None, typer.Option("--judge", help="Where a judge answers, such as http://HOST:PORT/v1.")
]
JudgeModel = Annotated[str, typer.Option(help="The judge's name there.")]
JudgeKey = Annotated[str | None, typer.Option(help="Its key, or @FILE that holds it.")]
Tasks = Annotated[
    list[str] | None, typer.Option("--task", help="Only this one (repeatable) [default: all].")
]


@dataclass(frozen=True)
class Told:
    """How results are told."""

    report: Report = None
    as_json: options.Json = False


@dataclass(frozen=True)
class Drawn(Told):
    """The same of what is drawn at random."""

    seed: Seed = 0


@dataclass(frozen=True)
class Documents(Drawn):
    """The same of documents in files."""

    data: Data = None
    limit: Limit = None


@dataclass(frozen=True)
class TaskExtras:
    """What tasks take beside data: leave to run programs, and who judges."""

    allow_code_execution: AllowCode = False
    judge: JudgeUrl = None
    judge_model: JudgeModel = "mistral-large-latest"
    judge_key: JudgeKey = None

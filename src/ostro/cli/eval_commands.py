"""The sub-commands of ``ostro eval``, and ``ostro bench``. Heavy imports live inside them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostro.cli import options

if TYPE_CHECKING:  # It would import PyTorch before a command is known.
    from ostro.cli.measuring import Asked

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

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


def _asked(
    models: list[str],
    common: tuple[Path | None, int | None, int, Path | None, bool],
    running: options.Running,
) -> "Asked":
    from ostro.cli.measuring import Asked

    data, limit, seed, report, as_json = common
    return Asked(models, data, limit, seed, report, as_json, running)


@app.command()
def perplexity(
    models: Models,
    data: Data = None,
    text: Annotated[
        list[Path] | None,
        typer.Option(help="Long documents of your own (repeatable), in place of --data."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="paired (the same tokens at every length), sliding or position.")
    ] = "paired",
    length: Lengths = None,
    limit: Limit = None,
    seed: Seed = 0,
    report: Report = None,
    threads: options.Threads = None,
    context: options.Context = None,
    memory: options.Memory = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """Perplexity over context: how much a model gains from what it has read."""
    from ostro.cli import evaluate as command

    running = options.Running(threads, context, memory, kind, device, cache_type, rope_scaling)
    asked = _asked(models, (data, limit, seed, report, as_json), running)
    command.run_perplexity(asked, text or [], protocol, length)


@app.command()
def passkey(
    models: Models,
    length: Lengths = None,
    depths: Annotated[int, typer.Option(min=2, help="Depths, evenly spread.")] = 5,
    keys: Annotated[int, typer.Option(min=1, help="Keys for each length and depth.")] = 5,
    needles: Annotated[
        int, typer.Option(min=0, help="Trials of the harder test at each length; 0 leaves it out.")
    ] = 10,
    seed: Seed = 0,
    report: Report = None,
    threads: options.Threads = None,
    context: options.Context = None,
    memory: options.Memory = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """Find a number hidden in noise, and one needle among others that look alike."""
    from ostro.cli import evaluate as command

    running = options.Running(threads, context, memory, kind, device, cache_type, rope_scaling)
    asked = _asked(models, (None, None, seed, report, as_json), running)
    command.run_passkey(asked, length, depths=depths, keys=keys, needles=needles)


@app.command()
def tasks(
    models: Models,
    task: Tasks = None,
    data: Data = None,
    limit: Limit = None,
    seed: Seed = 0,
    allow_code_execution: AllowCode = False,
    judge: JudgeUrl = None,
    judge_model: JudgeModel = "mistral-large-latest",
    judge_key: JudgeKey = None,
    report: Report = None,
    threads: options.Threads = None,
    context: options.Context = None,
    memory: options.Memory = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """The benchmarks of Mixtral's tables, beside what was published."""
    from ostro.cli import evaluate as command

    running = options.Running(threads, context, memory, kind, device, cache_type, rope_scaling)
    asked = _asked(models, (data, limit, seed, report, as_json), running)
    extras = command.TaskExtras(allow_code_execution, judge, judge_model, judge_key)
    command.run_tasks(asked, task or [], extras)


@app.command()
def bias(
    models: Models,
    data: Data = None,
    limit: Limit = None,
    seed: Seed = 0,
    report: Report = None,
    threads: options.Threads = None,
    context: options.Context = None,
    memory: options.Memory = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """BBQ and BOLD: stereotypes in answers, sentiment about groups of people."""
    from ostro.cli import evaluate as command

    running = options.Running(threads, context, memory, kind, device, cache_type, rope_scaling)
    command.run_bias(_asked(models, (data, limit, seed, report, as_json), running))


@app.command()
def routing(
    models: Models,
    data: Data = None,
    limit: Limit = None,
    seed: Seed = 0,
    report: Report = None,
    threads: options.Threads = None,
    context: options.Context = None,
    memory: options.Memory = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """Which experts the tokens of different domains take (section 5 of Mixtral's paper)."""
    from ostro.cli import evaluate as command

    running = options.Running(threads, context, memory, kind, device, cache_type, rope_scaling)
    command.run_routing(_asked(models, (data, limit, seed, report, as_json), running))


@app.command()
def experts(
    models: Models,
    text: Text = None,
    report: Report = None,
    threads: options.Threads = None,
    context: options.Context = None,
    memory: options.Memory = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """Quality and speed with 1 to all experts a token, and without single ones."""
    from ostro.cli import evaluate as command

    running = options.Running(threads, context, memory, kind, device, cache_type, rope_scaling)
    command.run_experts(_asked(models, (None, None, 0, report, as_json), running), text)


@app.command()
def quantisation(
    full: Annotated[str, typer.Argument(help="The model as it was: a name, a folder or a file.")],
    quantised: Annotated[list[str], typer.Argument(help="The same model in fewer bits.")],
    text: Text = None,
    context: Window = None,
    report: Report = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """Say what a quantised model has lost: perplexity, KL divergence, agreement, experts."""
    from ostro.cli import evaluate_quantisation as command

    running = options.Running(threads, context, memory, kind, device)
    command.run(_asked([full, *quantised], (None, None, 0, report, as_json), running), text)


@app.command()
def figures(
    models: Annotated[
        list[str] | None, typer.Argument(help="Models whose results are known already.")
    ] = None,
    data: Data = None,
    limit: Limit = None,
    seed: Seed = 0,
    report: Report = None,
    context: options.Context = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """Redraw the guide's pictures from the published numbers, with your models beside them."""
    from ostro.cli import evaluate as command

    running = options.Running(None, context, None, kind, device, cache_type, rope_scaling)
    command.run_figures(_asked(models or [], (data, limit, seed, report, as_json), running))


@app.command(name="all")
def everything(
    models: Models,
    data: Data = None,
    limit: Limit = None,
    seed: Seed = 0,
    allow_code_execution: AllowCode = False,
    judge: JudgeUrl = None,
    judge_model: JudgeModel = "mistral-large-latest",
    judge_key: JudgeKey = None,
    report: Report = None,
    threads: options.Threads = None,
    context: options.Context = None,
    memory: options.Memory = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """All of the above but quantisation; what cannot be measured is named with its reason."""
    from ostro.cli import evaluate as command

    running = options.Running(threads, context, memory, kind, device, cache_type, rope_scaling)
    asked = _asked(models, (data, limit, seed, report, as_json), running)
    extras = command.TaskExtras(allow_code_execution, judge, judge_model, judge_key)
    command.run_all(asked, extras)


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
    report: Report = None,
    threads: options.Threads = None,
    context: options.Context = None,
    memory: options.Memory = None,
    cache_type: options.CacheType = None,
    rope_scaling: options.RopeScaling = None,
    kind: options.ComputeType = None,
    device: options.Device = "cpu",
    as_json: options.Json = False,
) -> None:
    """Time reading and writing over lengths and batches, beside what the machine allows."""
    from ostro.cli import bench as command

    if not models and not long:
        raise typer.BadParameter("name a model, or give --long")
    running = options.Running(threads, context, memory, kind, device, cache_type, rope_scaling)
    asked = _asked(models or [], (None, None, 0, report, as_json), running)
    table = command.Table(prompt or (128, 512, 2048), batch or (1, 4, 16), steps, repetitions)
    command.run(asked, table, command.Long(preset, layers, weights) if long else None)

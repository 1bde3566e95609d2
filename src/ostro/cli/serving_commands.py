"""The sub-commands that serve a model: serve, run, batch, key. Heavy imports live inside them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ostro.cli import options
from ostro.cli.option_groups import grouped


@grouped
def run(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="The program and its arguments.")
    ],
    model: Annotated[str, typer.Option(help="A name, a folder or a file.")] = "demo",
    *,
    running: options.Running,
) -> None:
    """Run a program written for Mistral's or OpenAI's API against a model here."""
    from ostro.cli import run as room

    room.run(model, command, running)


def fetch_client(
    python: Annotated[str, typer.Argument(help="The Python that a program runs in.")],
) -> None:
    """Put Mistral's client 0.4.2 for a Python into the cache that 'ostro run' uses."""
    from ostro.cli import run as room

    room.fetch(python)


@grouped
def serve(
    model: Annotated[str, typer.Argument(help="A name, a folder or a file.")] = "demo",
    alias: Annotated[
        list[str] | None,
        typer.Option(help="A name that reaches it [default: mistral-small and others]."),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FOLDER of a LoRA adapter, a model of its own; may be repeated."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    api_keys: Annotated[Path | None, typer.Option(help="A file with a key a line.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let others on the network in without a key.")
    ] = False,
    max_queue: Annotated[int, typer.Option(min=0, help="Requests that may wait.")] = 256,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Of each key [default: any number].")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="A web origin that may ask (CORS); may be repeated.")
    ] = None,
    log_prompts: Annotated[
        bool, typer.Option("--log-prompts", help="Write requests into the log.")
    ] = False,
    *,
    serving: options.Serving,
    running: options.Running,
) -> None:
    """Serve a model behind the Mistral and OpenAI APIs."""
    from ostro.cli import serve as command

    asked = {
        "host": host,
        "port": port,
        "api_keys": api_keys,
        "insecure": insecure,
        "max_queue": max_queue,
        "requests_per_minute": requests_per_minute,
        "origins": tuple(origin or ()),
        "log_prompts": log_prompts,
    }
    asked |= serving.arguments()
    asked |= {"aliases": tuple(alias)} if alias else {}
    command.run(model, running, adapter or [], asked)


@grouped
def batch(
    source: Annotated[Path, typer.Argument(metavar="IN.jsonl", help="A request a line.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="Where answers go.")],
    model: Annotated[str, typer.Option(help="A name, a folder or a file.")] = "demo",
    *,
    serving: options.Serving,
    running: options.Running,
) -> None:
    """Answer a file of requests in the batch form of Mistral's and OpenAI's APIs.

    A run that was stopped goes on where it was when it is started again.
    """
    from ostro.cli import batch as command

    command.run(source, target, model, running, serving.arguments())


def key(as_json: options.Json = False) -> None:
    """Make an API key for a server, and the line that lets it in."""
    from ostro.cli import key as command

    command.run(as_json=as_json)


COMMANDS: tuple[tuple[str, dict[str, Any], Any], ...] = (
    ("serve", {}, serve),
    # What follows the command's own options belongs to the program.
    ("run", {"context_settings": {"allow_interspersed_args": False}}, run),
    ("fetch-client", {"hidden": True}, fetch_client),
    ("batch", {}, batch),
    ("key", {}, key),
)
"""Each with its name and typer's settings for it."""

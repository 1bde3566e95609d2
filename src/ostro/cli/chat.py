"""``ostro chat``: one answer, or a conversation in the terminal."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ostro.cli.fitting import fitting
from ostro.cli.inputs import read_messages
from ostro.cli.options import Running, Sampling
from ostro.cli.output import note, pool_line, print_json
from ostro.cli.propose import is_published_name, propose
from ostro.cli.repl import Repl
from ostro.config import count_parameters, format_count
from ostro.engine.completion import Timer
from ostro.engine.llm import LLM
from ostro.engine.load import load
from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.text.messages import Message, parse_messages

DEFAULT_PROMPT = "What is the capital of France?"


@dataclass(frozen=True)
class Start:
    """When the command began, and how long torch took to import."""

    at: float
    torch_seconds: float


@dataclass(frozen=True)
class Request:
    """What ``ostro chat`` was asked to do."""

    prompt: str | None
    system: str | None
    messages: Path | None
    safe_prompt: bool
    as_json: bool
    yes: bool
    timings: bool


def run(
    model: str, request: Request, sampling: Sampling, running: Running, *, started: Start
) -> None:
    """Answer once where a prompt, a file or a pipe gives the question; else open a conversation."""
    environment = Environment.read()
    messages, arguments = _messages(request), sampling.arguments()
    llm = _load(model, request, running, environment, started)
    if messages is None:
        introduce(llm)
        Repl(llm, arguments, environment, request.system, safe=request.safe_prompt).run()
    else:
        answer(llm, messages, request, arguments)


def answer(
    llm: LLM, messages: list[Message], request: Request, sampling: Mapping[str, Any]
) -> None:
    """One answer: streamed as text, or as one JSON object."""
    messages = fitting(llm, messages, safe=request.safe_prompt, max_tokens=sampling["max_tokens"])
    arguments = {**sampling, "safe_prompt": request.safe_prompt}
    if request.as_json:
        print_json(llm.chat(messages, **arguments).to_dict())
        return
    introduce(llm)
    if messages[-1].prefix:
        sys.stdout.write(messages[-1].content)
    timer = Timer()
    for piece in llm.stream(messages, timer=timer, **arguments):
        sys.stdout.write(piece.text)
        sys.stdout.flush()
    sys.stdout.write("\n")
    sys.stdout.flush()
    note(f"({timer.tokens} tokens, {timer.tokens_per_second:.1f} tokens/s)")
    if llm.experts is not None:
        note(f"({pool_line(llm.experts)})")


def introduce(llm: LLM) -> None:
    """What this model is, how good, how fast here, and what could come next."""
    g = llm.model.geometry
    counts = count_parameters(g)
    kind = f"{g.num_experts} experts, top-{g.top_k}" if g.is_sparse else "dense"
    active = f", {format_count(counts.active)} active a token" if g.is_sparse else ""
    note(f"{llm.name}: {kind}, {format_count(counts.total)} parameters{active}.")
    if llm.name == "demo":
        note(
            "A 135M-class model that knows English and makes facts up. Its experts differ by kind "
            "of text: 'ostro routing demo' shows who reads what."
        )
    real = " For the real thing: ostro chat mixtral" if llm.name == "demo" else ""
    how = f"in {llm.settings.type_name} on {llm.settings.threads} threads"
    if llm.experts is None:
        note(f"About {llm.measure_speed():.0f} tokens/s here, {how}.{real}\n")
    else:  # Measuring would read the whole model from disk.
        note(f"Some experts stay on disk; computing {how}.{real}\n")
    if llm.settings.notice:
        note(f"({llm.settings.notice})\n")


def _messages(request: Request) -> list[Message] | None:
    """The conversation to answer once, or None for a terminal."""
    if request.messages is not None:
        if request.prompt is not None:
            raise OstroError("give either --prompt or --messages, not both")
        return _with_system(parse_messages(read_messages(request.messages)), request.system)
    prompt = request.prompt
    if prompt is None and not request.as_json and sys.stdin.isatty():
        return None
    if prompt is None and not sys.stdin.isatty():
        prompt = sys.stdin.read().strip()
    return _with_system([Message("user", prompt or DEFAULT_PROMPT)], request.system)


def _with_system(messages: list[Message], system: str | None) -> list[Message]:
    return messages if system is None else [Message("system", system), *messages]


def _load(
    model: str, request: Request, running: Running, environment: Environment, started: Start
) -> LLM:
    if is_published_name(model, environment):
        model, context = propose(model, environment, running, yes=request.yes)
        running = replace(running, context=context)
    llm = load(model, environment=environment, **running.arguments())
    if request.timings:
        ready = time.perf_counter() - started.at - started.torch_seconds
        note(f"import torch {started.torch_seconds:.2f} s; ready {ready:.2f} s beyond that")
    return llm

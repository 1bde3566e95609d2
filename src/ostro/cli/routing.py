"""``ostro routing``: what the router does with a prompt, a conversation or a text."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log2
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ostro.cli.inputs import read_messages, read_text
from ostro.cli.options import Running, Sampling
from ostro.cli.output import note, print_json, print_rows
from ostro.engine.llm import LLM
from ostro.engine.load import load
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.evaluation.routed_tokens import text_requests
from ostro.evaluation.routing_summary import LayerSummary, RoutingSummary, summarise
from ostro.evaluation.routing_table import record, require_pyarrow
from ostro.text.messages import Message, parse_messages

_BLOCKS = " ▁▂▃▄▅▆▇█"
_PIPE_WIDTH = 160
Requests = Callable[[LLM], list[Request]]


@dataclass(frozen=True)
class Source:
    """What is to be run: one of these."""

    prompts: list[str]
    text: Path | None
    messages: Path | None
    raw: bool


def run(
    model: str,
    source: Source,
    sampling: Sampling,
    running: Running,
    report: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print a summary, and write every choice to ``report`` if it is given."""
    if report is not None:
        require_pyarrow()
    requests = _requests(source, sampling)
    llm = load(model, **running.arguments())
    found = summarise(llm, requests(llm)) if report is None else record(llm, requests(llm), report)
    if as_json:
        print_json(found.to_dict() | {"report": None if report is None else str(report)})
        return
    show(found, Console())
    if report is not None:
        note(f"(every choice is in {report})")


def show(found: RoutingSummary, console: Console) -> None:
    """A line for each layer: what its experts got, where the numbers fit, or a bar for each."""
    experts = len(found.layers[0].shares)
    print_rows(
        [
            ("model", found.model),
            ("sequences", f"{found.sequences:,}"),
            ("tokens", f"{found.prompt_tokens:,} of prompts, {found.answer_tokens:,} of answers"),
        ]
    )
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(_table(found, console.width))
    print(
        f"Experts: share of all choices in percent; used alike, each would have {100 / experts:.1f}"
        f" and the shares {log2(experts):.2f} bits.\n"
        "Again: how often the first choice is that of the token before."
    )


def _table(found: RoutingSummary, width: int) -> Table:
    experts = len(found.layers[0].shares)
    in_numbers = 6 * experts + 36 <= width
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("layer", justify="right")
    for name in map(str, range(experts)) if in_numbers else [f"experts 0 to {experts - 1}"]:
        table.add_column(name, justify="right" if in_numbers else "left")
    for name in ("bits of\nshares", "bits of\nweights", "again, %"):
        table.add_column(name, justify="right")
    for number, layer in enumerate(found.layers):
        cells = _numbers(layer) if in_numbers else [_bars(layer)]
        again = "-" if layer.first_repeats is None else f"{100 * layer.first_repeats:.1f}"
        ends = (f"{layer.share_entropy:.2f}", f"{layer.gate_entropy:.2f}", again)
        table.add_row(str(number), *cells, *ends)
    return table


def _numbers(layer: LayerSummary) -> list[Text]:
    return [Text(f"{100 * share:.1f}", _heat(share, layer)) for share in layer.shares]


def _bars(layer: LayerSummary) -> Text:
    """A character for each expert; a full block is three times its even share."""
    bars, top = Text(), len(_BLOCKS) - 1
    for share in layer.shares:
        height = min(round(share * len(layer.shares) / 3 * top), top)
        bars.append(_BLOCKS[max(height, 1) if share else 0], _heat(share, layer))
    return bars


def _heat(share: float, layer: LayerSummary) -> str:
    """A colour for how far a share is from the even one."""
    ratio = share * len(layer.shares)
    styles = ((0.5, "blue"), (0.8, "cyan"), (1.25, ""), (2.0, "yellow"))
    return next((style for limit, style in styles if ratio < limit), "red")


def _requests(source: Source, sampling: Sampling) -> Requests:
    """Read what is asked for, before a model is loaded; a function that makes requests of it."""
    given = [bool(source.prompts), source.text is not None, source.messages is not None]
    if sum(given) != 1:
        raise OstroError("give one of --prompt, --text and --messages")
    if source.text is not None:
        return _of_text(source.text, sampling, raw=source.raw)
    options = sampling.arguments() | {"routing": True, "prompt_routing": True}
    if source.messages is not None:
        if source.raw:
            raise OstroError("--raw is for --prompt and --text; messages have a template")
        messages = parse_messages(read_messages(source.messages))
        return lambda llm: [llm.request(messages, **options)]
    return lambda llm: [
        llm.request(prompt if source.raw else [Message("user", prompt)], raw=source.raw, **options)
        for prompt in source.prompts
    ]


def _of_text(path: Path, sampling: Sampling, *, raw: bool) -> Requests:
    if replace(sampling, steering=None) != Sampling():
        raise OstroError("--text is read and not answered; leave out how to choose tokens")
    text, steering = read_text(path), sampling.arguments()["steering"]
    return lambda llm: text_requests(llm, text, raw=raw, steering=steering)

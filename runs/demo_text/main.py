"""Write the demo's training text.

    python runs/demo_text/main.py DATA_DIR OUT [--scale S] [--only NAMES] [--passkeys N] ...

DATA_DIR has the folders pretrain, sft and preference. A file that is there already stays as it is;
remove it to have it written anew. Sampling is done in parts and goes on where it was stopped.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo_text.both_templates import BOTH, INST, write_tokenizer
from demo_text.card import card_rows, write_card
from demo_text.counting import TokenCounter
from demo_text.held_out import held_out
from demo_text.human.passkeys import Lengths
from demo_text.outputs import OUTPUTS, Setting
from demo_text.sampled.sampler import ParentSampler, Sampler
from ostro.engine.load import load, locate
from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.files import whole_file
from ostro.runtime.progress import Progress, SilentProgress, TerminalProgress
from ostro.weights.own_tokenizer import own_tokenizer

_BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
EVALUATION = tuple(
    _BENCHMARKS / f"demo_{name}.json" for name in ("examples", "prompts", "benign", "plain")
)
"""Their questions are held out."""
_CONTEXT = 1024  # Tokens of a sampled conversation, at most.


def read_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    names = [output.name for output in OUTPUTS]
    parser = argparse.ArgumentParser(description="Write the demo's training text.")
    parser.add_argument("data", type=Path, help="folder with pretrain, sft and preference")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 1.7 million tokens")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parent", default="demo-parent", help="the model that answers")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="files to write")
    parser.add_argument("--passkeys", type=int, default=32, help="how many keys are hidden")
    parser.add_argument("--shortest", type=int, default=300, help="tokens of the shortest text")
    parser.add_argument("--longest", type=int, default=7900, help="tokens of the longest text")
    parser.add_argument("--temperature", type=float, default=0.7, help="of the answers")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--together", type=int, default=48, help="answers that are sampled at once")
    return parser.parse_args(words)


def run(
    arguments: argparse.Namespace, progress: Progress, stub: Callable[[], Sampler] | None = None
) -> None:
    """Write what is not there yet, and the card of all that is; ``stub`` stands for the parent."""
    _check(arguments)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    _keep_settings(out, arguments)
    environment = Environment.read()
    parent = own_tokenizer(locate(arguments.parent, environment, progress).path)
    tokenizer = write_tokenizer(parent, BOTH, out / "both-tokenizer")
    write_tokenizer(parent, INST, out / "inst-tokenizer")

    @cache
    def sampler() -> Sampler:
        llm = load(
            arguments.parent,
            context=_CONTEXT,
            threads=arguments.threads,
            concurrency=arguments.together,
            environment=environment,
            progress=progress,
        )
        return ParentSampler(llm, SilentProgress(), arguments.temperature)

    counter = TokenCounter(tokenizer)
    setting = Setting(
        data=arguments.data,
        out=out,
        seed=arguments.seed,
        scale=arguments.scale,
        lengths=Lengths(arguments.passkeys, arguments.shortest, arguments.longest),
        counter=counter,
        held_out=held_out(EVALUATION),
        sampler=stub or sampler,
        progress=progress,
    )
    for output in OUTPUTS:
        if output.name in arguments.only and not output.write(setting):
            progress.note(f"{output.file(out).name} is there already")
    write_card(card_rows(OUTPUTS, out, counter, progress), out / "data-card.md")


def _check(arguments: argparse.Namespace) -> None:
    if arguments.scale <= 0 or arguments.passkeys < 1:
        raise OstroError("--scale and --passkeys must be above 0")
    if not 100 <= arguments.shortest <= arguments.longest:
        raise OstroError("--shortest must be at least 100 and at most --longest")


def _keep_settings(out: Path, arguments: argparse.Namespace) -> None:
    """Remember what all files of a folder share; something else is refused."""
    file = out / "settings.json"
    settings = {
        "seed": arguments.seed,
        "parent": str(arguments.parent),
        "temperature": arguments.temperature,
    }
    if not file.exists():
        with whole_file(file) as temporary:
            temporary.write_text(json.dumps(settings) + "\n", encoding="utf-8")
    elif json.loads(file.read_text(encoding="utf-8")) != settings:
        raise OstroError(
            f"{out} was begun with another seed, parent or temperature ({file}); name another"
        )


if __name__ == "__main__":
    try:
        run(read_arguments(), TerminalProgress())
    except OstroError as problem:
        sys.exit(f"demo_text: {problem}")

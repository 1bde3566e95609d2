"""``ostro bench``: how fast models read and write here, beside what the machine allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ostro.cli.measuring import Asked, Offer, measured, tell
from ostro.evaluation.report.contents import Section
from ostro.evaluation.speed.long_request import long_request, long_request_section
from ostro.evaluation.speed.measurement import Speed
from ostro.runtime.environment import Environment
from ostro.runtime.progress import Progress, TerminalProgress


@dataclass(frozen=True)
class Table:
    """What is timed."""

    prompts: Sequence[int]
    batches: Sequence[int]
    steps: int
    repetitions: int


@dataclass(frozen=True)
class Long:
    """A request of a large model's whole context, through a slice of its layers."""

    preset: str
    layers: int
    kind: str


def run(asked: Asked, table: Table, long: Long | None) -> None:
    """Time the models anew, and the long request if one is wanted."""
    progress = TerminalProgress()
    speed = Speed(
        prompts=table.prompts,
        batches=table.batches,
        steps=table.steps,
        repetitions=table.repetitions,
        run=datetime.now().isoformat(),
        threads=asked.threads,
    )
    sections = measured(asked, [Offer("Speed", lambda: speed)], progress) if asked.models else []
    if long is not None:
        sections.append(_long(long, asked, progress))
    tell(asked, sections, progress)


def _long(long: Long, asked: Asked, progress: Progress) -> Section:
    environment = Environment.read()
    found = long_request(
        environment.home / "benchmarks",
        environment=environment,
        progress=progress,
        preset=long.preset,
        kind=long.kind,
        layers=long.layers,
        context=asked.running.context,
    )
    return long_request_section(found)

"""What is written, in which file, of which kind and how large."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_text.counting import TokenCounter
from demo_text.held_out import HeldOut
from demo_text.human.documents import FILES as DOCUMENTS
from demo_text.human.documents import document_records
from demo_text.human.passkeys import Lengths, book_fillers, passkey_records
from demo_text.human.people import LONGEST as LONGEST_CONVERSATION
from demo_text.human.people import PARTS, people_records
from demo_text.human.preferences import FILES as PREFERENCES
from demo_text.human.preferences import LONGEST as LONGEST_PAIR
from demo_text.human.preferences import (
    YES_NO,
    chosen_records,
    evaluated_questions,
    preference_records,
)
from demo_text.kinds.declining_pairs import SOURCE as DECLINING
from demo_text.kinds.declining_pairs import declining_pairs
from demo_text.kinds.mixture import kinds_records
from demo_text.sampled.parts import Work, sampled_records
from demo_text.sampled.questions import Questions
from demo_text.sampled.sampler import Sampler
from demo_text.writing import write_records
from ostro.data.kinds import Kind
from ostro.runtime.progress import Progress

_DECLINING_SHARE = 0.3
"""Of the preferences' tokens: pairs that tell when to decline."""

Records = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Setting:
    """What all outputs are made with."""

    data: Path
    out: Path
    seed: int
    scale: float
    lengths: Lengths
    counter: TokenCounter
    held_out: HeldOut
    sampler: Callable[[], Sampler]
    """Loads the parent, when it is wanted."""
    progress: Progress

    def tokens(self, at_scale_1: float) -> int:
        """A budget."""
        return round(self.scale * at_scale_1)


@dataclass(frozen=True)
class Output:
    """A file of records."""

    name: str
    kind: Kind
    tokens: int
    """Of the file at scale 1; 0 where something else decides."""
    records: Callable[[Setting, int], Records]
    """Those that may be written, given how many tokens are wanted."""

    def file(self, out: Path) -> Path:
        """Where it is written."""
        return out / f"{self.name}.jsonl"

    def write(self, setting: Setting) -> bool:
        """Write the file unless it is there; nothing that overlaps with what is held out."""
        target = self.file(setting.out)
        if target.exists():
            return False
        dropped = _Dropped(setting.held_out)
        records = dropped.without(self.records(setting, setting.tokens(self.tokens)))
        count = write_records(target, records)
        setting.progress.note(
            f"{target.name}: {count} records; {dropped.count} overlapped with what is held out"
        )
        return True


@dataclass
class _Dropped:
    """Counts what is left out."""

    held_out: HeldOut
    count: int = 0

    def without(self, records: Records) -> Iterator[Mapping[str, Any]]:
        for record in records:
            if self.held_out.overlaps(record):
                self.count += 1
            else:
                yield record


def _sampled(setting: Setting, budget: int) -> Records:
    questions = Questions(setting.data, setting.seed, setting.progress)
    work = Work(setting.sampler(), questions, setting.out / "sampled-parts", setting.seed)

    def count(record: Mapping[str, Any]) -> int:
        return setting.counter.count("conversations", record).read

    return sampled_records(work, budget, count, setting.progress)


def _kinds(setting: Setting, budget: int) -> Records:
    return _upto(setting, "conversations", "kinds", kinds_records(setting.seed), budget)


def _people(setting: Setting, budget: int) -> Records:
    for part in PARTS:
        records = people_records(setting.data, part, setting.seed, setting.progress)
        share = round(part.share * budget)
        yield from _upto(
            setting, "conversations", part.path, records, share, longest=LONGEST_CONVERSATION
        )


def _documents(setting: Setting, budget: int) -> Records:
    return _pieces(setting, budget, setting.seed)


def _replay(setting: Setting, budget: int) -> Records:
    """Documents among the conversations, so that those of before are not forgotten."""
    return _pieces(setting, budget, setting.seed + 1)


def _pieces(setting: Setting, budget: int, seed: int) -> Records:
    share = budget // len(DOCUMENTS)
    for path in DOCUMENTS:
        records = document_records(setting.data, path, seed, share, setting.progress)
        yield from _upto(setting, "documents", path, records, share)


def _preferences(setting: Setting, budget: int) -> Records:
    data, seed, progress = setting.data, setting.seed, setting.progress
    evaluated = evaluated_questions(data, progress)
    written = round(_DECLINING_SHARE * budget)
    yield from _upto(setting, "preferences", DECLINING, declining_pairs(seed), written)
    for path, share in PREFERENCES:
        records = preference_records(data, path, seed, evaluated, progress)
        yield from _upto(
            setting,
            "preferences",
            path,
            records,
            round(share * (budget - written)),
            longest=LONGEST_PAIR,
        )


def _chosen(setting: Setting, budget: int) -> Records:
    evaluated = evaluated_questions(setting.data, setting.progress)
    records = chosen_records(setting.data, setting.seed, evaluated, setting.progress)
    return _upto(setting, "conversations", YES_NO, records, budget)


def _passkeys(setting: Setting, budget: int) -> Records:
    books = book_fillers(setting.data, setting.seed, setting.progress)
    records = passkey_records(setting.lengths, books, setting.counter.text, setting.seed)
    with setting.progress.task("hiding keys", setting.lengths.count, "items") as advance:
        for record in records:
            advance(1)
            yield record


def _upto(
    setting: Setting,
    kind: Kind,
    label: str,
    records: Records,
    budget: int,
    longest: int | None = None,
) -> Records:
    with setting.progress.task(f"writing {label}", budget, "items") as advance:
        yield from setting.counter.upto(kind, records, budget, advance, longest=longest)


OUTPUTS: Sequence[Output] = (
    Output("kinds", "conversations", 360_000, _kinds),
    Output("people", "conversations", 40_000, _people),
    Output("documents", "documents", 190_000, _documents),
    Output("replay", "documents", 110_000, _replay),
    Output("passkeys", "conversations", 0, _passkeys),
    Output("preferences", "preferences", 450_000, _preferences),
    Output("chosen", "conversations", 125_000, _chosen),
    Output("sampled", "conversations", 510_000, _sampled),
)
"""The slowest last."""

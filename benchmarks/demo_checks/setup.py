"""What every check is given: the two models, the data, and where results are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo_checks.asking import Asker, EngineAsker
from demo_checks.verdict import Verdict
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress

MODEL, PARENT = "model", "parent"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One call of the program."""

    model: Subject
    """The mixture that is checked. It is loaded when something must be computed, once."""
    parent: Subject
    """The dense model that it was made of."""
    model_path: Path
    """Where the mixture lies, to be loaded once more where a check wants it in another form."""
    folder: Path
    """Of the data: ``eval`` and ``preference`` lie in it."""
    results: Results = field(repr=False)
    """What was measured before; by what the model's file holds, so another file begins anew."""
    known: Sequence[Path] = ()
    """Folders of results that ``ostro eval`` may have left: its own, and this program's."""
    limit: int | None = None
    """Documents, prompts, pairs or keys of each kind; None takes what the check asks for."""
    asked: frozenset[str] = frozenset()
    """Checks that were asked for by name."""
    progress: Progress = field(repr=False)
    asker: Callable[[Subject], Asker] = field(default=EngineAsker, repr=False)
    """Makes what answers prompts; tests put something else in its place."""

    @property
    def sides(self) -> dict[str, Subject]:
        """Both models, by what they are here."""
        return {MODEL: self.model, PARENT: self.parent}

    @property
    def evaluation(self) -> BenchmarkData:
        """The files of ``eval``."""
        return BenchmarkData(self.folder)

    @property
    def preference(self) -> BenchmarkData:
        """The files of ``preference``."""
        return BenchmarkData(self.folder / "preference")

    def number(self, usual: int | None) -> int | None:
        """How many of a kind: as asked on the command line, else as is usual."""
        return usual if self.limit is None else self.limit


Check = Callable[[Setup], Verdict]


def same_tokens(setup: Setup, text: str, *encoded: Any) -> None:
    """Refuse two models that cut a text into different tokens: theirs cannot be paired."""
    if any(ids != encoded[0] for ids in encoded[1:]):
        raise OstroError(
            f"{setup.model.name} and {setup.parent.name} read {text[:40]!r} in different tokens; "
            "name the dense model that the other was made of with --parent"
        )

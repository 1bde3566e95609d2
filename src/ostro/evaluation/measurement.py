"""What every measurement has: it refuses early, goes on where it was, and tells what it found."""

from collections.abc import Mapping
from typing import Any, Protocol

from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress

Found = dict[str, Any]
"""What one model gave, in JSON's plain values; all that :meth:`Measurement.section` needs."""


class Measurement(Protocol):
    """One way to measure models. Its fields are the protocol, frozen before anything runs."""

    @property
    def name(self) -> str:
        """Lower case and dashes: a section's, and a file's."""
        ...

    def check(self, subject: Subject) -> None:
        """Refuse, as an :class:`~ostro.errors.OstroError`, what cannot be measured.

        Called for all models before one of them is loaded.
        """
        ...

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Measure what ``results`` does not know yet; ``subject.llm`` loads the model."""
        ...

    def section(self, found: Mapping[str, Found]) -> Section:
        """What was found, by the name of the model, as something to look at."""
        ...

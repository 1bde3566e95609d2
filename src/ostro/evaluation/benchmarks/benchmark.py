"""What there is to know of a benchmark before it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ostro.evaluation.benchmarks.adapters import Adapt

VOTE_TEMPERATURE = 0.7
"""At which answers that vote are drawn (Wang et al., Self-Consistency, 2022)."""

Group = Literal["popular", "averages", "languages", "languages-local"]
"""The table that a benchmark stands in."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A local file that holds a benchmark, or a part of it."""

    file: str
    """Its name in the folder of ``--data``, without the ending."""
    fields: tuple[str, ...]
    """What each record must have."""
    adapt: Adapt
    label: str | None = None
    """What the benchmark is called with this file, where that is another one: a subset."""
    examples: str | None = None
    """The file whose records are shown as examples, adapted alike."""
    first_are_examples: int = 0
    """How many of the file's own records are shown as examples, and not asked."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """What this file needs changed in lm-eval's configuration."""
    note: str = ""
    """How it differs from the published benchmark, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One place in a table: what is asked, how, and how it is scored.

    What guessing gives is one in the number of choices, document by document; where nothing is
    chosen among, guessing gives nothing.
    """

    name: str
    """What a user calls it."""
    label: str
    group: Group
    configs: tuple[str, ...] = ()
    """lm-eval's configurations: patterns of files in its folder ``tasks``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The configuration itself, where lm-eval has none."""
    shots: int = 0
    metric: str = "acc"
    """Which of lm-eval's metrics is shown."""
    filter: str = "none"
    """Which of lm-eval's filters finds the answer in a text; its default is ``none``."""
    samples: int = 1
    """Answers that are drawn and vote on the result."""
    most_tokens: int = 0
    """The most tokens of a written answer."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """What is changed in lm-eval's configuration."""
    sources: tuple[Source, ...] = ()
    """Local files, of which the first one that is there is taken."""
    hub: bool = True
    """Whether the Hugging Face hub has it in a form that lm-eval reads."""
    note: str = ""
    """What is to be known of the protocol, in a sentence."""

    @property
    def is_voted(self) -> bool:
        """Whether several answers vote."""
        return self.samples > 1

    @property
    def protocol(self) -> dict[str, Any]:
        """What of it the result depends on, in plain values."""
        return {
            "configs": list(self.configs),
            "shots": self.shots,
            "metric": self.metric,
            "filter": self.filter,
            "samples": self.samples,
            "most_tokens": self.most_tokens,
        }

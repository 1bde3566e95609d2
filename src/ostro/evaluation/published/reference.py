"""One published number, with where it stands and how it was measured."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ostro.evaluation.report.contents import Cell

APPROXIMATE = "~"
"""Stands before a number that was read off a chart, which prints none."""
APPROXIMATE_LEGEND = "~ read off a chart, within about half a point"

ACTIVE_PARAMETERS: Mapping[str, float] = MappingProxyType(
    {
        "Llama 2 7B": 7.0,
        "Llama 2 13B": 13.0,
        "Llama 1 33B": 33.0,
        "Llama 2 70B": 70.0,
        "Mistral 7B": 7.0,
        "Mixtral 8x7B": 12.9,
        "Mixtral 8x22B": 39.0,
        "Command R": 35.0,
        "Command R+": 104.0,
    }
)
"""Parameters that a token uses, in thousand millions. Some tables round Mixtral's 12.9 to 13."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where numbers were published."""

    name: str
    """Lower case and dashes."""
    text: str
    """What it is, for a reader."""
    note: str = ""
    """What is to be known before one compares with it."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a published table: a benchmark and its protocol."""

    benchmark: str
    shots: int | None = None
    """Worked examples in the prompt; None where the source does not say."""
    vote: str = ""
    """Such as maj@8: the answer that most of 8 samples gave."""
    is_share: bool = True
    """Printed in %, and kept as a share of 1."""

    @property
    def protocol(self) -> str:
        """Shots and vote in words; empty where the source says neither."""
        shots = [] if self.shots is None else [f"{self.shots}-shot"]
        return ", ".join([*shots, *([self.vote] if self.vote else [])])


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A number that somebody published about a model."""

    model: str
    column: Column
    value: float
    """A share of 1 for what is printed in %, else as printed."""
    digits: int
    """As printed."""
    source: Source
    is_approximate: bool = False
    """Read off a chart."""
    deviation: float | None = None
    """A standard deviation that was printed beside it. It is not the number's error."""

    @property
    def benchmark(self) -> str:
        """What was measured."""
        return self.column.benchmark

    @property
    def protocol(self) -> str:
        """How, as far as the source says it."""
        return self.column.protocol

    @property
    def scale(self) -> float:
        """What the value is multiplied with when it is shown."""
        return 100.0 if self.column.is_share else 1.0

    @property
    def text(self) -> str:
        """As printed, with the sign of what was read off a chart."""
        deviation = "" if self.deviation is None else f", SD {self.deviation:.{self.digits}f}"
        sign = APPROXIMATE if self.is_approximate else ""
        return f"{sign}{self.value * self.scale:.{self.digits}f}{deviation}"

    def cell(self, note: str | None = None) -> Cell:
        """The number in a table."""
        return Cell(
            number=self.value, text=self.text, scale=self.scale, digits=self.digits, note=note
        )


def read_table(source: Source, columns: Sequence[Column], text: str) -> Iterator[Reference]:
    """Numbers out of lines of ``model | number number ...``, in the order of ``columns``.

    ``~`` before a number says that it was read off a chart; ``0.1+-0.2`` is a mean with its
    standard deviation; ``-`` was not published.
    """
    for line in text.strip().splitlines():
        model, _, numbers = (part.strip() for part in line.partition("|"))
        for column, printed in zip(columns, numbers.split(), strict=True):
            if printed != "-":
                yield _reference(model, column, printed, source)


def _reference(model: str, column: Column, printed: str, source: Source) -> Reference:
    mean, _, deviation = printed.lstrip(APPROXIMATE).partition("+-")
    digits = len(mean.partition(".")[2])
    # A share's decimals are those of the printed text: 70.6 in % is 0.706 and nothing beside it.
    value = round(float(mean) / 100, digits + 2) if column.is_share else float(mean)
    return Reference(
        model=model,
        column=column,
        value=value,
        digits=digits,
        source=source,
        is_approximate=printed.startswith(APPROXIMATE),
        deviation=float(deviation) if deviation else None,
    )

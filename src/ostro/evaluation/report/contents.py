"""What a report consists of. How it looks is the business of the modules beside this one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ostro.evaluation.statistics import Estimate

if TYPE_CHECKING:  # matplotlib is imported only where something is drawn.
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One place in a table: a number, a text, or the reason why there is neither."""

    number: Estimate | float | None = None
    text: str | None = None
    """Shown in place of the number, by which the table is sorted all the same."""
    scale: float = 1.0
    """What the number is multiplied with when it is shown: 100 for shares in %."""
    digits: int = 1
    chance: float | None = None
    """What guessing gives; a number that guessing would explain is marked."""
    missing: str | None = None
    """Why there is no data."""
    note: str | None = None
    """What is to be known of this cell alone, such as another protocol."""

    @property
    def is_chance(self) -> bool:
        """Whether guessing would explain the number."""
        is_measured = isinstance(self.number, Estimate) and self.chance is not None
        return is_measured and self.number.is_chance(self.chance)  # type: ignore[union-attr, arg-type]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a header. The first column names the rows, or the first few together."""

    name: str
    """Of its CSV file, without the ending: lower case and dashes."""
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    names: int = 1
    """How many columns name the rows; they are said again where a table goes on below."""


class Draw(Protocol):
    """Draws a plot into an empty figure, with the colours and sizes that matplotlib has."""

    def __call__(self, figure: "Figure") -> None:
        """Draw."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A picture, and the numbers in it."""

    name: str
    """Of its PNG and CSV files, without the ending: lower case and dashes."""
    title: str
    caption: str
    """What is seen, for those who cannot see it, too."""
    data: Mapping[str, Sequence[Any]]
    """Columns of equal length; None where there is no number."""
    draw: Draw
    size: tuple[float, float] = (7.0, 4.0)
    """Inches."""


@dataclass(frozen=True, kw_only=True)
class Markup:
    """A piece of HTML, such as coloured text. It is made by ostro, from escaped text."""

    title: str
    html: str
    plain: str
    """What stands for it where there is no HTML."""


Block = str | Table | Plot | Markup
"""A text is a paragraph."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One measurement of one or several models."""

    name: str
    """Lower case and dashes."""
    title: str
    protocol: str
    """How it was measured, in sentences."""
    blocks: Sequence[Block]
    data: Mapping[str, Any] = field(default_factory=dict)
    """What was found in JSON's plain values, by the name of the model."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Sections, and what they are about."""

    title: str
    facts: Sequence[tuple[str, str]]
    """What is said at the top: models, machine, versions, date, command."""
    sections: Sequence[Section]

"""A small Python function: how it is asked for, and what it must do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """One function; a test executes the code and the checks."""

    tasks: tuple[str, ...]
    """What it does, each so that it may follow "a function to"."""
    code: str
    checks: tuple[str, ...]
    """Expressions that are true."""

    @property
    def name(self) -> str:
        """As it is defined."""
        return self.code.split("def ", 1)[1].split("(", 1)[0]


def function(tasks: str, code: str, *checks: str) -> Function:
    """An entry; ``tasks`` are parted by bars."""
    return Function(tuple(tasks.split("|")), code.strip(), checks)

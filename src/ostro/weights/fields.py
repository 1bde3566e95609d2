"""A configuration read strictly: every key is used, known to mean nothing here, or an error."""

from collections.abc import Iterable, Mapping
from typing import Any

from ostro.errors import CheckpointError


class Fields:
    """The keys of one configuration file; :meth:`finish` names what nobody asked for."""

    def __init__(self, values: Mapping[str, Any], source: str) -> None:
        self.values, self.source = values, source
        self._seen: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or ``default`` where the key is absent or null."""
        self._seen.add(key)
        value = self.values.get(key)
        return default if value is None else value

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        value = self.get(key, default)
        if type(value) is not int:
            raise self.error(key, "a whole number")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A number."""
        value = self.get(key, default)
        if type(value) not in (int, float):
            raise self.error(key, "a number")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.get(key, default)
        if type(value) is not bool:
            raise self.error(key, "true or false")
        return value

    def table(self, key: str) -> "Fields | None":
        """A nested table, itself to be finished; None where it is absent or null."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(key, "a table")
        return Fields(value, f"{self.source}: {key}")

    def expect(self, key: str, *allowed: Any) -> None:
        """Refuse any value but these (or none)."""
        value = self.get(key)
        if value is not None and value not in allowed:
            raise CheckpointError(
                f"{self.source}: {key} = {value!r} is not supported (only {allowed[0]!r} is)"
            )

    def ignore(self, keys: Iterable[str]) -> None:
        """Keys that say nothing about the forward pass."""
        self._seen.update(keys)

    def finish(self, prefix: str = "") -> None:
        """Refuse keys (that begin with ``prefix``) which nobody asked for."""
        unknown = [k for k in self.values if k.startswith(prefix) and k not in self._seen]
        if unknown:
            raise CheckpointError(
                f"{self.source}: unknown setting {unknown[0]!r}; ostro does not know what it does"
            )

    def error(self, key: str, wanted: str) -> CheckpointError:
        """An error that names the key and what it should be."""
        if self.values.get(key) is None:
            return CheckpointError(f"{self.source}: {key} is missing")
        return CheckpointError(f"{self.source}: {key} must be {wanted}, not {self.values[key]!r}")

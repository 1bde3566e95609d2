"""TOML tables into frozen dataclasses: every key known, every value of its field's type.

Nested tables are nested dataclasses. ``--set a.b=c`` changes one value, read as TOML would read it.
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ostro.errors import OstroError

T = TypeVar("T")


def parse_table(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """An object of dataclass ``kind`` from a table; ``where`` names it in messages.

    A key that the dataclass lacks, a value of another type or a missing one is an OstroError.
    """
    hints, fields = get_type_hints(kind), {field.name for field in _fields(kind)}
    for key in values:
        if key not in fields:
            raise OstroError(f"{where}: unknown key {key!r}{_suggestion(key, fields)}")
    given = {key: _value(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    for field in _fields(kind):
        if field.name not in given and _default(field) is dataclasses.MISSING:
            raise OstroError(f"{where}: {field.name} is missing")
    return kind(**given)


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """A TOML document as plain values."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OstroError(f"{where}: not readable as TOML ({error})") from None


def with_changes(values: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """``values`` with changes such as ``optimizer.lr=3e-4``; the tables on the way are made."""
    table = _copied(values)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or not name.strip():
            raise OstroError(f"--set {change!r}: write it as table.key=value")
        *path, key = name.strip().split(".")
        inner = table
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise OstroError(f"--set {change!r}: {part} is a value and not a table")
        inner[key] = _toml_value(text.strip())
    return table


def to_table(thing: Any) -> dict[str, Any]:
    """A dataclass object as plain values for JSON: what :func:`parse_table` reads."""
    return {
        field.name: _plain(getattr(thing, field.name))
        for field in _fields(type(thing))
        if getattr(thing, field.name) is not None
    }


def flattened(thing: Any) -> dict[str, Any]:
    """All values of a dataclass object by dotted name, for JSON."""
    return _flat({field.name: getattr(thing, field.name) for field in _fields(type(thing))}, "")


def differences(thing: Any) -> dict[str, Any]:
    """The values of a dataclass object that are not the default, by dotted name."""
    found: dict[str, Any] = {}
    for field in _fields(type(thing)):
        value, default = getattr(thing, field.name), _default(field)
        if default is dataclasses.MISSING and dataclasses.is_dataclass(value):
            found |= {f"{field.name}.{name}": own for name, own in differences(value).items()}
            continue
        known = {} if default is dataclasses.MISSING else _flat({field.name: default}, "")
        own = _flat({field.name: value}, "")
        found |= {n: v for n, v in own.items() if n not in known or known[n] != v}
    return found


def _flat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            inner = {field.name: getattr(value, field.name) for field in _fields(type(value))}
            found |= _flat(inner, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = _plain(value)
    return found


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_table(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _value(hint: Any, value: Any, where: str) -> Any:
    """``value`` if it is what ``hint`` says; tables and lists are converted."""
    if get_origin(hint) is UnionType:  # X | None
        hint = next(part for part in get_args(hint) if part is not NoneType)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise OstroError(f"{where} must be a table, not {value!r}")
        return parse_table(hint, value, where)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise OstroError(f"{where} must be one of {_listed(get_args(hint))}, not {value!r}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise OstroError(f"{where} must be a list, not {value!r}")
        inner = get_args(hint)[0]
        return tuple(_value(inner, one, f"{where}[{number}]") for number, one in enumerate(value))
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise OstroError(f"{where} must be {_NAMES[hint]}, not {value!r}")
    return value


_NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


def _toml_value(text: str) -> Any:
    """A value as TOML writes it; a word without quotes is a text, as a shell gives it."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(v) if isinstance(v, Mapping) else v for key, v in values.items()}


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(repr(value) for value in values)


def _suggestion(key: str, known: set[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"

"""Schemas from outside: which keywords can be enforced, and how costly a schema may be.

The library that turns a schema into a grammar passes over keywords it has never heard of, and
takes minutes for a few that it knows. Both are refused here, with the place and the reason.
"""

import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ostro.errors import OstroError

_NAMED_SCHEMAS = frozenset(("properties", "patternProperties", "$defs", "definitions"))
_SCHEMA_LISTS = frozenset(("anyOf", "oneOf", "allOf", "prefixItems"))
_SCHEMAS = frozenset(("items", "additionalItems", "additionalProperties"))
_VALUES = frozenset(
    ("type", "enum", "const", "required", "$ref", "pattern", "format", "multipleOf")
) | frozenset(
    edge + what for edge in ("min", "max") for what in ("Items", "Properties", "Length", "imum")
)
_EXCLUSIVE = frozenset(("exclusiveMinimum", "exclusiveMaximum"))
# They tell a reader something and restrict nothing; `discriminator` only repeats what `oneOf` says.
_NOTES = frozenset(
    ("title", "description", "default", "example", "examples", "deprecated", "readOnly")
) | frozenset(("writeOnly", "$comment", "discriminator"))
_DRAFTS = ("draft/2020-12/schema", "draft/2019-09/schema", "draft-07/schema", "draft-06/schema")
_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")
)
# Whatever meets another schema at the same place: both must hold, so they are intersected.
_MEETING = frozenset(("$ref", "anyOf", "oneOf", "allOf"))
_HARMLESS = frozenset(("type", "$defs", "definitions"))

# Each keeps the compilation of any schema below about a second; without them a schema of a few
# hundred bytes takes minutes. The cost of intersecting patterns doubles with each.
_MOST_MEETING_PATTERNS = 8
_MOST_PATTERNS = 200
_MOST_PATTERN_PROPERTIES = 32
_MOST_MULTIPLES = 10_000
_MOST_VALUES = 2_000
_MOST_PROPERTIES = 1_000


def checked_schema(text: str, *, max_bytes: int, max_depth: int) -> dict[str, Any]:
    """Read a schema and leave out what only tells a reader something.

    ``max_bytes`` counts the schema without that, ``max_depth`` objects and arrays inside each
    other. An OstroError says what cannot be enforced, or what makes the schema too costly.
    """
    try:
        schema = json.loads(text)
    except RecursionError:
        raise OstroError("the JSON schema is nested too deeply") from None
    except ValueError as error:
        raise OstroError(f"the JSON schema is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise OstroError("a JSON schema must be an object")
    # Only at the root: further down either would change what a $ref means.
    _check_draft(schema.pop("$schema", None))
    schema.pop("$id", None)
    check = _Check(schema, max_depth)
    result = check.schema(schema, "#", 1)
    assert isinstance(result, dict)
    check.costs()
    size = len(json.dumps(result))
    if size > max_bytes:
        raise OstroError(f"the JSON schema has {size} bytes, and {max_bytes} are the most")
    return result


def _check_draft(draft: object) -> None:
    """A newer draft may mean something else by the same words."""
    if draft is None:
        return
    name = draft.partition("://json-schema.org/")[2].rstrip("#") if isinstance(draft, str) else ""
    if name not in _DRAFTS:
        raise OstroError(f"JSON schemas of {draft!r} are not supported; write draft 2020-12")


class _Check:
    """Walks through one schema and adds up what makes it costly."""

    def __init__(self, root: dict[str, Any], max_depth: int) -> None:
        self._root, self._max_depth = root, max_depth
        self._patterns: set[str] = set()
        self._multiples: set[Decimal] = set()
        self._pattern_properties = self._values = self._properties = 0
        self._intersects = False

    def schema(self, schema: Any, path: str, depth: int) -> Any:
        """The schema without notes; ``path`` and ``depth`` are those of the place it stands at."""
        if depth > self._max_depth:
            raise OstroError(f"the JSON schema is nested more than {self._max_depth} levels deep")
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise OstroError(f"JSON schema, {path}: a schema must be an object or a boolean")
        kept = {name: value for name, value in schema.items() if name not in _NOTES}
        if "anyOf" not in kept and are_told_apart(kept.get("oneOf"), self._root):
            kept = {"anyOf" if name == "oneOf" else name: value for name, value in kept.items()}
        self._note_intersection(kept)
        return {
            name: self._keyword(name, value, f"{path}/{name}", depth + 1)
            for name, value in kept.items()
        }

    def _keyword(self, name: str, value: Any, path: str, depth: int) -> Any:
        """The value of one keyword, with the schemas in it checked."""
        if name in _NAMED_SCHEMAS:
            return self._named(name, value, path, depth)
        if name in _SCHEMA_LISTS or (name == "items" and isinstance(value, list)):
            if not isinstance(value, list):
                raise OstroError(f"JSON schema, {path}: expected a list of schemas")
            return [self.schema(s, f"{path}/{n}", depth + 1) for n, s in enumerate(value)]
        if name in _SCHEMAS:
            return self.schema(value, path, depth)
        if name not in _VALUES and name not in _EXCLUSIVE:
            raise OstroError(f"JSON schema, {path}: the keyword {name!r} is not supported")
        self._value(name, value, path)
        _check_depth(value, self._max_depth - depth)
        return value

    def _named(self, name: str, value: Any, path: str, depth: int) -> Any:
        if not isinstance(value, dict):
            raise OstroError(f"JSON schema, {path}: expected an object of schemas")
        if name == "patternProperties":
            self._pattern_properties += len(value)
            self._patterns.update(value)
        self._properties += len(value)
        return {key: self.schema(s, f"{path}/{key}", depth + 1) for key, s in value.items()}

    def _value(self, name: str, value: Any, path: str) -> None:
        if name == "format":
            if value not in _FORMATS:
                known = ", ".join(sorted(_FORMATS))
                raise OstroError(f"JSON schema, {path}: unknown format {value!r}; known: {known}")
            self._patterns.add(f"format {value}")
        elif name == "pattern":
            self._patterns.add(str(value))
        elif name in ("enum", "required") and isinstance(value, list):
            self._values += len(value)
        elif name == "multipleOf":
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise OstroError(f"JSON schema, {path}: expected a number above 0")
            self._multiples.add(Decimal(str(value)))

    def _note_intersection(self, schema: dict[str, Any]) -> None:
        meeting = schema.keys() & _MEETING
        others = schema.keys() - _MEETING - _HARMLESS
        several = isinstance(schema.get("allOf"), list) and len(schema["allOf"]) > 1
        self._intersects |= bool(meeting and others) or len(meeting) > 1 or several

    def costs(self) -> None:
        """Refuse what is known to take too long."""
        most = _MOST_MEETING_PATTERNS if self._intersects else _MOST_PATTERNS
        _limit(len(self._patterns), most, "patterns and formats that may meet")
        _limit(self._pattern_properties, _MOST_PATTERN_PROPERTIES, "patternProperties")
        _limit(self._values, _MOST_VALUES, "values in its enumerations")
        _limit(self._properties, _MOST_PROPERTIES, "properties and definitions")
        units = _units(self._multiples)
        # An automaton counts the remainder: one state for each.
        states = math.lcm(*units) if self._intersects else sum(units)
        _limit(states, _MOST_MULTIPLES, "remainders to tell apart for multipleOf")


def are_told_apart(options: Any, root: dict[str, Any]) -> bool:
    """Whether ``options`` are objects with a property that is another text in each of them.

    Then at most one can hold, and ``oneOf`` says no more than ``anyOf``. The library sees that for
    itself, but not through a ``$ref``, as it stands in what pydantic writes.
    """
    if not isinstance(options, list) or len(options) < 2:
        return False
    tables = [_texts_by_property(_resolved(option, root)) for option in options]
    for name in set(tables[0]).intersection(*tables[1:]):
        texts = [text for table in tables for text in table[name]]
        if len(texts) == len(set(texts)):
            return True
    return False


def _texts_by_property(schema: Any) -> dict[str, set[str]]:
    """The texts that each required property of an object may be, where nothing else is allowed."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return {}
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return {}
    tables = {}
    for name, value in properties.items():
        if name in required and isinstance(value, dict):
            texts = [value["const"]] if "const" in value else value.get("enum")
            if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
                tables[name] = set(texts)
    return tables


def _resolved(schema: Any, root: dict[str, Any]) -> Any:
    """What a reference into the same schema refers to; anything else as it is."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    found: Any = root
    for part in reference[2:].split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _limit(count: int, most: int, what: str) -> None:
    if count > most:
        raise OstroError(f"the JSON schema is too costly: {count} {what}, and {most} are the most")


def _units(multiples: Iterable[Decimal]) -> list[int]:
    """Each multiple in units of its own last digit: 0.25 is 25."""
    return [int("".join(map(str, m.as_tuple().digits))) for m in multiples]


def _check_depth(value: Any, left: int) -> None:
    """Refuse a constant that is nested too deeply."""
    if left < 0:
        raise OstroError("the JSON schema is nested too deeply")
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in children:
            _check_depth(child, left - 1)

"""``steering``: experts forced, forbidden or reweighted, for research. ostro's own extension.

Each table has layers as its keys, numbered from 0 and written as JSON writes keys: ``{"0": ...}``.
Whether the model has such a layer or expert is for the engine to say.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationInfo

from ostro.server.error_words import refusal
from ostro.server.schema_base import Fields, is_whole, limits_of, whole

_NUMBER = re.compile(r"0|[1-9][0-9]{0,3}")
_MOST_EXPERTS = 10_000  # As many as _NUMBER can name.

ReadEntry = Callable[[Any, tuple[str | int, ...]], tuple[Any, int]]


def _table(read: ReadEntry) -> PlainValidator:
    """A table by layer; ``read`` gives an entry's plain value, and for how many it counts."""

    def validate(value: Any, info: ValidationInfo) -> dict[int, Any]:
        most = limits_of(info).steered
        result: dict[int, Any] = {}
        total = 0
        for key, entry in _items(value, (), "layers"):
            result[int(key)], count = read(entry, (key,))
            total += count
            if total > most:
                raise refusal("too_long", f"must have at most {most} entries in all")
        return result

    return PlainValidator(validate)


def _items(value: Any, place: tuple[str | int, ...], what: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise refusal("object_type", f"must be an object with {what} as its keys", *place)
    for key in value:
        if not _NUMBER.fullmatch(key):
            raise refusal("number_key", f"is not the number of one of the {what}", *place, key)
    return list(value.items())


def _count(value: Any, place: tuple[str | int, ...]) -> tuple[int, int]:
    count = whole(value)
    if not is_whole(count) or not 1 <= count <= _MOST_EXPERTS:
        raise refusal("expert_count", "must be a whole number of experts from 1", *place)
    return count, 1


def _experts(value: Any, place: tuple[str | int, ...]) -> tuple[list[int], int]:
    if not isinstance(value, list):
        raise refusal("list_type", "must be a list of experts", *place)
    experts = [whole(expert) for expert in value]
    for index, expert in enumerate(experts):
        if not is_whole(expert) or not 0 <= expert < _MOST_EXPERTS:
            raise refusal("expert_number", "must be the number of an expert", *place, index)
    if len(set(experts)) < len(experts):
        raise refusal("repeated", "names an expert twice", *place)
    return experts, max(len(experts), 1)


def _factors(value: Any, place: tuple[str | int, ...]) -> tuple[dict[int, float], int]:
    items = _items(value, place, "experts")
    for key, factor in items:
        if type(factor) not in (int, float) or not 0 <= factor <= 1e6:
            raise refusal("factor_range", "must be a number from 0 to 1000000", *place, key)
    return {int(key): float(factor) for key, factor in items}, max(len(items), 1)


class Steering(Fields):
    """Changes to the router's choice, each by layer."""

    top_k: Annotated[dict[int, int], _table(_count)] = Field(default_factory=dict)
    """How many experts a token takes there."""
    force: Annotated[dict[int, list[int]], _table(_experts)] = Field(default_factory=dict)
    """Experts that every token takes there."""
    forbid: Annotated[dict[int, list[int]], _table(_experts)] = Field(default_factory=dict)
    """Experts that no token takes there."""
    reweight: Annotated[dict[int, dict[int, float]], _table(_factors)] = Field(default_factory=dict)
    """Factors on the weights of experts there."""

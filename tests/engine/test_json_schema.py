"""Schemas are checked before they are compiled."""

import json
from typing import Any

import pytest

from ostro.engine.json_schema import checked_schema
from ostro.engine.output_format import JsonSchema, Lark, lark_literal
from ostro.errors import OstroError


def check(schema: Any, *, max_bytes: int = 10_000, max_depth: int = 16) -> dict[str, Any]:
    return checked_schema(json.dumps(schema), max_bytes=max_bytes, max_depth=max_depth)


def test_what_tells_a_reader_something_is_left_out_and_the_rest_kept_in_order() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/city",
        "title": "City",
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "not a note: a property"},
            "default": {"anyOf": [{"type": "integer", "default": 1}, {"type": "null"}]},
        },
        "additionalProperties": False,
    }
    expected = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "default": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "additionalProperties": False,
    }
    assert json.dumps(check(schema)) == json.dumps(expected)


def test_values_of_constants_are_kept_whatever_their_keys_are_called() -> None:
    schema = {"enum": [{"title": 1, "not": [2]}], "default": 3}
    assert check(schema) == {"enum": [{"title": 1, "not": [2]}]}


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"not": {"type": "null"}}, "#/not: the keyword 'not' is not supported"),
        ({"type": "array", "uniqueItems": True}, "#/uniqueItems: the keyword 'uniqueItems'"),
        ({"properties": {"a": {"nullable": True}}}, "#/properties/a/nullable: the keyword"),
        ({"anyOf": [{}, {"if": {}}]}, "#/anyOf/1/if: the keyword"),
        ({"$defs": {"unused": {"contains": {}}}}, "#/$defs/unused/contains: the keyword"),
        ({"x-guidance": {"lenient": True}}, "the keyword 'x-guidance'"),
        ({"items": {"$id": "other"}}, "#/items/$id: the keyword"),
        ({"type": "string", "format": "password"}, "unknown format 'password'; known: date,"),
        ({"type": "number", "format": "double"}, "unknown format 'double'"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "draft-04"),
        ({"$schema": 7}, "JSON schemas of 7"),
        ({"properties": []}, "#/properties: expected an object"),
        ({"anyOf": {}}, "#/anyOf: expected a list"),
        ({"items": 3}, "#/items: a schema must be an object or a boolean"),
        ({"multipleOf": 0}, "#/multipleOf: expected a number above 0"),
        ([], "must be an object"),
    ],
)
def test_what_cannot_be_enforced_is_refused_with_its_place(schema: Any, complaint: str) -> None:
    with pytest.raises(OstroError) as caught:
        check(schema)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"allOf": [{"pattern": f"a{i}"} for i in range(9)]}, "9 patterns and formats"),
        ({"enum": list(range(2001))}, "2001 values"),
        ({"patternProperties": {f"^a{i}$": {} for i in range(33)}}, "33 patternProperties"),
        ({"properties": {f"a{i}": {} for i in range(1001)}}, "1001 properties"),
        ({"multipleOf": 99_991}, "99991 remainders"),
        ({"multipleOf": 0.12345}, "12345 remainders"),
        ({"allOf": [{"multipleOf": 97}, {"multipleOf": 105}]}, "10185 remainders"),
        ({"$ref": "#/$defs/a", "multipleOf": 1009, "$defs": {"a": {"multipleOf": 11}}}, "11099"),
        ({"const": "a" * 10_000}, "10013 bytes, and 10000"),
        (nested(17), "nested"),
        ({"const": [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}, "nested"),
    ],
)
def test_what_would_take_too_long_is_refused(schema: Any, complaint: str) -> None:
    with pytest.raises(OstroError, match=complaint):
        check(schema)


def kind(text: Any, **more: Any) -> dict[str, Any]:
    """An object that ``kind`` tells apart from others."""
    return {"type": "object", "properties": {"kind": text}, "required": ["kind"], **more}


@pytest.mark.parametrize(
    ("other", "told_apart"),
    [
        (kind({"const": "b"}), True),
        (kind({"enum": ["b", "c"]}), True),
        (kind({"enum": ["b", "a"]}), False),
        (kind({"type": "string"}), False),
        (kind({"const": "b"}, required=[]), False),
        (kind({"const": "b"}, type=["object", "null"]), False),
        ({"$ref": "#/$defs/a"}, False),
        ({"$ref": "#/$defs/lost/further"}, False),
        ({"$ref": "other"}, False),
        (True, False),
    ],
)
def test_alternatives_behind_references_that_a_text_tells_apart_exclude_each_other(
    other: Any, told_apart: bool
) -> None:
    names = {"a": kind({"const": "a"}), "other": other}
    one_of = [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/other"}]
    checked = check({"$defs": names, "oneOf": one_of, "discriminator": {"propertyName": "kind"}})
    assert checked == {"$defs": names, "anyOf" if told_apart else "oneOf": one_of}


def test_costs_that_cannot_meet_are_allowed() -> None:
    patterns = {"anyOf": [{"pattern": f"a{i}"} for i in range(50)]}
    multiples = {"anyOf": [{"multipleOf": 97}, {"multipleOf": 105}]}
    assert check(patterns) == patterns
    assert check(multiples) == multiples
    assert check(nested(6)) == nested(6)


def test_a_schema_no_parser_can_follow_is_refused() -> None:
    with pytest.raises(OstroError, match="nested too deeply"):
        checked_schema('{"items":' * 100_000, max_bytes=1_000_000, max_depth=16)
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"items": deep}
    with pytest.raises(OstroError, match="nested too deeply"):
        JsonSchema.of(deep)


@pytest.mark.parametrize("value", [{"a": {1, 2}}, {"const": float("nan")}, [1], "text"])
def test_a_schema_that_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(OstroError, match=r"not JSON|must be an object"):
        JsonSchema.of(value)


def test_formats_are_values_and_keep_the_order_of_properties() -> None:
    one, two = ({"properties": {a: {}, b: {}}} for a, b in ("ab", "ba"))
    assert JsonSchema.of(one) == JsonSchema.of(dict(one))
    assert JsonSchema.of(one) != JsonSchema.of(two)
    formats = {JsonSchema.of(one), JsonSchema.of(dict(one)), Lark.around("<", JsonSchema("{}"))}
    assert len(formats) == 2
    assert lark_literal('a"\x7f\n') == '"a\\"\\u007f\\n"'

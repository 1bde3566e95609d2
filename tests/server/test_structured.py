"""Answers in a form: whatever the model would rather say, what ends on ``stop`` has it."""

import json
import re

import jsonschema
import pytest

from server.conversation import MODEL, TOOLS, ask, choice, events, refused, streamed_text

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 99}, {"type": "null"}]},
        "colour": {"$ref": "#/$defs/colour"},
    },
    "required": ["name", "age", "colour"],
    "additionalProperties": False,
    "$defs": {"colour": {"enum": ["red", "blue"]}},
}


def schema(value: dict) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": value, "strict": True}}


@pytest.mark.parametrize("seed", range(4))
def test_a_schema_is_kept(babbling, seed) -> None:
    fields = {"temperature": 1.5, "seed": seed, "response_format": schema(PERSON)}
    found = choice(ask(babbling, max_tokens=120, **fields))
    assert found["finish_reason"] == "stop"
    jsonschema.validate(json.loads(found["message"]["content"]), PERSON)
    assert (
        streamed_text(events(ask(babbling, max_tokens=120, stream=True, **fields)))
        == (found["message"]["content"])
    )


def test_all_choices_keep_it(babbling) -> None:
    response = ask(babbling, n=3, temperature=1.5, seed=1, response_format=schema(PERSON))
    texts = [one["message"]["content"] for one in response.json()["choices"]]
    assert len({*texts}) == 3
    for text in texts:
        jsonschema.validate(json.loads(text), PERSON)


def test_a_pattern_and_a_choice_are_kept(babbling) -> None:
    pattern = {"type": "regex", "regex": "[a-f]{3}-[0-9]{2}"}
    for seed in range(3):
        found = choice(ask(babbling, temperature=1.5, seed=seed, response_format=pattern))
        assert re.fullmatch(pattern["regex"], found["message"]["content"])
        options = {"type": "choice", "choice": ["yes", "no", "perhaps"]}
        found = choice(ask(babbling, temperature=1.5, seed=seed, response_format=options))
        assert found["message"]["content"] in options["choice"]


def test_a_required_call_fits_its_schema(babbling) -> None:
    tool = {"type": "function", "function": {"name": "put", "parameters": PERSON}}
    found = choice(ask(babbling, temperature=1.5, seed=3, tools=[tool], tool_choice="any"))
    assert found["finish_reason"] == "tool_calls"
    for call in found["message"]["tool_calls"]:
        assert call["function"]["name"] == "put"
        jsonschema.validate(json.loads(call["function"]["arguments"]), PERSON)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"response_format": schema({"type": "frog"})}, 400, "can't be enforced"),
        ({"response_format": schema({"not": {"type": "string"}})}, 400, "not"),
        ({"response_format": {"type": "regex", "regex": "("}}, 400, "can't be enforced"),
        ({"response_format": {"type": "json_object"}, "stop": "}"}, 400, "stop does not go with"),
        ({"response_format": {"type": "json_object"}, "min_tokens": 2}, 400, "min_tokens does not"),
        ({"response_format": {"type": "json_object"}, "tools": TOOLS}, 422, "go with tools"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(babbling, fields, status, words) -> None:
    assert words in refused(ask(babbling, **fields), status)["message"]


def test_a_completion_may_have_a_form_as_well(babbling) -> None:
    body = {"model": MODEL, "prompt": "a", "response_format": {"type": "choice", "choice": ["b c"]}}
    response = babbling.post("/v1/completions", json=body)
    assert response.json()["choices"][0]["text"] == "b c"


def test_many_forms_at_once_are_each_kept_as_alone(babbling) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def one(seed: int) -> str:
        fields = {"temperature": 1.5, "seed": seed, "response_format": schema(PERSON)}
        return choice(ask(babbling, max_tokens=120, **fields))["message"]["content"]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(one, range(8)))
    assert together == [one(seed) for seed in range(8)]

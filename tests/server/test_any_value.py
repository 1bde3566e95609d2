"""Whatever JSON holds, reading and validating it gives a request or the one kind of error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.server.errors import ApiError, error_response
from ostro.server.limits import Limits
from ostro.server.request_json import read_json
from ostro.server.schema_chat import ChatRequest
from ostro.server.schema_completions import CompletionRequest
from ostro.server.schema_text import (
    DetokenizeRequest,
    ModerationRequest,
    TemplateRequest,
    TokenizeRequest,
)

LIMITS = Limits()
KINDS = (
    ChatRequest,
    CompletionRequest,
    TokenizeRequest,
    DetokenizeRequest,
    TemplateRequest,
    ModerationRequest,
)
NAMES = sorted(
    {name for kind in KINDS for name in kind.model_fields}
    | {"role", "content", "type", "text", "function", "name", "arguments", "id", "schema"}
    | {"json_schema", "regex", "choice", "include_usage", "force", "forbid", "reweight", "layers"}
    | {"0", "1"}
)
WORDS = ["user", "assistant", "tool", "function", "text", "json_schema", "any", "x", "", "\ud800"]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 1 << 64, 1e308])
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
keys = st.sampled_from(NAMES) | st.text(max_size=5)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)
bodies = values | st.dictionaries(st.sampled_from(NAMES), values, max_size=8)


def outcome(kind, value) -> None:
    try:
        kind.parse(value, LIMITS)
    except ApiError as error:
        response = error_response(error)
        assert response.status == 422
        assert "\n" not in response.body["message"]
        json.dumps(response.body, allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_value_is_a_request_or_a_422(kind, data) -> None:
    outcome(kind, data.draw(bodies))


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(ChatRequest.model_fields)), value=values)
def test_any_value_of_one_field_of_a_chat(name: str, value) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    outcome(ChatRequest, {**body, name: value})


@settings(max_examples=60, deadline=None)
@given(message=st.dictionaries(st.sampled_from(NAMES), values, max_size=6))
def test_any_message(message) -> None:
    outcome(ChatRequest, {"model": "m", "messages": [message]})


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=40) | st.text('[]{}":,0123eE+-.\\ud89 \n', max_size=30).map(str.encode)
)
def test_any_bytes_are_a_value_or_a_400(body: bytes) -> None:
    try:
        value, status = read_json(body, LIMITS), 200
    except ApiError as error:
        value, status = None, error.status
    assert status in (200, 400)
    if status == 200:
        assert value == json.loads(body)


@settings(max_examples=100, deadline=None)
@given(value=st.recursive(leaves.filter(lambda x: x == x), lambda i: st.lists(i, max_size=3)))
def test_what_json_writes_is_read_back(value) -> None:
    text = json.dumps(value)
    if "Infinity" in text or "\\ud800" in text:
        with pytest.raises(ApiError):
            read_json(text.encode(), LIMITS)
    else:
        assert read_json(text.encode(), LIMITS) == value

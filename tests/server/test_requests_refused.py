"""Each refusal has its status, names the field, and says what is wrong in words."""

import pytest

from ostro.server.errors import ApiError, error_response
from ostro.server.limits import Limits
from ostro.server.schema_chat import ChatRequest
from ostro.server.schema_completions import CompletionRequest
from ostro.server.schema_text import DetokenizeRequest, ModerationRequest, TokenizeRequest

LIMITS = Limits()
USER = {"role": "user", "content": "x"}
TOOL = {"type": "function", "function": {"name": "get"}}
CALL = {"function": {"name": "get", "arguments": "{}"}}
SCHEMA = {"name": "Out", "schema": {}}


def refused(kind, body, limits: Limits = LIMITS) -> ApiError:
    with pytest.raises(ApiError) as caught:
        kind.parse(body, limits)
    error = caught.value
    response = error_response(error)
    assert (error.status, response.status) == (422, 422)
    assert "\n" not in str(error)
    assert response.body["detail"][0]["loc"][0] == "body"
    return error


def message(content) -> dict:
    return {"messages": [{"role": "user", "content": content}]}


def schema(**fields) -> dict:
    return {"response_format": {"type": "json_schema", "json_schema": {**SCHEMA, **fields}}}


def steering(**tables) -> dict:
    return {"steering": tables}


CHATS = [
    # What is unknown, missing, or not served.
    ({"best_off": 1}, "best_off", "is an unknown field"),
    ({"best_off": None}, "best_off", "is an unknown field"),
    ({"a b": 1}, "['a b']", "is an unknown field"),
    ({"model": None}, "model", "is required"),
    ({"messages": None}, "messages", "is required"),
    ({"guardrails": []}, "guardrails", "is not served"),
    ({"prediction": {"type": "content", "content": "x"}}, "prediction", "is not served"),
    ({"reasoning_effort": "low"}, "reasoning_effort", "is not served"),
    ({"prompt_mode": "reasoning"}, "prompt_mode", "is not served"),
    ({"functions": []}, "functions", "use tools"),
    ({"modalities": ["text", "audio"]}, "modalities", "text only"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type", "built-in tools are not served"),
    # Numbers and switches.
    ({"temperature": 2.1}, "temperature", "must be less than or equal to 2"),
    ({"temperature": -0.1}, "temperature", "greater than or equal to 0"),
    ({"temperature": "1"}, "temperature", "number"),
    ({"temperature": True}, "temperature", "number"),
    ({"temperature": 10**400}, "temperature", "number"),
    ({"temperature": float("nan")}, "temperature", "number"),
    ({"top_p": 1.1}, "top_p", "less than or equal to 1"),
    ({"min_p": -1}, "min_p", "greater than or equal to 0"),
    ({"top_k": -2}, "top_k", "greater than or equal to 0"),
    ({"top_k": 1.5}, "top_k", "whole number"),
    ({"repetition_penalty": 0}, "repetition_penalty", "greater than or equal to 0.01"),
    ({"presence_penalty": 3}, "presence_penalty", "less than or equal to 2"),
    ({"frequency_penalty": -3}, "frequency_penalty", "greater than or equal to -2"),
    ({"max_tokens": "5"}, "max_tokens", "whole number"),
    ({"max_tokens": True}, "max_tokens", "whole number"),
    ({"max_tokens": -1}, "max_tokens", "greater than or equal to 0"),
    ({"max_completion_tokens": 1 << 40}, "max_completion_tokens", "at most 1048576"),
    ({"seed": -1}, "seed", "from 0 to 2^64 - 1"),
    ({"random_seed": 1 << 64}, "random_seed", "from 0 to 2^64 - 1"),
    ({"n": 0}, "n", "greater than or equal to 1"),
    ({"n": 17}, "n", "at most 16"),
    ({"stream": 1}, "stream", "valid boolean"),
    ({"stream": "true"}, "stream", "valid boolean"),
    ({"logprobs": 5}, "logprobs", "valid boolean"),
    ({"model": 5}, "model", "text"),
    ({"model": ""}, "model", "1 to 256 characters"),
    ({"model": "m" * 257}, "model", "1 to 256 characters"),
    # Fields that need or contradict one another.
    ({"seed": 1, "random_seed": 2}, "random_seed", "means the same as seed, but 2 is not 1"),
    (
        {"max_tokens": 1, "max_completion_tokens": 2},
        "max_completion_tokens",
        "means the same as max_tokens",
    ),
    ({"max_tokens": 1, "min_tokens": 2}, "min_tokens", "at most max_tokens"),
    ({"top_logprobs": 1}, "top_logprobs", "needs logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "at most 20"),
    ({"top_prompt_logprobs": 1}, "top_prompt_logprobs", "needs prompt_logprobs"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "needs stream"),
    (
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        "stream_options.include_obfuscation",
        "is not served",
    ),
    # Lists and tables.
    ({"stop": ""}, "stop", "1 to 512 characters"),
    ({"stop": ["a", 1]}, "stop[1]", "must be a text"),
    ({"stop": ["a", "b" * 513]}, "stop[1]", "1 to 512 characters"),
    ({"stop": ["a"] * 17}, "stop", "at most 16 entries"),
    ({"stop": {}}, "stop", "a text or a list of texts"),
    ({"stop_token_ids": [-1]}, "stop_token_ids[0]", "greater than or equal to 0"),
    ({"stop_token_ids": [1] * 65}, "stop_token_ids", "at most 64 entries"),
    ({"logit_bias": {"-1": 1}}, "logit_bias['-1']", "is not a token id"),
    ({"logit_bias": {"01": 1}}, "logit_bias['01']", "is not a token id"),
    ({"logit_bias": {"\u0661": 1}}, "logit_bias['\u0661']", "is not a token id"),
    ({"logit_bias": {"1": 101}}, "logit_bias['1']", "from -100 to 100"),
    ({"logit_bias": {"1": True}}, "logit_bias['1']", "from -100 to 100"),
    ({"logit_bias": {str(i): 1 for i in range(1025)}}, "logit_bias", "at most 1024 entries"),
    ({"logit_bias": [1]}, "logit_bias", "an object"),
    # The form of the answer.
    ({"response_format": "json"}, "response_format", "must be an object"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "'json_object'"),
    ({"response_format": {"type": "regex"}}, "response_format.regex", "is required"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "is required"),
    ({"response_format": {"regex": "a"}}, "response_format.regex", "does not go with type 'text'"),
    (
        {"response_format": {"type": "choice", "choice": []}},
        "response_format.choice",
        "none of them empty",
    ),
    (
        {"response_format": {"type": "choice", "choice": ["a", "a"]}},
        "response_format.choice",
        "twice",
    ),
    (schema(schema=[]), "response_format.json_schema.schema", "dictionary"),
    (schema(schema=None), "response_format.json_schema.schema", "is required"),
    (schema(name="a b"), "response_format.json_schema.name", "1 to 64 characters"),
    (schema(schema={"a": "x" * 70_000}), "response_format.json_schema.schema", "65536 bytes"),
    (schema(shema={}), "response_format.json_schema.shema", "is an unknown field"),
    # Tools.
    ({"tools": [{"type": "function"}]}, "tools[0].function", "is required"),
    (
        {"tools": [{"function": {"name": "a b"}}]},
        "tools[0].function.name",
        "1 to 64 characters of a-z",
    ),
    ({"tools": [TOOL, TOOL]}, "tools[1]", "the name of another tool, 'get'"),
    ({"tools": [TOOL] * 129}, "tools", "at most 128 entries"),
    ({"tool_choice": "any"}, "tool_choice", "needs tools"),
    ({"tool_choice": "maybe"}, "tool_choice", "must be auto, none, any, required or"),
    ({"tool_choice": {"type": "function"}}, "tool_choice", "must be auto"),
    (
        {"tools": [TOOL], "tool_choice": {"function": {"name": "put"}}},
        "tool_choice",
        "not among tools",
    ),
    # Messages.
    ({"messages": "hi"}, "messages", "valid list"),
    ({"messages": [5]}, "messages[0]", "must be an object"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "is required"),
    (
        {"messages": [{"role": "system", "content": None}]},
        "messages[0].content",
        "is required",
    ),
    ({"messages": [{"role": "bot", "content": "x"}]}, "messages[0].role", "'assistant' or 'tool'"),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "is required"),
    ({"messages": [{**USER, "colour": "red"}]}, "messages[0].colour", "is an unknown field"),
    ({"messages": [{**USER, "prefix": True}]}, "messages[0].prefix", "of the assistant"),
    ({"messages": [{**USER, "tool_calls": [CALL]}]}, "messages[0].tool_calls", "of the assistant"),
    ({"messages": [{**USER, "tool_call_id": "a"}]}, "messages[0].tool_call_id", "of a tool"),
    ({"messages": [{**USER, "annotations": [1]}]}, "messages[0].annotations", "must be empty"),
    (message(5), "messages[0].content", "a text or a list of text chunks"),
    (
        message([{"type": "image_url", "image_url": "x"}]),
        "messages[0].content[0].type",
        "reads text only",
    ),
    (message(["a", {"type": "text"}]), "messages[0].content[1]", "{'type': 'text', 'text': ...}"),
    (message([{"text": "a", "cache": 1}]), "messages[0].content[0]", "{'type': 'text'"),
    (message(["a"] * 1025), "messages[0].content", "at most 1024 entries"),
    ({"messages": [USER] * 4097}, "messages", "at most 4096 entries"),
    # Steering.
    (steering(top_kk={}), "steering", "steering unknown key 'top_kk'"),
    (steering(top_k=1.5), "steering", "top_k must be a whole number, not 1.5"),
    (steering(force={"x": [1]}), "steering", "force must be a list of whole numbers"),
    (steering(force=[True]), "steering", "force must be a list of whole numbers"),
    (steering(reweight={"01": 1}), "steering", "keys of reweight must be whole numbers, not '01'"),
    (steering(reweight={"1": 10**400}), "steering", "must be a finite number"),
    (steering(layers={"x": {}}), "steering", "keys of layers must be whole numbers, not 'x'"),
    (steering(layers={"3": {"layers": {}}}), "steering", "steering layer 3: unknown key 'layers'"),
    (steering(layers={"3": 5}), "steering", "layers: 3 must be a table, not 5"),
    ({"steering": [1]}, "steering", "must be an object"),
    (steering(force=list(range(4096))), "steering", "at most 4096 entries in all"),
    (
        steering(layers={str(layer): {"top_k": 1} for layer in range(2048)}),
        "steering",
        "at most 4096 entries in all",
    ),
]


@pytest.mark.parametrize(("fields", "param", "words"), CHATS)
def test_a_chat_is_refused_with_words(fields, param: str, words: str) -> None:
    error = refused(ChatRequest, {"model": "m", "messages": [USER], **fields})
    assert error.param == param
    assert words in str(error)
    assert str(error).startswith(param)


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"suffix": "x"}, "suffix", "is not served"),
        ({"best_of": 2}, "best_of", "must equal n"),
        ({"messages": [USER]}, "messages", "is an unknown field"),
        ({"logprobs": True}, "logprobs", "whole number"),
        ({"logprobs": 21}, "logprobs", "at most 20"),
        ({"prompt": None}, "prompt", "is required"),
        ({"prompt": []}, "prompt", "a list of texts, of token ids"),
        ({"prompt": {}}, "prompt", "a list of texts, of token ids"),
        ({"prompt": ["a", 1]}, "prompt[1]", "a text like the first"),
        ({"prompt": [1, "a"]}, "prompt[1]", "must be a token id"),
        ({"prompt": [True]}, "prompt[0]", "must be a token id"),
        ({"prompt": [[1], "a"]}, "prompt[1]", "a list of token ids"),
        ({"prompt": [[1], [1.5]]}, "prompt[1][0]", "must be a token id"),
        ({"prompt": ["a"] * 65}, "prompt", "at most 64 entries"),
        ({"prompt": ["a"] * 64, "n": 3}, "n", "more than 128 answers"),
        ({"prompt": [1] * ((1 << 18) + 1)}, "prompt", "at most 262144 entries"),
    ],
)
def test_a_completion_is_refused_with_words(fields, param: str, words: str) -> None:
    error = refused(CompletionRequest, {"model": "m", "prompt": "x", **fields})
    assert error.param == param
    assert words in str(error)


@pytest.mark.parametrize(
    ("kind", "body", "param", "words"),
    [
        (TokenizeRequest, {}, "prompt", "either as prompt or as messages"),
        (TokenizeRequest, {"prompt": "a", "messages": [USER]}, "prompt", "either"),
        (TokenizeRequest, {"prompt": "a", "safe_prompt": True}, "safe_prompt", "needs messages"),
        (
            TokenizeRequest,
            {"messages": [USER], "add_special_tokens": True},
            "add_special_tokens",
            "by itself",
        ),
        (DetokenizeRequest, {"tokens": [-1]}, "tokens[0]", "must be a token id"),
        (DetokenizeRequest, {"tokens": "a"}, "tokens", "a list of token ids"),
        (ModerationRequest, {"model": "m", "input": []}, "input", "at least 1 item"),
        (ModerationRequest, {"model": "m", "input": [USER, 5]}, "input[0][1]", "an object"),
        (ModerationRequest, {"model": "m"}, "input", "is required"),
    ],
)
def test_other_requests_are_refused_with_words(kind, body, param: str, words: str) -> None:
    error = refused(kind, body)
    assert error.param == param
    assert words in str(error)


@pytest.mark.parametrize("body", [None, [], "x", 5, True])
def test_a_body_must_be_an_object(body) -> None:
    error = refused(ChatRequest, body)
    assert (str(error), error.param) == ("the body must be an object", None)


def test_several_mistakes_are_counted_and_listed() -> None:
    body = {"model": "m", "messages": [USER], "temperature": 3, "n": 0}
    error = refused(ChatRequest, body)
    assert str(error).endswith("(and 1 more)")
    assert {tuple(entry["loc"]) for entry in error.detail} == {
        ("body", "temperature"),
        ("body", "n"),
    }


def test_thousands_of_mistakes_stay_a_short_answer() -> None:
    unknown = refused(ChatRequest, {"messages": [], **{f"x{i}" * 99: 1 for i in range(2000)}})
    assert len(unknown.detail) == 1
    assert len(str(unknown)) < 300
    wrong = refused(ChatRequest, {"model": "m", "messages": [{"role": "user"}] * 4096})
    assert len(wrong.detail) == 20


def test_a_reason_quotes_little_of_what_was_sent() -> None:
    body = {"model": "m", "messages": [USER], "steering": {"force": "x" * 100_000}}
    error = refused(ChatRequest, body)
    assert len(error.detail[0]["msg"]) < 400


def test_limits_are_those_that_are_given() -> None:
    tight = Limits(n=2, messages=1)
    assert "at most 2" in str(
        refused(ChatRequest, {"model": "m", "messages": [USER], "n": 3}, tight)
    )
    two = {"model": "m", "messages": [USER, USER]}
    assert "at most 1 entries" in str(refused(ChatRequest, two, tight))
    assert len(ChatRequest.parse(two, LIMITS).messages) == 2

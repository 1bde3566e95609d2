"""What clients really send is accepted, and means what they mean by it."""

import json

import pytest

from ostro.model.steering import LayerSteering, Steering, parse_steering
from ostro.server.limits import Limits
from ostro.server.request_json import read_json
from ostro.server.schema_chat import ChatRequest
from ostro.server.schema_completions import CompletionRequest
from ostro.server.schema_formats import OneTool
from ostro.server.schema_text import ModerationRequest
from ostro.text.messages import parse_messages
from server.recorded_requests import CHAT, COMPLETIONS, MODERATIONS

LIMITS = Limits()
USER = {"role": "user", "content": "x"}


def recorded(name: str) -> ChatRequest:
    return ChatRequest.parse(read_json(CHAT[name].encode(), LIMITS), LIMITS)


def chat(**fields) -> ChatRequest:
    return ChatRequest.parse({"model": "m", "messages": [USER], **fields}, LIMITS)


@pytest.mark.parametrize("name", CHAT)
def test_recorded_chats_are_accepted(name: str) -> None:
    request = recorded(name)
    body = json.loads(CHAT[name])
    assert request.model == body["model"]
    assert len(request.messages) == len(body["messages"])
    assert request.stream == body.get("stream", False)


@pytest.mark.parametrize("name", COMPLETIONS)
def test_recorded_completions_are_accepted(name: str) -> None:
    request = CompletionRequest.parse(json.loads(COMPLETIONS[name]), LIMITS)
    assert request.model == "demo"


@pytest.mark.parametrize(("name", "count"), list(zip(MODERATIONS, (1, 2), strict=True)))
def test_recorded_moderations_are_accepted(name: str, count: int) -> None:
    request = ModerationRequest.parse(json.loads(MODERATIONS[name]), LIMITS)
    assert [len(conversation) for conversation in request.input] == [1] * count


def test_old_clients_fields_arrive() -> None:
    request = recorded("mistralai-0.0.12")
    assert (request.temperature, request.top_p, request.token_limit) == (0.5, 0.9, 5)
    assert (request.chosen_seed, request.safe_prompt, request.n) == (3, False, 1)
    assert recorded("mistralai-0.0.12 safe_mode").safe_prompt
    assert recorded("mistralai-0.0.12 stream").stream


def test_every_null_is_the_default() -> None:
    request = recorded("mistralai-1.12.4 nulls")
    assert request.stop == ("a",)
    assert request.presence_penalty == 0.5
    nullable = ("temperature", "max_tokens", "random_seed", "tools", "n", "prompt_mode")
    plain = chat()
    assert [getattr(request, name) for name in nullable] == [getattr(plain, n) for n in nullable]
    names = [name for name in ChatRequest.model_fields if name not in ("model", "messages")]
    assert chat(**dict.fromkeys(names)) == plain


def test_defaults_change_nothing() -> None:
    request = chat()
    assert (request.temperature, request.top_p, request.token_limit) == (None, None, None)
    assert (request.top_k, request.min_p, request.repetition_penalty) == (0, 0.0, 1.0)
    assert (request.presence_penalty, request.frequency_penalty, request.logit_bias) == (0, 0, {})
    assert (request.stop, request.stop_token_ids, request.min_tokens) == ((), [], 0)
    assert (request.tools, request.tool_choice, request.parallel_tool_calls) == ([], "auto", True)
    assert request.response_format.type == "text"
    assert request.chosen_seed is None
    assert not request.wants_usage_event


def test_both_dialects_in_one_request() -> None:
    request = recorded("openai-3.57.0 everything")
    assert request.messages == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "x"},
    ]
    assert (request.token_limit, request.chosen_seed, request.n) == (5, 1, 2)
    assert request.logit_bias == {5: -100.0}
    assert request.stop_token_ids == [7]
    assert request.steering == Steering(
        default=LayerSteering(force=[2], top_k=1),
        layers={1: LayerSteering(forbid=[3], reweight={1: 0.5})},
    )


def test_steering_is_what_the_model_reads() -> None:
    table = {"force": [1], "reweight": {"0": -0.5}, "layers": {"2": {"top_k": 3}}}
    assert chat(steering=table).steering == parse_steering(table)
    assert chat(steering={}).steering == Steering()
    nulls = {"force": [1.0], "forbid": None, "layers": {"2": {"top_k": 3.0, "force": None}}}
    assert chat(steering=nulls).steering == parse_steering(
        {"force": [1], "layers": {"2": {"top_k": 3}}}
    )
    assert len(chat(steering={"force": list(range(4095))}).steering.default.force) == 4095


def test_two_names_of_one_setting() -> None:
    assert chat(random_seed=4).chosen_seed == 4
    assert chat(seed=0).chosen_seed == 0
    assert chat(seed=5, random_seed=5).chosen_seed == 5
    assert chat(max_completion_tokens=6).token_limit == 6
    assert chat(max_tokens=0).token_limit == 0


def test_whole_numbers_may_be_written_with_a_point() -> None:
    request = chat(max_tokens=3.0, n=2.0, top_k=-1.0, stop_token_ids=[4.0])
    assert (request.max_tokens, request.n, request.top_k) == (3, 2, 0)
    assert type(request.max_tokens) is int
    assert request.stop_token_ids == [4]


def test_tool_choices_of_both_dialects() -> None:
    tools = [{"function": {"name": "get"}}, {"type": "function", "function": {"name": "put"}}]
    one = {"type": "function", "function": {"name": "put"}}
    given = ["auto", "none", "any", "required", one, {"function": {"name": "get"}}]
    choices = [chat(tools=tools, tool_choice=choice).tool_choice for choice in given]
    assert choices == ["auto", "none", "any", "any", OneTool("put"), OneTool("get")]
    assert chat(tools=tools).tools[1].plain() == {
        "type": "function",
        "function": {"name": "put", "description": "", "parameters": {}, "strict": False},
    }


def test_formats_of_answers() -> None:
    assert chat(response_format={"type": "json_object"}).response_format.type == "json_object"
    parsed = recorded("mistralai-3.7.0 parse").response_format.json_schema
    assert parsed is not None
    assert (parsed.name, parsed.strict) == ("Out", True)
    assert parsed.schema_definition["properties"]["x"] == {"$ref": "#/$defs/In"}
    regex = chat(response_format={"type": "regex", "regex": "[0-9]+"}).response_format
    assert regex.regex == "[0-9]+"
    choice = chat(response_format={"type": "choice", "choice": ["yes", "no"]}).response_format
    assert choice.choice == ["yes", "no"]


def test_messages_become_one_plain_form() -> None:
    assert recorded("openai-3.57.0 answer sent back").messages == [
        {"role": "user", "content": "x"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "QUodL7Doe",
                    "type": "function",
                    "function": {"name": "get", "arguments": '{"a": 1}'},
                }
            ],
        },
        {
            "role": "tool",
            "content": [{"type": "text", "text": "7"}],
            "tool_call_id": "QUodL7Doe",
        },
    ]
    as_object = recorded("mistralai-2.10.1 arguments as object").messages[1]
    assert as_object["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    texts = recorded("mistralai-0.1.8 list of texts").messages[0]["content"]
    assert texts == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_a_call_without_an_id_has_none() -> None:
    calls = [
        {"id": "null", "function": {"name": "a", "arguments": "{}"}},
        {"function": {"name": "b"}},
    ]
    request = chat(messages=[USER, {"role": "assistant", "content": None, "tool_calls": calls}])
    assert request.messages[1]["tool_calls"] == [
        {"type": "function", "function": {"name": "a", "arguments": "{}"}},
        {"type": "function", "function": {"name": "b", "arguments": "{}"}},
    ]


def test_plain_messages_are_what_the_text_room_reads() -> None:
    values = recorded("mistralai-1.12.4 prefix").messages
    assert values[1] == {"role": "assistant", "content": "no", "prefix": True}
    messages = parse_messages(values)
    assert [(m.role, m.content, m.prefix) for m in messages] == [
        ("user", "a", False),
        ("assistant", "no", True),
    ]
    nothing_said = parse_messages(chat(messages=[{"role": "user", "content": None}]).messages)
    assert nothing_said[0].content == ""


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2.0], [(1, 2)]),
        ([[1], []], [(1,), ()]),
    ],
)
def test_prompts_come_in_four_forms(prompt, prompts) -> None:
    assert CompletionRequest.parse({"model": "m", "prompt": prompt}, LIMITS).prompt == prompts

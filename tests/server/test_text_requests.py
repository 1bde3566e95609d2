"""Tokens and templates, without running the model."""

import pytest

from ostro.text.safe_prompt import SAFE_PROMPT
from server.conversation import HELLO, TOOLS, refused
from tiny_chat import BOS, EOS, START, chat_ids, text_ids


def post(client, path: str, **body):
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({}, [BOS, *text_ids("né")]),
        ({"add_special_tokens": True}, [BOS, *text_ids("né")]),
        ({"add_special_tokens": False}, text_ids("né")),
    ],
)
def test_tokens_of_a_text(spelling, speller, fields, ids) -> None:
    body = post(spelling, "/tokenize", prompt="né", **fields)
    assert body == {"tokens": ids, "count": len(ids), "max_model_len": speller.context}


def test_tokens_of_a_conversation(spelling) -> None:
    body = post(spelling, "/tokenize", messages=HELLO, return_token_strs=True)
    assert body["tokens"] == chat_ids(("user", "Hello"))
    assert body["token_strs"][:3] == ["<s>", "<|im_start|>", "u"]
    safe = post(spelling, "/tokenize", messages=HELLO, safe_prompt=True)
    assert safe["tokens"] == chat_ids(("system", SAFE_PROMPT), ("user", "Hello"))


def test_what_looks_like_a_control_token_is_text(spelling) -> None:
    assert post(spelling, "/tokenize", prompt="</s>")["tokens"] == [BOS, *text_ids("</s>")]


def test_texts_of_tokens(spelling) -> None:
    assert post(spelling, "/detokenize", tokens=[BOS, *text_ids("né"), EOS]) == {"prompt": "né"}
    response = spelling.post("/detokenize", json={"tokens": [START, 99999]})
    assert "token id 99999" in refused(response, 400)["message"]


def test_what_the_model_reads(spelling) -> None:
    body = post(spelling, "/apply-template", messages=HELLO)
    assert body["prompt"] == ("<s><|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n")
    assert body["tokens"] == chat_ids(("user", "Hello"))
    with_tools = post(spelling, "/apply-template", messages=HELLO, tools=TOOLS, safe_prompt=True)
    assert SAFE_PROMPT in with_tools["prompt"]
    assert '"name": "get"' in with_tools["prompt"]


@pytest.mark.parametrize("path", ["/tokenize", "/apply-template", "/detokenize"])
def test_a_model_may_be_named(spelling, path: str) -> None:
    body = {"tokens": [1]} if path == "/detokenize" else {"messages": HELLO}
    assert post(spelling, path, model="mistral-small", **body)
    response = spelling.post(path, json={"model": "other", **body})
    assert refused(response, 404)["code"] == "unknown_model"


def test_messages_that_make_no_sense_are_refused(spelling) -> None:
    messages = [*HELLO, {"role": "assistant", "content": "a"}]
    refused(spelling.post("/tokenize", json={"messages": messages}), 400)

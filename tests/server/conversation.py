"""What tests ask of a server, and how they read what it says."""

import json
from typing import Any

from httpx2 import Client, Response

MODEL = "mistral-small"
HELLO = [{"role": "user", "content": "Hello"}]
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("get", "put")]


def ask(client: Client, **fields: Any) -> Response:
    """One chat."""
    body = {"model": MODEL, "messages": HELLO, **fields}
    return client.post("/v1/chat/completions", json=body)


def ask_text(client: Client, **fields: Any) -> Response:
    """One completion."""
    return client.post("/v1/completions", json={"model": MODEL, **fields})


def whole(response: Response) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    assert response.status_code == 200, response.text
    return response.json()


def choice(response: Response) -> dict[str, Any]:
    """The only choice of an answer that is not streamed."""
    (found,) = whole(response)["choices"]
    return found


def text_of(response: Response) -> str:
    """The text of the only answer."""
    found = choice(response)
    return found["text"] if "text" in found else found["message"]["content"]


def events(response: Response) -> list[Any]:
    """The values of a stream that came to its end."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    *lines, done = [line for line in response.text.split("\n\n") if not line.startswith(":")][:-1]
    assert done == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def streamed_text(chunks: list[Any], index: int = 0) -> str:
    """The text of one answer of a stream."""
    found = [one for chunk in chunks for one in chunk["choices"] if one["index"] == index]
    return "".join(one["text"] if "text" in one else one["delta"]["content"] for one in found)


def refused(response: Response, status: int) -> dict[str, Any]:
    """The body of an error, in the form that all clients read."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert {"object", "message", "type", "param", "code", "detail"} == set(body)
    assert body["object"] == "error"
    return body

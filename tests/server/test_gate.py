"""Who is let in, what every response carries, and what stands in the log."""

import logging
import re

import pytest

from ostro import __version__
from ostro.server.api_keys import make_key
from server.conversation import HELLO, MODEL, ask, refused, whole

BODY = {"model": MODEL, "messages": HELLO, "max_tokens": 1}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_models_are_told_under_all_names(spelling, speller) -> None:
    (card,) = spelling.get("/v1/models").json()["data"]
    assert (card["id"], card["object"], card["max_context_length"]) == (
        "speller",
        "model",
        speller.context,
    )
    assert card["capabilities"]["completion_chat"]
    for name in ("speller", "mistral-small", "open-mixtral-8x7b"):
        assert spelling.get(f"/v1/models/{name}").json()["id"] == name
    assert refused(spelling.get("/v1/models/a/b"), 404)["code"] == "unknown_model"
    # Mistral's first clients send a body with it.
    old = spelling.request("GET", "/v1/models", json={})
    assert old.json() == spelling.get("/v1/models").json()


def test_a_model_may_have_other_names(serve, speller) -> None:
    _, client = serve(speller, aliases=("gpt-4",))
    assert whole(ask(client, model="gpt-4", max_tokens=1))["model"] == "gpt-4"
    assert "served: gpt-4, speller" in refused(ask(client), 404)["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/agents/completions"),
        ("GET", "/v1/files"),
        ("POST", "/v1/responses"),
        ("GET", "/"),
        ("DELETE", "/nothing"),
    ],
)
def test_other_paths_are_a_404_in_json(spelling, method: str, path: str) -> None:
    body = refused(spelling.request(method, path), 404)
    assert body["code"] == "unknown_path"
    assert path in body["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/models/speller", "GET"),
        ("PUT", "/health", "GET"),
    ],
)
def test_other_methods_are_a_405_in_json(spelling, method: str, path: str, allowed: str) -> None:
    response = spelling.request(method, path)
    assert refused(response, 405)["code"] == "method_not_allowed"
    assert response.headers["allow"] == allowed


def test_health_and_version(spelling, speller) -> None:
    assert spelling.get("/health").json() == {"status": "ready"}
    assert spelling.get("/health/ready").json() == {"status": "ready"}
    assert spelling.get("/health/live").json() == {"status": "live"}
    version = spelling.get("/version").json()
    assert (version["version"], version["model"]) == (__version__, "speller")
    assert version["context"] == speller.context


def test_the_schema_is_documented(spelling) -> None:
    document = spelling.get("/openapi.json").json()
    chat = document["paths"]["/v1/chat/completions"]["post"]
    schema = chat["requestBody"]["content"]["application/json"]["schema"]
    assert {"messages", "safe_prompt", "steering"} <= set(schema["properties"])
    assert {"400", "401", "404", "422", "429", "503"} <= set(chat["responses"])
    assert spelling.get("/docs").status_code == 200


def test_every_response_has_an_id(spelling) -> None:
    mine = {"X-Request-Id": "my-id.7"}
    for response in (
        spelling.get("/health", headers=mine),
        spelling.get("/nothing", headers=mine),
        spelling.post("/v1/chat/completions", json={}, headers=mine),
        spelling.post("/v1/chat/completions", json={**BODY, "stream": True}, headers=mine),
    ):
        assert response.headers["x-request-id"] == "my-id.7"
    for bad in ({}, {"X-Request-Id": "two words"}, {"X-Request-Id": "x" * 200}):
        made = spelling.get("/health", headers=bad).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_keys_are_asked_for(serve, speller, tmp_path) -> None:
    key, line = make_key()
    (tmp_path / "keys").write_text(f"{line}\nplain-key\n")
    _, client = serve(speller, api_keys=tmp_path / "keys")
    for given in ({}, bearer("wrong"), {"Authorization": "Basic x"}):
        response = client.post("/v1/chat/completions", json=BODY, headers=given)
        body = refused(response, 401)
        assert (body["type"], body["code"]) == ("authentication_error", "invalid_api_key")
        assert response.headers["www-authenticate"] == "Bearer"
        assert "x-request-id" in response.headers
    for closed in ("/v1/models", "/metrics", "/nothing"):
        refused(client.get(closed), 401)
    for good in (key, "plain-key"):
        response = client.post("/v1/chat/completions", json=BODY, headers=bearer(good))
        assert response.status_code == 200
        assert client.get("/metrics", headers=bearer(good)).status_code == 200
    for open_to_all in ("/health", "/health/live", "/health/ready", "/version", "/openapi.json"):
        assert client.get(open_to_all).status_code == 200


def test_each_key_has_its_own_rate(serve, speller, tmp_path) -> None:
    (tmp_path / "keys").write_text("one\nother\n")
    _, client = serve(speller, api_keys=tmp_path / "keys", requests_per_minute=2)

    def post(key: str):
        return client.post("/v1/chat/completions", json=BODY, headers=bearer(key))

    assert [post("one").status_code for _ in range(2)] == [200, 200]
    response = post("one")
    assert refused(response, 429)["type"] == "rate_limit_error"
    assert 1 <= int(response.headers["retry-after"]) <= 30
    assert post("other").status_code == 200
    # Only what costs something counts.
    assert [client.get("/v1/models", headers=bearer("one")).status_code] * 3 == [200] * 3


def test_a_server_that_stops_takes_nothing_new(serve, speller) -> None:
    server, client = serve(speller)
    server.endpoints.is_draining = True
    response = client.post("/v1/chat/completions", json=BODY)
    assert refused(response, 503)["type"] == "server_error"
    assert response.headers["retry-after"] == "5"
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health").json() == {"status": "draining"}
    assert client.get("/health/live").status_code == 200


def test_web_pages_of_known_origins_may_ask(serve, speller, tmp_path) -> None:
    (tmp_path / "keys").write_text("key\n")
    page = "https://page.example"
    _, client = serve(speller, origins=(page,), api_keys=tmp_path / "keys")
    ask_first = {"Origin": page, "Access-Control-Request-Method": "POST"}
    response = client.options("/v1/chat/completions", headers=ask_first)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == page
    # A page can read an error only with the header.
    response = client.post("/v1/chat/completions", json=BODY, headers={"Origin": page})
    refused(response, 401)
    assert response.headers["access-control-allow-origin"] == page
    stranger = {**ask_first, "Origin": "https://other.example"}
    response = client.options("/v1/chat/completions", headers=stranger)
    assert "access-control-allow-origin" not in response.headers


def test_the_log_has_one_line_a_request(spelling, caplog) -> None:
    caplog.set_level(logging.INFO)
    spelling.post("/v1/chat/completions", json={**BODY, "messages": [{"role": "x"}]})
    spelling.get("/v1/models/other", headers={"X-Request-Id": "mine"})
    records = [record for record in caplog.records if record.name.startswith("ostro")]
    assert [record.levelname for record in records] == ["INFO", "INFO"]
    assert "POST /v1/chat/completions 422" in records[0].getMessage()
    assert records[1].getMessage().startswith("mine GET /v1/models/other 404")


def test_prompts_are_logged_only_if_asked_for(serve, speller, spelling, caplog) -> None:
    caplog.set_level(logging.INFO)
    secret = [{"role": "user", "content": "my secret"}]
    ask(spelling, messages=secret)
    assert "secret" not in caplog.text
    _, client = serve(speller, log_prompts=True)
    ask(client, messages=secret)
    assert "my secret" in caplog.text

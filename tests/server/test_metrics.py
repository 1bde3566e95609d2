"""What ``/metrics`` tells, read by Prometheus' own parser."""

import time
from collections.abc import Mapping

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.conversation import HELLO, MODEL, ask, ask_text, whole

STREAM = {"model": MODEL, "messages": HELLO, "max_tokens": 3, "stream": True}
Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(client) -> dict:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def test_responses_are_counted_by_path_and_status(serve, speller) -> None:
    _, client = serve(speller)
    ask(client)
    ask(client, temperature=9)
    client.get("/v1/models/speller")
    client.get("/v1/models/other")
    client.get("/a-path-of-a-client")
    found = scrape(client)
    name, chat = "ostro_requests_total", "/v1/chat/completions"
    assert value(found, name, path=chat, status="200") == 1
    assert value(found, name, path=chat, status="422") == 1
    models = "/v1/models/{name:path}"
    assert value(found, name, path=models, status="200") == 1
    assert value(found, name, path=models, status="404") == 1
    assert value(found, name, path="other", status="404") == 1
    assert "a-path-of-a-client" not in client.get("/metrics").text


def test_tokens_and_times_are_counted(serve, speller) -> None:
    _, client = serve(speller)
    usages = [whole(ask(client, n=2, stream=False))["usage"], whole(ask(client))["usage"]]
    ask(client, stream=True)
    found = scrape(client)
    assert value(found, "ostro_generation_tokens_total") == 2 * usages[0]["completion_tokens"]
    prompt = usages[0]["prompt_tokens"]
    read, known = (value(found, f"ostro_{name}_tokens_total") for name in ("prompt", "prefix_hit"))
    assert read + known == 3 * prompt
    assert known == 2 * (prompt - 1)
    assert value(found, "ostro_time_to_first_token_seconds_count") == 4
    assert value(found, "ostro_answer_seconds_count") == 4
    length = usages[1]["completion_tokens"]
    assert value(found, "ostro_inter_token_seconds_count") == 4 * (length - 1)
    assert value(found, "ostro_answer_seconds_sum") >= value(
        found, "ostro_time_to_first_token_seconds_sum"
    )


def test_pages_and_waiting_answers(serve, speller) -> None:
    server, client = serve(speller)
    ask(client, messages=[{"role": "user", "content": "x" * 100}])
    found = scrape(client)
    pool = server.endpoints.served.engine.core.pool
    assert value(found, "ostro_kv_pages") == pool.size
    assert value(found, "ostro_kv_pages_used") == 0
    assert value(found, "ostro_kv_pages_cached") >= 3
    assert value(found, "ostro_requests_waiting") == 0
    assert value(found, "ostro_requests_running") == 0
    assert value(found, "ostro_preemptions_total") == 0


def test_shares_of_experts(serve, babbler) -> None:
    _, client = serve(babbler)
    for number in range(3):
        ask_text(client, prompt=f"{number} some text to read", max_tokens=10)
    found = scrape(client)
    layers = babbler.model.geometry.num_layers
    for layer in map(str, range(layers)):
        shares = [
            value(found, "ostro_expert_share", layer=layer, expert=str(expert))
            for expert in range(8)
        ]
        assert abs(sum(shares) - 1) < 1e-6
        assert 0 < value(found, "ostro_router_entropy_bits", layer=layer) <= 3
    assert value(found, "ostro_routed_tokens_total") > 0


def test_a_client_that_left_is_counted(serve, babbler) -> None:
    _, client = serve(babbler)
    body = {"model": "mistral-small", "messages": HELLO, "max_tokens": 3000, "ignore_eos": True}
    with pytest.raises(httpx2.ReadTimeout):
        client.post("/v1/chat/completions", json=body, timeout=0.2)
    gone = ("ostro_requests_total", (("path", "/v1/chat/completions"), ("status", "499")))
    end = time.monotonic() + 5
    while gone not in (found := scrape(client)):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert found[gone] == 1


def test_a_stream_is_counted_before_its_end_is_told(serve, speller) -> None:
    _, client = serve(speller)
    for number in range(1, 6):
        with client.stream("POST", "/v1/chat/completions", json=STREAM) as response:
            for line in response.iter_lines():
                if line == "data: [DONE]":
                    found = scrape(client)
        assert value(found, "ostro_answer_seconds_count") == number
        path = "/v1/chat/completions"
        assert value(found, "ostro_requests_total", path=path, status="200") == number

"""Offline batches: answers as the server gives them, in order, and none lost or repeated."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from ostro.server.batch import run_batch
from ostro.server.batch_files import BatchInput, batch_output
from ostro.server.serve_options import ServeOptions
from tiny_chat import ANSWER, save_babbler

HELLO = [{"role": "user", "content": "Hello"}]


def chat(custom_id: str, **body) -> dict:
    return {"custom_id": custom_id, "body": {"messages": HELLO, **body}}


def write(path: Path, *lines: dict | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n")
    return path


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def answer(llm, source: Path, target: Path) -> int:
    return run_batch(llm, source, target, ServeOptions(concurrency=4), SilentProgress())


def test_answers_come_in_the_order_of_the_requests(speller, tmp_path) -> None:
    url = "/v1/completions"
    lines = [chat(str(n), max_tokens=1 + (7 * n) % 11) for n in range(20)]
    lines.append({"custom_id": "text", "method": "POST", "url": url, "body": {"prompt": "klm"}})
    source, target = write(tmp_path / "in.jsonl", *lines), tmp_path / "out.jsonl"
    assert answer(speller, source, target) == 0
    found = read(target)
    assert [line["custom_id"] for line in found] == [line["custom_id"] for line in lines]
    for n, line in enumerate(found[:-1]):
        assert line["error"] is None
        assert line["response"]["status_code"] == 200
        content = line["response"]["body"]["choices"][0]["message"]["content"]
        assert content == ANSWER[: 1 + (7 * n) % 11]
    assert found[-1]["response"]["body"]["choices"][0]["text"] == ANSWER[13:]
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_a_request_that_fails_has_its_error_as_its_answer(speller, tmp_path) -> None:
    source = write(
        tmp_path / "in.jsonl",
        chat("bad", heat=1),
        chat("streamed", stream=True),
        chat("unknown", model="nobody"),
        chat("long", messages=[{"role": "user", "content": "x" * 600}]),
        chat("good", max_tokens=2),
    )
    assert answer(speller, source, tmp_path / "out.jsonl") == 4
    found = {line["custom_id"]: line["response"] for line in read(tmp_path / "out.jsonl")}
    statuses = {name: response["status_code"] for name, response in found.items()}
    assert statuses == {"bad": 422, "streamed": 422, "unknown": 404, "long": 400, "good": 200}
    assert found["bad"]["body"]["param"] == "heat"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[]", "line 2 is not an object"),
        ({"custom_id": "2"}, "line 2: body must be an object"),
        ({"body": {}}, "line 2: custom_id must be a text"),
        ({"custom_id": "1", "body": {}}, "line 2: custom_id '1' came before"),
        ({"custom_id": "2", "body": {}, "x": 1}, "line 2: unknown key 'x'"),
        ({"custom_id": "2", "body": {}, "url": "/v1/embeddings"}, "line 2: a request must be"),
    ],
)
def test_a_line_that_is_no_request_is_named_before_anything_runs(tmp_path, line, message) -> None:
    source = write(tmp_path / "in.jsonl", chat("1"), line)
    with pytest.raises(OstroError, match=message):
        BatchInput(source)


def test_an_output_that_is_there_is_never_touched(speller, tmp_path) -> None:
    source, target = write(tmp_path / "in.jsonl", chat("1")), tmp_path / "out.jsonl"
    target.write_text("mine")
    with pytest.raises(OstroError, match=r"out\.jsonl exists already"):
        answer(speller, source, target)
    assert target.read_text() == "mine"


def test_half_an_answer_is_dropped_and_whole_ones_are_kept(tmp_path) -> None:
    target = tmp_path / "out.jsonl"
    with batch_output(target) as output:
        output.add("a", {"custom_id": "a", "text": "é"})
    with (tmp_path / ".out.jsonl.answers").open("ab") as file:
        file.write(b'{"custom_id": "b", "te')
    with batch_output(target) as output:
        assert output.done == {"a"}
        output.add("b", {"custom_id": "b"})
        output.finish(iter(["b", "a"]))
    assert [line["custom_id"] for line in read(target)] == ["b", "a"]


def test_answers_of_another_input_are_not_mixed_in(speller, tmp_path) -> None:
    with batch_output(tmp_path / "out.jsonl") as output:
        output.add("old", {"custom_id": "old"})
    source = write(tmp_path / "in.jsonl", chat("new"))
    with pytest.raises(OstroError, match=r"another input \('old'\); remove"):
        answer(speller, source, tmp_path / "out.jsonl")


def test_two_at_once_do_not_write_the_same_file(tmp_path) -> None:
    with (
        batch_output(tmp_path / "out.jsonl"),
        pytest.raises(OstroError, match="another process has been writing"),
        batch_output(tmp_path / "out.jsonl"),
    ):
        pass


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_without_losing_or_repeating_a_line(tmp_path) -> None:
    folder = save_babbler(tmp_path / "m")
    lines = [chat(str(n), max_tokens=40, temperature=1, seed=n) for n in range(200)]
    source, target = write(tmp_path / "in.jsonl", *lines), tmp_path / "out.jsonl"
    partial = tmp_path / ".out.jsonl.answers"
    command = [sys.executable, "-c", "from ostro.cli.main import main; main()", "batch"]
    command += [str(source), str(target), "--model", str(folder), "--max-concurrency", "3"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OSTRO_THREADS": "1"}
    for wanted in (5, 60):
        process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
        while not (partial.exists() and partial.read_bytes().count(b"\n") >= wanted):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = partial.read_bytes()
    kept = before[: before.rindex(b"\n") + 1].splitlines()
    assert subprocess.run(command, env=env, stderr=subprocess.DEVNULL, check=False).returncode == 0
    found = read(target)
    assert [line["custom_id"] for line in found] == [line["custom_id"] for line in lines]
    assert {json.loads(line)["id"] for line in kept} <= {line["id"] for line in found}

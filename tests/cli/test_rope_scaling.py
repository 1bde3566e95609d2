"""``--rope-scaling``: from the command line to the model."""

import json

import pytest

from ostro.errors import OstroError
from ostro.runtime.memory import Memory
from tiny import save_tiny


@pytest.fixture
def folder(tmp_path):
    return save_tiny(tmp_path / "m", max_position_embeddings=64)


def test_generate_reads_further(run, folder) -> None:
    # The model has no tokenizer, so its limit is met before any text.
    for command in (["generate", folder, "--prompt", "a"], ["chat", folder, "--prompt", "a"]):
        refused = run(*command, "--context", 200)
        assert "context 200 is out of range; m reads 1 to 64" in refused.err
        further = run(*command, "--context", 300, "--rope-scaling", "yarn:4")
        assert "context 300 is out of range; m reads 1 to 256" in further.err
        assert (refused.code, further.code) == (2, 2)


def test_an_answer_longer_than_the_model(run, speller) -> None:
    from ostro.weights.checkpoint import open_checkpoint

    limit = open_checkpoint(speller).geometry.context_length
    prompt = "a" * limit
    asked = ["generate", speller, "--prompt", prompt, "--max-tokens", 2, "--json"]
    assert run(*asked).code == 2
    ran = run(*asked, "--rope-scaling", "linear:2")
    assert ran.code == 0
    assert json.loads(ran.out)["prompt_tokens"] > limit


def test_dynamic_is_refused_with_the_reason(run, folder) -> None:
    ran = run("generate", folder, "--prompt", "a", "--rope-scaling", "dynamic:2")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "depends on the current length" in ran.err


def test_serve_hands_it_on(run, folder, monkeypatch) -> None:
    seen = {}

    def load(model, **options):
        seen.update(options)
        raise OstroError("seen enough")

    monkeypatch.setattr("ostro.server.serve.listen", lambda options: None)
    monkeypatch.setattr("ostro.cli.serve.load", load)
    ran = run("serve", folder, "--port", 0, "--rope-scaling", '{"type": "linear", "factor": 2}')
    assert (ran.code, "seen enough" in ran.err) == (2, True)
    assert seen["rope_scaling"] == '{"type": "linear", "factor": 2}'


def test_published_files_are_planned_with_it(run, monkeypatch) -> None:
    monkeypatch.setattr("ostro.cli.propose.read_memory", lambda: Memory(1 << 40, 1 << 40))
    asked = ["chat", "mixtral", "--prompt", "a", "--context", 65_536]
    refused = run(*asked)
    assert "context 65536 is out of range" in refused.err
    planned = run(*asked, "--rope-scaling", "yarn:2")
    assert "out of range" not in planned.err
    assert "give --yes" in planned.err

"""``ostro chat mixtral``: what is offered, what is refused, and what comes after."""

import json
import re
from pathlib import Path

import pytest

from ostro.errors import NetworkError
from ostro.runtime.memory import Memory
from tiny_chat import ANSWER, save_speller

GIB = 1 << 30
OPEN = "MaziyarPanahi/Mistral-7B-Instruct-v0.3-GGUF/Mistral-7B-Instruct-v0.3.Q8_0.gguf"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch):
    def have(gib: int) -> None:
        # The tiny model that stands in for the real one is loaded under the machine's own memory.
        monkeypatch.setattr("ostro.cli.propose.read_memory", lambda: Memory(gib * GIB, gib * GIB))

    return have


@pytest.fixture
def pulled(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every id that was pulled; a tiny model takes its place in the store."""
    ids: list[str] = []

    def pull(environment, pull_id, *, progress):
        ids.append(pull_id)
        return save_speller(
            environment.models / pull_id.replace("/", "--"), max_position_embeddings=8192
        )

    monkeypatch.setattr("ostro.cli.propose.pull", pull)
    return ids


def test_where_nothing_fits_the_table_and_the_way_out_are_shown(run, memory, pulled) -> None:
    memory(12)
    ran = run("chat", "mixtral", "--prompt", "a", "--yes")
    assert (ran.code, ran.out, pulled) == (2, "", [])
    for word in ("Mixtral-8x7B-Instruct-v0.1", "Q4_K_M", "26.4 GB", "tokens/s", "4.511"):
        assert word in ran.err
    last = ran.err.splitlines()[-1]
    assert last.startswith("ostro: none of these fits")
    assert "12.9 GB are free" in last
    assert "ostro chat demo" in last
    rows = [line for line in ran.err.splitlines() if "gguf" in line]
    assert rows
    assert not any(re.search(r"\byes\b", row) for row in rows)


def test_without_a_terminal_the_download_asks_for_yes(run, memory, pulled) -> None:
    memory(40)
    ran = run("chat", "mistral", "--prompt", "a")
    assert (ran.code, ran.out, pulled) == (2, "", [])
    last = ran.err.splitlines()[-1]
    assert re.match(r"ostro: Download \S+Mistral-7B-Instruct-v0.3\S* \([\d.]+ GB\)\?", last)
    assert last.endswith("give --yes")


def test_the_best_that_fits_is_pulled_and_answers(run, memory, pulled) -> None:
    memory(40)
    ran = run("chat", "mistral", "--prompt", "a", "--yes")
    assert (ran.code, ran.out) == (0, ANSWER + "\n")
    assert pulled == [OPEN]
    assert f"Downloading {OPEN} (7.7 GB)" in ran.err


def test_what_asks_for_an_account_is_for_those_who_have_one(
    run, memory, pulled, monkeypatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_token")
    memory(40)
    assert run("chat", "mistral", "--prompt", "a", "--yes").code == 0
    assert pulled == ["mistralai/Mistral-7B-Instruct-v0.3"]


def test_what_is_here_already_is_used_without_asking(run, memory, pulled) -> None:
    memory(40)
    run("chat", "mistral", "--prompt", "a", "--yes")
    ran = run("chat", "mistral", "--prompt", "a", "--json")
    answer = json.loads(ran.out)
    assert (answer["text"], answer["model"]) == (ANSWER, OPEN)
    assert len(pulled) == 1
    assert "Download" not in ran.err


def test_a_model_of_ones_own_called_mixtral_goes_first(run, memory, pulled, home) -> None:
    memory(1)
    save_speller(home / "models" / "mixtral")
    assert run("chat", "mixtral", "--prompt", "a").out == ANSWER + "\n"
    assert pulled == []


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("", 2), ("n", 2)])
def test_in_a_terminal_a_question_decides(
    run, memory, pulled, monkeypatch, answer: str, code: int
) -> None:
    memory(40)
    questions = []

    def ask(question: str) -> str:
        questions.append(question)
        return answer

    monkeypatch.setattr("builtins.input", ask)
    ran = run("chat", "mistral", "--prompt", "a", terminal=True)
    assert ran.code == code
    assert len(pulled) == (1 if code == 0 else 0)
    (question,) = questions
    assert question.endswith("? [y/N] ")


def test_without_a_hub_the_files_to_fetch_and_their_place_are_named(
    run, memory, home, monkeypatch
) -> None:
    def pull(*_, **__):
        raise NetworkError("no network")

    monkeypatch.setattr("ostro.cli.propose.pull", pull)
    memory(200)
    ran = run("chat", "mixtral", "--prompt", "a", "--yes")
    assert (ran.code, ran.out) == (2, "")
    last = ran.err.splitlines()[-1]
    assert last.startswith("ostro: no network; without a hub: fetch ")
    assert "fetch mixtral-8x7b-instruct-v0.1.Q8_0.gguf of TheBloke/Mixtral-8x7B" in last
    assert str(home / "models" / "NAME") in last


@pytest.mark.parametrize("name", ["mixtral", "mixtral-8x22b", "mistral"])
def test_every_published_name_has_a_table(run, memory, pulled, name) -> None:
    memory(2)
    err = run("chat", name, "--prompt", "a", "--yes").err
    assert "Instruct" in err
    assert err.splitlines()[-1].startswith("ostro: none of these fits")

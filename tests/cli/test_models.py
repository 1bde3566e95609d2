"""``ostro pull``, ``list`` and ``remove``, against a hub on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from fake_hub import FakeHub, running
from tiny import save_tiny
from tiny_chat import ANSWER


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, speller: Path) -> Iterator[FakeHub]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    huggingface_hub.close_session()
    files = {path.name: path.read_bytes() for path in speller.iterdir()}
    with running(FakeHub(models={"org/tiny": files})) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server
        huggingface_hub.close_session()


def test_a_pulled_model_is_listed_chats_and_can_be_removed(run, hub, home) -> None:
    ran = run("pull", "org/tiny")
    folder = home / "models" / "org--tiny"
    assert (ran.code, ran.out) == (0, f"org/tiny is here: {folder}\n")
    assert run("chat", "org/tiny", "--prompt", "Hello").out == ANSWER + "\n"
    (row,) = run("list").out.splitlines()
    assert row.split()[0] == row.split()[-1] == "org/tiny"
    assert run("remove", "org/tiny").out.startswith("removed org/tiny; ")
    assert not folder.exists()
    assert run("list").out == "no models yet; 'ostro pull demo' makes the first\n"


def test_prepared_weights_are_told_and_freed(run, speller, home) -> None:
    assert run("chat", str(speller), "--prompt", "Hello").out == ANSWER + "\n"
    (file,) = (home / "prepared").glob("*.prepared")
    size = file.stat().st_size
    told = run("list")
    assert "'ostro remove --prepared' frees them" in told.err
    freed = json.loads(run("remove", "--prepared", "--json").out)
    assert freed == {"model": None, "freed_bytes": size}
    assert not list((home / "prepared").iterdir())
    assert run("list").err == ""
    assert run("chat", str(speller), "--prompt", "Hello").out == ANSWER + "\n"


def test_removing_wants_a_model_or_prepared_weights(run) -> None:
    for words in ([], ["demo", "--prepared"]):
        ran = run("remove", *words)
        assert (ran.code, ran.out) == (2, "")
        assert "name a model to remove, or --prepared" in ran.err


def test_everything_is_json_when_asked(run, hub, home) -> None:
    folder = home / "models" / "org--tiny"
    pulled = json.loads(run("pull", "org/tiny", "--json").out)
    assert pulled == {"model": "org/tiny", "path": str(folder)}
    (listed,) = json.loads(run("list", "--json").out)
    assert list(listed) == ["name", "path", "bytes", "source", "when"]
    assert (listed["name"], listed["path"]) == ("org/tiny", str(folder))
    assert listed["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    removed = json.loads(run("remove", "org/tiny", "--json").out)
    assert removed == {"model": "org/tiny", "freed_bytes": listed["bytes"]}


def test_a_model_can_be_planned_before_it_is_pulled(run, hub, home) -> None:
    plan = json.loads(run("plan", "org/tiny", "--json").out)
    assert (plan["stored_type"], plan["context"]) == ("F32", 512)
    assert not (home / "models" / "org--tiny").exists()


def test_a_revision_is_asked_for(run, hub) -> None:
    hub.tags["v1"] = hub.commit("org/tiny")
    assert run("pull", "org/tiny", "--revision", "v1").code == 0
    ran = run("pull", "org/tiny", "--revision", "v2")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1


def test_without_a_hub_one_line_says_so(run, monkeypatch, home) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    huggingface_hub.close_session()
    ran = run("pull", "org/tiny")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("ostro: ")
    assert run("list", "--json").out == "[]\n"


def test_an_unknown_model_on_the_hub_is_named(run, hub) -> None:
    ran = run("pull", "org/other")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "org/other" in ran.err


def test_pulling_the_demo_prepares_it(run, home, tmp_path, monkeypatch) -> None:
    given = []

    def prepare(environment, progress, dense_parent):
        given.append(dense_parent)
        return save_tiny(environment.models / "demo")

    monkeypatch.setattr("ostro.cli.models.prepare_demo", prepare)
    ran = run("pull", "demo", "--dense-parent", tmp_path / "parent.gguf")
    assert ran.out == f"demo is here: {home / 'models' / 'demo'}\n"
    assert given == [tmp_path / "parent.gguf"]

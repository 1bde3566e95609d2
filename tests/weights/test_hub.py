"""Pulling from a fake hub: what is fetched, checked and resumed, and how failures are told."""

import json
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from fake_hub import FakeHub, running
from ostro.errors import NetworkError, OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import Advance, SilentProgress, Unit
from ostro.weights.hub import fetch_head, fetch_plan_files, pull
from ostro.weights.hub_files import (
    RemoteFile,
    RemoteModel,
    choose_files,
    list_files,
    split_hub_id,
)
from ostro.weights.store import find_model, list_models, partial_folder, read_record

REPO = "org/tiny"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
SILENT = SilentProgress()


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


FILES = {
    "README.md": b"read me",
    "config.json": b'{"model_type": "mixtral"}',
    "generation_config.json": b"{}",
    "model.safetensors.index.json": b'{"metadata": {"total_size": 50000}, "weight_map": {}}',
    "tokenizer.json": noise(0, 5000),
    "tokenizer.model": b"pieces",
    SHARDS[0]: noise(1, 40_000),
    SHARDS[1]: noise(2, 10_000),
    "consolidated.00.pt": noise(3, 9000),
    "pytorch_model.bin": noise(4, 9000),
    "params.json": b"{}",
    "img/plot.png": b"png",
}
NEEDED = [name for name in FILES if not name.endswith((".md", ".pt", ".bin", "params.json", "png"))]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    # The library waits a second before it mends a connection, and writes ten megabytes at once.
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    huggingface_hub.close_session()
    with running(FakeHub(models={REPO: dict(FILES)})) as server:
        yield server
        huggingface_hub.close_session()


@pytest.fixture
def env(hub: FakeHub, tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home", hub_endpoint=hub.endpoint, hub_token="secret")


class Watch:
    """Progress that keeps what it was told, and presses Ctrl-C after some bytes."""

    def __init__(self, stop_after: float = float("inf")) -> None:
        self.total, self.done, self._stop_after = 0, 0, stop_after

    @contextmanager
    def task(self, label: str, total: int, unit: Unit) -> Iterator[Advance]:
        assert unit == "bytes"
        self.total = total

        def advance(count: int) -> None:
            self.done += count
            if self.done >= self._stop_after:
                raise KeyboardInterrupt

        yield advance

    def note(self, text: str) -> None:
        raise AssertionError(text)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    del found["ostro.json"]
    return found


def test_a_pull_takes_what_a_model_needs_and_nothing_else(
    env: Environment, hub: FakeHub, capfd: pytest.CaptureFixture[str]
) -> None:
    watch = Watch()
    folder = pull(env, REPO, progress=watch)
    assert contents(folder) == {name: FILES[name] for name in NEEDED}
    assert watch.done == watch.total == sum(len(FILES[name]) for name in NEEDED)
    assert capfd.readouterr() == ("", ""), "no bar but ostro's own"
    (model,) = list_models(env)
    assert (model.name, model.source, model.path) == (REPO, REPO, folder)
    record = read_record(folder)
    assert record is not None
    assert record.revision == hub.commit(REPO)


def test_the_token_is_sent_to_the_hub(env: Environment, hub: FakeHub) -> None:
    pull(env, REPO, progress=SILENT)
    assert {asked.authorization for asked in hub.requests} == {"Bearer secret"}


def test_a_model_that_is_there_is_not_asked_for_again(env: Environment, hub: FakeHub) -> None:
    folder = pull(env, REPO, progress=SILENT)
    hub.status = 503
    assert pull(env, REPO, progress=SILENT) == folder


def test_a_connection_that_breaks_is_mended(env: Environment, hub: FakeHub) -> None:
    hub.models[REPO] = {name: FILES[name] for name in ("config.json", *SHARDS)}
    hub.breaks = [10_000, 7_000, 9_000]
    watch = Watch()
    folder = pull(env, REPO, progress=watch)
    assert contents(folder) == hub.models[REPO]
    assert watch.done == watch.total
    ranges = [asked.range for asked in hub.downloads() if SHARDS[0] in asked.path]
    assert ranges == [None, "bytes=7000-", "bytes=16000-"]


def test_a_broken_pull_lists_nothing_and_the_next_one_goes_on(
    env: Environment, hub: FakeHub
) -> None:
    hub.breaks = [100_000] * 5 + [25_000] + [0] * 6  # The five files before come whole.
    with pytest.raises(NetworkError, match=r"no connection.*is kept"):
        pull(env, REPO, progress=SILENT)
    assert list_models(env) == []
    assert find_model(env, REPO) is None
    grown = list(partial_folder(env, REPO).glob("*.incomplete"))
    assert [path.stat().st_size for path in grown] == [25_000]

    hub.requests.clear()
    hub.breaks = []
    watch = Watch()
    folder = pull(env, REPO, progress=watch)
    assert contents(folder) == {name: FILES[name] for name in NEEDED}
    asked = {asked.path.rpartition("/")[2]: asked.range for asked in hub.downloads()}
    assert asked == {SHARDS[0]: "bytes=25000-", SHARDS[1]: None}, "only what was missing"
    assert watch.done == watch.total


def test_an_interrupt_in_the_middle_of_a_file_keeps_what_came(
    env: Environment, hub: FakeHub
) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull(env, REPO, progress=Watch(stop_after=30_000))
    assert list_models(env) == []
    hub.requests.clear()
    folder = pull(env, REPO, progress=SILENT)
    assert contents(folder) == {name: FILES[name] for name in NEEDED}
    first, second = hub.downloads()
    assert int(str(first.range).removeprefix("bytes=").removesuffix("-")) > 20_000
    assert second.range is None


def test_a_server_that_starts_anew_does_not_spoil_a_resumed_file(
    env: Environment, hub: FakeHub
) -> None:
    hub.models[REPO] = {name: FILES[name] for name in ("config.json", *SHARDS)}
    hub.breaks = [100_000, 25_000] + [0] * 6
    with pytest.raises(NetworkError):
        pull(env, REPO, progress=SILENT)
    hub.breaks, hub.ignore_range = [], True
    watch = Watch()
    assert contents(pull(env, REPO, progress=watch)) == hub.models[REPO]
    assert watch.done == watch.total


def test_a_new_version_is_not_joined_to_the_half_of_an_old_one(
    env: Environment, hub: FakeHub
) -> None:
    hub.models[REPO] = {name: FILES[name] for name in ("config.json", *SHARDS)}
    hub.breaks = [100_000, 25_000] + [0] * 6
    with pytest.raises(NetworkError):
        pull(env, REPO, progress=SILENT)
    hub.breaks = []
    hub.models[REPO][SHARDS[0]] = noise(9, 40_000)
    assert contents(pull(env, REPO, progress=SILENT)) == hub.models[REPO]


@pytest.mark.parametrize("name", [SHARDS[0], "config.json"])
def test_a_file_damaged_on_its_way_is_refused_and_fetched_anew(
    env: Environment, hub: FakeHub, name: str
) -> None:
    hub.corrupt = {name}
    with pytest.raises(NetworkError, match=rf"{re.escape(name)} was damaged on its way.*again"):
        pull(env, REPO, progress=SILENT)
    assert list_models(env) == []
    hub.corrupt = set()
    assert contents(pull(env, REPO, progress=SILENT))[name] == FILES[name]


def test_too_little_space_is_said_before_anything_is_fetched(
    env: Environment, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(total=100_000, used=90_000, free=10_000)
    monkeypatch.setattr("ostro.weights.hub_download.shutil.disk_usage", lambda path: usage)
    with pytest.raises(OstroError, match=r"takes 55\.1 kB more and 10 kB are free.*OSTRO_HOME"):
        pull(env, REPO, progress=SILENT)
    assert hub.downloads() == []


def test_two_pulls_at_once_fetch_one_model(env: Environment, hub: FakeHub) -> None:
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda: folders.append(pull(env, REPO, progress=SILENT)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 2
    assert len(hub.downloads()) == len(NEEDED)


def test_no_network_is_one_line_that_names_the_hub(tmp_path: Path) -> None:
    env = Environment(home=tmp_path, hub_endpoint="http://127.0.0.1:9")
    with pytest.raises(NetworkError, match=r"^no connection to http://127\.0\.0\.1:9 .*try again"):
        pull(env, REPO, progress=SILENT)
    huggingface_hub.close_session()


def test_a_model_that_is_not_there_is_said_so(env: Environment) -> None:
    with pytest.raises(NetworkError, match=r"no model org/nothing at .*HF_TOKEN"):
        pull(env, "org/nothing", progress=SILENT)


def test_a_gated_model_says_where_to_accept_its_terms(env: Environment, hub: FakeHub) -> None:
    hub.gated = {REPO}
    with pytest.raises(NetworkError, match=rf"{hub.endpoint}/{REPO}, then set HF_TOKEN"):
        pull(env, REPO, progress=SILENT)


@pytest.mark.parametrize(("status", "advice"), [(403, "HF_TOKEN"), (503, "try again later")])
def test_other_answers_are_told_with_their_number(
    env: Environment, hub: FakeHub, status: int, advice: str
) -> None:
    hub.status = status
    with pytest.raises(NetworkError, match=f"answered {status}.*{advice}"):
        pull(env, REPO, progress=SILENT)


@pytest.mark.parametrize("listing", [b"<html>", {"siblings": [{"nothing": 1}]}, [1], {"id": "x"}])
def test_an_endpoint_that_is_no_hub_is_refused(
    env: Environment, hub: FakeHub, listing: object
) -> None:
    hub.listing = listing
    with pytest.raises(OstroError, match=r"does not answer as a hub|holds no weights"):
        pull(env, REPO, progress=SILENT)


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "a/../../evil", "ostro.json"])
def test_a_hub_cannot_write_outside_the_folder(env: Environment, hub: FakeHub, name: str) -> None:
    hub.models[REPO] = {"config.json": b"{}", name: b"{}"}
    with pytest.raises(OstroError, match="may not be written here"):
        pull(env, REPO, progress=SILENT, files=[name])
    assert not (env.home / "evil.json").exists()


def test_a_revision_is_kept_and_another_one_is_not_taken_for_it(
    env: Environment, hub: FakeHub
) -> None:
    hub.tags = {"v1": "main"}
    commit = hub.commit(REPO)
    folder = pull(env, REPO, progress=SILENT, revision="v1")
    assert pull(env, REPO, progress=SILENT, revision=commit[:8]) == folder
    assert pull(env, REPO, progress=SILENT, revision="v1") == folder
    with pytest.raises(NetworkError, match="no such revision"):
        pull(env, REPO, progress=SILENT, revision="v2")
    hub.models[REPO]["config.json"] = b'{"new": 1}'
    with pytest.raises(OstroError, match=f"is here at {commit}; 'ostro remove {REPO}' first"):
        pull(env, REPO, progress=SILENT, revision="v1")


def test_named_files_alone_are_fetched(env: Environment) -> None:
    folder = pull(env, REPO, progress=SILENT, files=["config.json", "img/plot.png"])
    assert set(contents(folder)) == {"config.json", "img/plot.png"}
    with pytest.raises(OstroError, match=r"is here without tokenizer\.json"):
        pull(env, REPO, progress=SILENT, files=["tokenizer.json"])


def test_one_gguf_file_of_several_is_taken_by_name(env: Environment, hub: FakeHub) -> None:
    hub.models["org/many"] = {"a.Q4_0.gguf": noise(1, 5000), "a.Q8_0.gguf": noise(2, 9000)}
    with pytest.raises(OstroError, match=r"2 GGUF files; name one as org/many/FILE\.gguf.*Q8_0"):
        pull(env, "org/many", progress=SILENT)
    folder = pull(env, "org/many/a.Q4_0.gguf", progress=SILENT)
    assert set(contents(folder)) == {"a.Q4_0.gguf"}
    assert find_model(env, "org/many/a.Q4_0.gguf") == folder
    with pytest.raises(NetworkError, match=r"no file b\.gguf; there are a\.Q4_0\.gguf"):
        pull(env, "org/many/b.gguf", progress=SILENT)


def test_a_plan_fetches_configuration_and_index_alone(env: Environment, hub: FakeHub) -> None:
    found = fetch_plan_files(env, REPO)
    assert found.config is not None
    assert json.loads(found.config.read_text()) == {"model_type": "mixtral"}
    assert found.total_bytes == 50_000
    assert [(file.name, file.size) for file in found.weights] == [
        (SHARDS[0], 40_000),
        (SHARDS[1], 10_000),
    ]
    assert {asked.path.rpartition("/")[2] for asked in hub.downloads()} == {
        "config.json",
        "model.safetensors.index.json",
    }
    assert list_models(env) == []
    hub.requests.clear()
    fetch_plan_files(env, REPO)
    assert hub.downloads() == [], "kept from the first time"


def test_a_plan_of_a_gguf_file_knows_its_size_and_reads_its_head(
    env: Environment, hub: FakeHub
) -> None:
    data = noise(5, 300_000)
    hub.models["org/many"] = {"a.gguf": data, "b.gguf": b"GGUF"}
    found = fetch_plan_files(env, "org/many/a.gguf")
    assert (found.config, found.total_bytes) == (None, 300_000)
    assert fetch_head(env, "org/many/a.gguf", "a.gguf", 1000) == data[:1000]
    assert hub.downloads()[-1].range == "bytes=0-999"
    assert fetch_head(env, "org/many", "b.gguf", 1000) == b"GGUF"
    hub.ignore_range = True
    assert fetch_head(env, "org/many", "a.gguf", 1000) == data[:1000]
    with pytest.raises(NetworkError, match="no such file"):
        fetch_head(env, "org/many", "c.gguf", 10)


def test_a_listing_has_sizes_and_digests(env: Environment) -> None:
    files = {file.name: file for file in list_files(env, REPO).files}
    assert {name: file.size for name, file in files.items()} == {
        name: len(data) for name, data in FILES.items()
    }
    assert files[SHARDS[0]].sha256 is not None
    assert files["config.json"].git_sha1 is not None


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (
            ["config.json", "params.json", "consolidated.safetensors", "model.safetensors"],
            ["config.json", "model.safetensors"],
        ),
        (
            ["params.json", "consolidated.safetensors", "tekken.json", "tokenizer.model.v3"],
            ["params.json", "tekken.json", "tokenizer.model.v3", "consolidated.safetensors"],
        ),
        (
            ["config.json", "pytorch_model.bin", "chat_template.jinja"],
            ["config.json", "chat_template.jinja", "pytorch_model.bin"],
        ),
        (
            ["params.json", "consolidated.00.pt", "consolidated.01.pt", "optimizer.pt"],
            ["params.json", "consolidated.00.pt", "consolidated.01.pt"],
        ),
        (["config.json", "only.gguf", "adapter_model.safetensors"], ["only.gguf"]),
    ],
)
def test_the_best_readable_weights_are_chosen(names: list[str], chosen: list[str]) -> None:
    model = RemoteModel(REPO, "c", tuple(RemoteFile(name, 1) for name in names))
    assert [file.name for file in choose_files(model, REPO)] == chosen


def test_a_part_of_a_split_file_brings_the_others() -> None:
    names = [f"{stem}-0000{i}-of-00002.gguf" for stem in ("q4", "q8") for i in (1, 2)]
    model = RemoteModel(REPO, "c", tuple(RemoteFile(name, 1) for name in names))
    chosen = choose_files(model, f"{REPO}/{names[2]}")
    assert [file.name for file in chosen] == names[2:]


@pytest.mark.parametrize(
    "hub_id", ["demo", "", "a/", "/a", "a/b/c", "a/../b.gguf", "a b/c", "a/b:c", "a/b/x.gguf/y"]
)
def test_what_is_no_hub_id_is_refused(hub_id: str) -> None:
    with pytest.raises(OstroError, match="is not a hub id"):
        split_hub_id(hub_id)


def test_a_file_may_lie_in_a_folder_of_the_repository() -> None:
    assert split_hub_id("org/name/Q4/file.gguf") == ("org/name", "Q4/file.gguf")

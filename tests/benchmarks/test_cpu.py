"""The rows of benchmarks/cpu.py, with a tiny model and without peers."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import contest as contests
import cpu
import cpu_rows
from contest import Contest, best_peer
from memory_group import NoMemoryGroup, forget_pages, memory_group
from models import Model, make_room, model_file
from native_library import needs_native
from ostro.config import PRESETS, Geometry
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from ostro.weights import synthesize

TINY = Geometry(
    vocab_size=400,
    dim=64,
    num_layers=2,
    num_heads=2,
    num_kv_heads=1,
    head_dim=32,
    ffn_dim=96,
    num_experts=4,
    top_k=2,
    context_length=2048,
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesize, "PRESETS", {**PRESETS, "tiny": TINY})


@pytest.fixture
def contest(tmp_path) -> Contest:
    return Contest(
        cache=tmp_path, threads=1, rounds=1, patience=0, peers=(), progress=SilentProgress()
    )


def test_rows_are_those_of_the_table() -> None:
    assert list(cpu_rows.ROWS) == [
        "demo-decode",
        "demo-prefill",
        "demo-batch32",
        "slice-decode",
        "slice-prefill",
        "full-decode",
        "full-prefill",
        "gemm",
        "capped-decode",
        "long-context",
        "sparse-dense",
    ]
    assert set(cpu_rows.ROWS) >= cpu_rows.LARGE


@needs_native
@pytest.mark.parametrize("row", ["demo-decode", "demo-batch32"])
def test_ostro_is_measured_as_a_user_runs_it(contest, monkeypatch, row) -> None:
    monkeypatch.setattr(cpu_rows, "DEMO", Model("tiny", "Q4_0"))
    (result,) = cpu_rows.ROWS[row](contest)
    assert result.name == row
    assert result.ostro > 0
    assert (result.peer, result.peer_name, result.ratio) == (0, "none", 0)
    assert "Q4_0" in contest.engines["ostro"]
    assert len(list((contest.cache / contests.HOME / "prepared").glob("*.prepared"))) == 1


@needs_native
def test_long_context_is_compared_with_its_own_bytes(contest, monkeypatch) -> None:
    monkeypatch.setattr(cpu_rows, "LONG_DEMO", Model("tiny", "Q4_0", context=160))
    monkeypatch.setattr(Contest, "bandwidth", lambda self: 1e9)
    (result,) = cpu_rows.long_context(contest)
    kept = 160 - 16 * 4
    assert result.peer_name == f"read bandwidth, {kept} keys and values in F16"
    read = cpu_rows.LONG_DEMO.read_bytes + kept * 2 * 2 * 32 * 2
    assert result.peer == pytest.approx(1e9 / read)
    assert result.ostro > 0


@needs_native
def test_slices_stand_for_their_whole_models(contest, monkeypatch) -> None:
    monkeypatch.setattr(cpu_rows, "SLICE_Q4_0", Model("tiny", "Q4_0", layers=1))
    monkeypatch.setattr(cpu_rows, "DENSE_SLICE", Model("tiny", "Q4_0", layers=2))
    speeds = {"sparse": 6.0, "dense": 4.0}
    tasks = []
    original = Contest.models_in_turn

    def measured(self, given, request):
        tasks.extend(given.values())
        assert all(speed > 0 for speed in original(self, given, request).values())
        return speeds

    monkeypatch.setattr(Contest, "models_in_turn", measured)
    (result,) = cpu_rows.sparse_dense(contest)
    assert [task.model.layers for task in tasks] == [1, 2]
    whole = Model("tiny", "Q4_0").read_bytes
    assert result.ostro == pytest.approx(6.0 * cpu_rows.SLICE_Q4_0.read_bytes / whole)
    assert result.peer == pytest.approx(4.0)


def test_a_row_says_one_line_about_a_mistake(monkeypatch, capsys, tmp_path) -> None:
    def fails(contest: Contest) -> list[object]:
        raise OstroError("no room")

    monkeypatch.setattr(cpu, "ROWS", {"gemm": fails})
    monkeypatch.setattr("sys.argv", ["cpu.py", "--only", "gemm", "--cache", str(tmp_path)])
    assert cpu.main() == 2
    assert capsys.readouterr().err.splitlines()[-1] == "gemm: no room"


def test_json_is_all_there_is_on_standard_output(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(cpu, "ROWS", {"gemm": lambda contest: []})
    arguments = ["cpu.py", "--only", "gemm", "--json", "--cache", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    assert cpu.main() == 0
    assert json.loads(capsys.readouterr().out) == []


def test_the_best_peer_is_the_fastest_that_is_not_ostro() -> None:
    assert best_peer({"ostro": 9.0, "a": 1.0, "b": 2.0}) == ("b", 2.0)
    assert best_peer({"ostro": 9.0}) == ("none", 0.0)


def test_models_are_made_once(contest) -> None:
    model = Model("tiny", "Q8_0", layers=1, context=99)
    path = model_file(model, contest.cache, SilentProgress())
    assert path.name == "tiny-1layers-99context.Q8_0.gguf"
    written = path.read_bytes()
    path.write_bytes(written)
    inode = path.stat().st_ino
    assert model_file(model, contest.cache, SilentProgress()).stat().st_ino == inode


def test_models_not_used_for_longest_make_room(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    files = [folder / f"{name}.gguf" for name in ("old", "kept", "new", "newest")]
    for age, file in enumerate(files):
        file.write_bytes(bytes(100))
        os.utime(file, (age, age))

    def free_bytes(_: Path) -> SimpleNamespace:
        return SimpleNamespace(free=100 * (4 - len(list(folder.iterdir()))))

    monkeypatch.setattr(shutil, "disk_usage", free_bytes)
    make_room(tmp_path, 200, {files[1]})
    assert sorted(file.name for file in folder.iterdir()) == ["kept.gguf", "newest.gguf"]
    with pytest.raises(OstroError, match=r"1 kB are needed .* another folder with --cache"):
        make_room(tmp_path, 1000, {files[1]})
    assert len(list(folder.iterdir())) == 2


def test_a_memory_group_is_limited_and_removed(tmp_path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    with memory_group(123, tmp_path) as prefix:
        group = next(path for path in tmp_path.iterdir() if path.is_dir())
        assert (group / "memory.max").read_text() == "123"
        assert f"{group}/cgroup.procs" in prefix[2]
        for file in group.iterdir():  # The kernel's files go with their folder.
            file.unlink()
    assert not group.exists()


def test_no_memory_group_says_why(tmp_path) -> None:
    with pytest.raises(NoMemoryGroup, match="can be made in"), memory_group(1, tmp_path / "none"):
        pass


def test_pages_of_files_are_forgotten(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"kept")
    forget_pages(file)
    assert file.read_bytes() == b"kept"

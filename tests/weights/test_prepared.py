"""Prepared weights: written once, found again, checked, mended, and never half there."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch

import ostro
from native_library import library, needs_native
from ostro.engine.load import load
from ostro.errors import OstroError
from ostro.kernels.native import NativeContext
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.weights import prepared
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.prepared import RecordKey, plan_records, prepare, prepared_path, remove_prepared
from tiny import save_gguf, save_tiny

SILENT = SilentProgress()

IDS = list(range(1, 60))

pytestmark = needs_native


@pytest.fixture(scope="module")
def context() -> NativeContext:
    return NativeContext(library(), 2)


def save(folder: Path, kind: str = "Q8_0", **changes) -> Path:
    """A tiny quantised model."""
    return save_gguf(folder / "tiny.gguf", save_tiny(folder / "dense", **changes), kind)


@pytest.fixture
def home(tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home")


def logits(path: Path, home: Environment) -> torch.Tensor:
    return load(path, environment=home, progress=SILENT).logits(IDS)


def only_file(home: Environment) -> Path:
    (path,) = home.prepared.glob("*.prepared")
    return path


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_a_prepared_model_is_close_to_its_twin(tmp_path, home, kind) -> None:
    # Two experts of two: else rounding sends some tokens, and all after them, to other experts.
    path = save(tmp_path, kind, num_local_experts=2)
    found = logits(path, home).double().log_softmax(-1)
    twin = load(path, dtype="float32", environment=home, progress=SILENT)
    expected = twin.logits(IDS).double().log_softmax(-1)
    divergence = (expected.exp() * (expected - found)).sum(-1)
    if kind == "F32":
        assert divergence.max() < 1e-10
    else:
        assert 0 < divergence.max() < 3e-3


@pytest.mark.parametrize("kind", ["mixtral", "mistral", "llama"])
def test_every_architecture_runs_on_native_kernels(tmp_path, home, kind) -> None:
    path = save_tiny(tmp_path / "m", kind)
    found = load(path, environment=home, progress=SILENT)
    assert found.settings.kernels != "torch"
    expected = load(path, dtype="float32", environment=home, progress=SILENT).logits(IDS)
    torch.testing.assert_close(found.logits(IDS), expected, rtol=1e-4, atol=1e-5)


def test_the_file_is_written_once_and_found_by_content(tmp_path, home) -> None:
    path = save(tmp_path)
    first = logits(path, home)
    written = only_file(home).stat().st_mtime_ns
    moved = path.rename(tmp_path / "renamed.gguf")
    assert torch.equal(logits(moved, home), first)
    assert only_file(home).stat().st_mtime_ns == written


def test_another_model_of_the_same_shape_gets_a_file_of_its_own(tmp_path, home) -> None:
    logits(save(tmp_path / "a"), home)
    logits(save(tmp_path / "b", "Q8_0", initializer_range=0.1), home)
    assert len(list(home.prepared.glob("*.prepared"))) == 2


@pytest.mark.parametrize("damage", ["header", "short", "empty"])
def test_a_file_of_another_version_or_cut_short_is_made_anew(tmp_path, home, damage) -> None:
    path = save(tmp_path)
    first = logits(path, home)
    file = only_file(home)
    whole = file.read_bytes()
    broken = {
        "header": whole[:30] + b"X" + whole[31:],
        "short": whole[:-4096],
        "empty": b"",
    }[damage]
    file.write_bytes(broken)
    assert torch.equal(logits(path, home), first)
    assert file.read_bytes() == whole


def test_a_newer_version_takes_the_place_of_the_older(tmp_path, home, monkeypatch) -> None:
    path = save(tmp_path)
    first = logits(path, home)
    older = only_file(home)
    content = older.read_bytes()
    monkeypatch.setattr(prepared, "_VERSION", prepared._VERSION + 1)
    assert torch.equal(logits(path, home), first)
    assert only_file(home) == older
    assert older.read_bytes() != content


def test_a_damaged_record_is_rebuilt_alone_and_written_back(tmp_path, home, context) -> None:
    path = save(tmp_path)
    first = logits(path, home)
    file = only_file(home)
    whole = file.read_bytes()
    records = {r.key: r for r in plan_records(open_checkpoint(path), context)}
    for key in (RecordKey("embedding"), RecordKey("attention", 1), RecordKey("expert", 2, 5)):
        broken = bytearray(whole)
        broken[records[key].offset + records[key].bytes // 2] ^= 1
        file.write_bytes(broken)
        assert torch.equal(logits(path, home), first)
        assert file.read_bytes() == whole


def test_experts_are_not_read_before_a_token_chooses_them(tmp_path, home, context) -> None:
    path = save(tmp_path)
    llm = load(path, environment=home, progress=SILENT)
    layers = [block.packed_feed_forward.experts for block in llm.model.blocks()]
    assert all(expert.gate.data is None for layer in layers for expert in layer.experts)
    llm.logits([1])
    for layer in layers:
        assert sum(expert.gate.data is not None for expert in layer.experts) == 2


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path, home, context, monkeypatch
) -> None:
    checkpoint = open_checkpoint(save(tmp_path))
    monkeypatch.setattr("ostro.weights.prepared._free_bytes", lambda folder: 1000)
    with pytest.raises(OstroError, match=r"preparing .* takes .* make room, or set OSTRO_HOME"):
        prepare(checkpoint, context, home.prepared, SILENT)
    assert list(home.prepared.glob("*.prepared")) == []


def test_a_source_with_infinite_numbers_is_refused_and_leaves_nothing(tmp_path, home) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_tiny(tmp_path / "m")
    file = folder / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if "q_proj" in name)
    tensors[name][3, 3] = float("inf")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(OstroError, match=f"{name} holds NaN or infinite weights"):
        load(folder, environment=home, progress=SILENT)
    assert not any(path.suffix != ".lock" for path in home.prepared.iterdir())


def test_removing_frees_the_disk(tmp_path, home, context) -> None:
    path = save(tmp_path)
    logits(path, home)
    checkpoint = open_checkpoint(path)
    size = prepared_path(checkpoint, home.prepared).stat().st_size
    assert remove_prepared(checkpoint, home.prepared) == size > path.stat().st_size
    assert list(home.prepared.iterdir()) == []
    assert remove_prepared(checkpoint, home.prepared) == 0


def _answer(path: Path, home: Path, queue) -> None:
    llm = ostro.load(path, environment=Environment(home=home), progress=SILENT)
    queue.put(llm.logits([1, 2, 3]).tolist())


def test_two_processes_may_prepare_the_same_model(tmp_path, home) -> None:
    path = save(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    workers = [
        spawn.Process(target=_answer, args=(path, home.home, queue), daemon=True) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    answers = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(timeout=30)
    assert answers[0] == answers[1]
    only_file(home)


def test_a_fork_after_the_start_goes_on_answering(tmp_path, home) -> None:
    llm = load(save(tmp_path), environment=home, progress=SILENT)
    expected = llm.logits(IDS)
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # A hang is a failure too.
        try:
            os._exit(0 if torch.equal(llm.logits(IDS), expected) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert torch.equal(llm.logits(IDS), expected)


def test_more_threads_than_cores_give_the_same_bits(tmp_path, home) -> None:
    path = save(tmp_path)
    expected = load(path, threads=1, environment=home, progress=SILENT).logits(IDS)
    many = load(path, threads=16, environment=home, progress=SILENT)
    assert torch.equal(many.logits(IDS), expected)

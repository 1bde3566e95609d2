"""Experts in a pool: the same bits as without, oldest use out first, errors that lose nothing."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from native_library import library, needs_native
from ostro.engine.load import load
from ostro.engine.session import Session
from ostro.errors import MemoryPlanError, OstroError
from ostro.kernels.native import NativeContext
from ostro.runtime.direct_reads import DirectFile, PageMemory
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.expert_pool import ExpertPool
from ostro.weights.packed_model import packed_model
from ostro.weights.prepared import PreparedWeights, RecordKey, prepare
from tiny import save_gguf, save_tiny

SILENT = SilentProgress()
IDS = list(range(1, 60))

pytestmark = needs_native


@pytest.fixture(scope="module")
def context() -> NativeContext:
    return NativeContext(library(), 2)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return save_gguf(folder / "tiny.gguf", save_tiny(folder / "dense"), "Q8_0")


@pytest.fixture
def checkpoint(source) -> Checkpoint:
    return open_checkpoint(source)


@pytest.fixture
def weights(checkpoint, context, tmp_path) -> PreparedWeights:
    return prepare(checkpoint, context, tmp_path, SILENT)


@pytest.fixture
def pool(weights, checkpoint) -> ExpertPool:
    return make_pool(weights, checkpoint, 4)


def make_pool(weights: PreparedWeights, checkpoint: Checkpoint, slots: int) -> ExpertPool:
    """A pool with descriptors of its own, as a model would give it."""
    from ostro.kernels.structures import Expert

    pool = ExpertPool(weights, slots)
    for layer in range(checkpoint.geometry.num_layers):
        pool.add_layer(layer, (Expert * checkpoint.geometry.num_experts)())
    return pool


def in_memory(pool: ExpertPool, layer: int) -> set[int]:
    """The experts of a layer whose descriptors have data."""
    return {number for number, expert in enumerate(pool._arrays[layer]) if expert.gate.data}


@pytest.mark.parametrize("slots", [8, 9, 13, 24])
def test_a_pool_changes_no_bit(weights, checkpoint, context, slots) -> None:
    whole = packed_model(checkpoint, weights, context, "F16")
    pool = ExpertPool(weights, slots)
    pooled = packed_model(checkpoint, weights, context, "F16", pool)
    expected, found = Session(whole, 128), Session(pooled, 128)
    assert torch.equal(found.feed(IDS), expected.feed(IDS))
    for token in range(10, 40):
        assert torch.equal(found.feed([token]), expected.feed([token]))
    assert pool.metrics.tokens == len(IDS) + 30
    assert pool.metrics.bytes_read > 0
    if slots == 24:  # All of them: each is read once.
        assert pool.metrics.bytes_read == sum(
            record.bytes for record in weights.records if record.key.kind == "expert"
        )


def test_a_prompt_reads_each_expert_once_a_chunk(weights, checkpoint, context) -> None:
    pool = ExpertPool(weights, 8)
    model = packed_model(checkpoint, weights, context, "F16", pool)
    Session(model, 128, chunk=64).feed(IDS)
    one = weights.record(RecordKey("expert", 0, 0)).bytes
    assert pool.metrics.bytes_read <= 3 * 8 * one
    assert pool.metrics.lookups <= 3 * 8


def test_the_one_used_longest_ago_goes_first(pool) -> None:
    pool.hold(0, [0, 1])
    pool.hold(1, [0, 1])
    pool.hold(0, [0])
    pool.hold(2, [5])
    assert in_memory(pool, 0) == {0}  # 1 was used before all others.
    assert in_memory(pool, 1) == {0, 1}
    assert in_memory(pool, 2) == {5}
    assert (pool.metrics.lookups, pool.metrics.hits) == (6, 1)


def test_an_early_read_is_found_and_counted(pool) -> None:
    pool.hold(0, [0])
    pool.prefetch(1, [2, 3])
    pool.hold(1, [2, 4])
    assert in_memory(pool, 1) >= {2, 4}
    assert (pool.metrics.prefetches, pool.metrics.prefetches_used) == (2, 1)
    assert pool.metrics.prefetch_accuracy == 0.5


def test_an_early_read_never_pushes_out_what_is_in_use(pool) -> None:
    pool.hold(0, [0, 1, 2, 3])
    pool.prefetch(1, [0, 1])
    assert in_memory(pool, 0) == {0, 1, 2, 3}
    assert pool.metrics.prefetches == 0


def test_what_was_guessed_wrongly_leaves_room(pool) -> None:
    """A wrong guess that is still being read is given up; one that came in time may stay."""
    pool.hold(0, [0, 1])
    pool.prefetch(1, [2, 3])
    pool.hold(1, [4, 5])
    assert in_memory(pool, 1) >= {4, 5}
    # Every slot is free, or holds an expert that says so.
    held = sum(len(in_memory(pool, layer)) for layer in range(3))
    assert held + len(pool._free) == pool.num_slots
    assert (pool.metrics.prefetches, pool.metrics.prefetches_used) == (2, 0)


def test_early_reads_give_way_to_what_is_wanted(pool) -> None:
    pool.prefetch(1, [0, 1, 2, 3])
    pool.hold(2, [4, 5, 6, 7])
    assert in_memory(pool, 2) == {4, 5, 6, 7}
    assert in_memory(pool, 1) == set()


def test_more_experts_than_slots_is_an_error_that_says_what_helps(pool) -> None:
    with pytest.raises(OstroError, match=r"5 experts are wanted .* holds 4; give a larger --mem"):
        pool.hold(0, range(5))
    pool.hold(0, range(4))
    assert in_memory(pool, 0) == {0, 1, 2, 3}


def test_a_file_that_is_cut_short_is_told_and_whole_again_works(pool, weights) -> None:
    pool.hold(0, [0])
    whole = weights.path.read_bytes()
    os.truncate(weights.path, weights.record(RecordKey("expert", 1, 0)).offset)
    with pytest.raises(OstroError, match=r"ends at .* it was changed while it was in use"):
        pool.hold(1, [0])
    assert in_memory(pool, 1) == set()
    pool.hold(0, [0])  # What is in memory needs no disk.
    weights.path.write_bytes(whole)
    pool.hold(1, [0])
    assert in_memory(pool, 1) == {0}


def test_a_disk_that_goes_away_is_told_and_nothing_is_lost(pool, monkeypatch) -> None:
    def gone(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    pool.hold(0, [0])
    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", gone)
        pool.prefetch(1, [1])  # Nobody waits for it, so it is no error yet.
        with pytest.raises(OstroError, match=r"failed \(Input/output error\); is its disk still"):
            pool.hold(1, [0])
    pool.hold(1, [0, 1])
    assert in_memory(pool, 1) == {0, 1}


def test_a_damaged_record_is_rebuilt_in_its_slot_and_on_disk(pool, weights) -> None:
    whole = weights.path.read_bytes()
    key = RecordKey("expert", 2, 5)
    broken = bytearray(whole)
    broken[weights.record(key).offset + 100] ^= 1
    weights.path.write_bytes(broken)
    pool.hold(2, [5])
    assert weights.path.read_bytes() == whole
    address = pool._arrays[2][5].gate.data
    weights.mend_at(key, address)  # Right already: this would rebuild it again otherwise.
    assert in_memory(pool, 2) == {5}


def test_a_fork_reads_on_its_own(pool) -> None:
    pool.hold(0, [0])
    pool.prefetch(1, [0])
    child = os.fork()
    if child == 0:
        try:
            pool.hold(1, [0, 1])
            os._exit(0 if in_memory(pool, 1) == {0, 1} else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    pool.hold(1, [0])


def test_what_a_fork_reads_stays_its_own(pool) -> None:
    pool.hold(0, [0, 1, 2, 3])
    before = bytes(pool._memory.view)
    child = os.fork()
    if child == 0:
        try:
            pool.hold(1, [4, 5, 6, 7])
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert bytes(pool._memory.view) == before


def test_a_file_system_without_direct_reads_is_read_all_the_same(tmp_path, monkeypatch) -> None:
    file = tmp_path / "data"
    content = os.urandom(3 * 4096)
    file.write_bytes(content)
    plain = os.open

    def refusing(path, flags, *rest) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return plain(path, flags, *rest)

    monkeypatch.setattr(os, "open", refusing)
    reader, memory = DirectFile(file), PageMemory(8192)
    assert not reader.is_direct
    reader.read_into(memory.view, 4096)
    assert bytes(memory.view) == content[4096:]
    reader.close()


def test_the_smallest_cap_that_is_named_works_and_less_does_not(source, tmp_path) -> None:
    home = Environment(home=tmp_path / "home")
    with pytest.raises(MemoryPlanError, match=r"the smallest --memory is \d+MiB") as error:
        load(source, memory=1 << 20, environment=home, progress=SILENT)
    smallest = re.search(r"is (\d+)MiB", str(error.value))
    assert smallest is not None
    # What this process takes already is a part of it and moves a little.
    load(source, memory=f"{int(smallest[1]) + 8}MiB", environment=home, progress=SILENT)
    with pytest.raises(MemoryPlanError):
        load(source, memory=f"{int(smallest[1]) - 8}MiB", environment=home, progress=SILENT)


_MEASURE = """
import sys, ostro
from ostro.engine.session import Session
from ostro.runtime.memory import peak_resident_bytes, resident_bytes
from ostro.weights.expert_pool import ExpertPool
llm = ostro.load(sys.argv[1], memory=int(sys.argv[2]), threads=2)
assert llm.experts is not None, "all experts fit"
session = Session(llm.model, 512)
session.feed([i % 150 for i in range(400)])
for token in range(40):
    session.feed([token])
print(peak_resident_bytes(), llm.experts.hit_rate)
"""


@pytest.mark.slow
def test_a_cap_is_kept(tmp_path) -> None:
    sizes = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 6}
    source = save_gguf(tmp_path / "m.gguf", save_tiny(tmp_path / "m", **sizes), "Q8_0")
    assert source.stat().st_size > 150 << 20
    environment = os.environ | {"OSTRO_HOME": str(tmp_path / "home")}

    def run(cap: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _MEASURE, str(source), str(cap)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    refused = run(1 << 20)
    smallest = re.search(r"smallest --memory is (\d+)MiB", refused.stderr)
    assert smallest is not None, refused.stderr
    for room in (24, 64):
        cap = (int(smallest[1]) + room) << 20
        done = run(cap)
        assert done.returncode == 0, done.stderr
        peak, hit_rate = done.stdout.split()
        assert int(peak) <= cap
        assert 0 <= float(hit_rate) < 1

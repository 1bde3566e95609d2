"""Checkpoints of one process: exact, whole or absent, and of limited number."""

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ostro.errors import CheckpointError, OstroError
from ostro.training import checkpoint_tensors
from ostro.training.checkpoints import Checkpoints, load_tensors, read_state

STATE = {"step": 7, "position": {"shard": 3, "offset": 2**60}, "losses": [0.1, 1e-300], "name": "ü"}


def tensors_of_every_kind() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    bits = torch.randint(-(2**31), 2**31, (6, 4), generator=generator).to(torch.int32)
    return {
        "float32": bits.view(torch.float32),  # Any bits, NaNs among them.
        "bfloat16": bits.view(torch.bfloat16),
        "float64": bits.view(torch.float64),
        "int64": bits.view(torch.int64),
        "random.state": torch.get_rng_state(),
        "bool": bits > 0,
        "scalar": torch.tensor(3.5),
        "step": torch.tensor(2**40),
        "empty": torch.empty(0),
        "empty rows": torch.empty(0, 4, dtype=torch.bfloat16),
        "transposed": bits.view(torch.float32).T,
        "parameter": torch.nn.Parameter(torch.randn(3, generator=generator)),
    }


def blank(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}


def same_bits(a: Tensor, b: Tensor) -> bool:
    raw = [tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in (a, b)]
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(*raw)


def filled(value: float) -> dict[str, Tensor]:
    return {"weight": torch.full((4, 4), float(value)), "moment": torch.full((4,), -float(value))}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Writing beyond ``size`` bytes fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    tensors = tensors_of_every_kind()
    path = Checkpoints(tmp_path / "run", keep_last=1).save(7, tensors, STATE)
    assert path == tmp_path / "run" / "step-00000007"
    loaded = blank(tensors)
    load_tensors(path, loaded)
    assert [name for name in tensors if not same_bits(tensors[name], loaded[name])] == []
    assert read_state(path) == STATE


def test_tensors_are_filled_where_they_are(tmp_path: Path) -> None:
    path = Checkpoints(tmp_path, keep_last=1).save(1, filled(2.0), {})
    module = torch.nn.Linear(4, 4, bias=False)
    transposed = torch.zeros(8, 4)
    load_tensors(path, {"weight": module.weight, "moment": transposed[::2, 1]})
    assert torch.equal(module.weight, torch.full((4, 4), 2.0))
    assert torch.equal(transposed.sum(0), torch.tensor([0.0, -8.0, 0.0, 0.0]))


def test_two_names_of_one_tensor_are_both_saved(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    path = Checkpoints(tmp_path, keep_last=1).save(1, {"a": whole, "b": whole, "c": whole[:2]}, {})
    loaded = {"a": torch.zeros(6), "b": torch.zeros(6), "c": torch.zeros(2)}
    load_tensors(path, loaded)
    assert torch.equal(loaded["a"], whole)
    assert torch.equal(loaded["b"], whole)
    assert torch.equal(loaded["c"], whole[:2])


def test_a_checkpoint_may_have_no_tensors(tmp_path: Path) -> None:
    path = Checkpoints(tmp_path, keep_last=1).save(1, {}, STATE)
    load_tensors(path, {})
    assert read_state(path) == STATE


def test_many_tensors_are_spread_over_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_tensors, "_FILE_BYTES", 64)
    tensors = {f"t{i}": torch.full((i,), float(i)) for i in range(1, 30)}
    path = Checkpoints(tmp_path, keep_last=1).save(1, tensors, {})
    assert len(list(path.glob("*.safetensors"))) > 10
    loaded = blank(tensors)
    load_tensors(path, loaded)
    assert all(torch.equal(tensors[name], loaded[name]) for name in tensors)


def test_files_are_safetensors_and_json_and_nothing_is_a_pickle(tmp_path: Path) -> None:
    path = Checkpoints(tmp_path, keep_last=1).save(1, tensors_of_every_kind(), STATE)
    assert names_in(path) == ["rank-00000-00000.safetensors", "state.json"]
    json.loads((path / "state.json").read_text(encoding="utf-8"))
    content = (path / "rank-00000-00000.safetensors").read_bytes()
    header = int.from_bytes(content[:8], "little")
    ends = [
        entry["data_offsets"][1]
        for name, entry in json.loads(content[8 : 8 + header]).items()
        if name != "__metadata__"
    ]
    assert len(content) == 8 + header + max(ends)


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep_last=2, keep_best=2)
    metrics = [3.0, 1.0, 5.0, 2.0, float("nan"), None, 4.0, 1.0, 9.0]
    for step, metric in enumerate(metrics):
        checkpoints.save(step, filled(step), {}, metric=metric)
    assert checkpoints.steps() == [1, 7, 8]
    assert checkpoints.latest() == tmp_path / "step-00000008"
    assert checkpoints.best() == tmp_path / "step-00000007"
    assert names_in(tmp_path) == ["step-00000001", "step-00000007", "step-00000008"]


def test_without_a_metric_only_the_newest_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    for step in (1, 2, 3):
        checkpoints.save(step, filled(step), {})
    assert checkpoints.steps() == [3]
    assert checkpoints.best() is None


def test_what_was_just_written_is_kept_even_if_later_steps_exist(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    checkpoints.save(50, filled(50), {})
    checkpoints.save(10, filled(10), {})
    assert checkpoints.steps() == [10, 50]


def test_a_folder_that_is_not_there_has_no_checkpoints(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "none", keep_last=1)
    assert checkpoints.steps() == []
    assert checkpoints.latest() is None
    assert checkpoints.best() is None


def test_keeping_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OstroError, match="keep_last"):
        Checkpoints(tmp_path, keep_last=0)


def test_a_step_is_not_saved_twice(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep_last=3)
    path = checkpoints.save(1, filled(1), {"first": True})
    with pytest.raises(OstroError, match="step-00000001 exists already"):
        checkpoints.save(1, filled(2), {})
    assert read_state(path) == {"first": True}
    assert names_in(tmp_path) == ["step-00000001"]


def test_leftovers_of_a_dead_save_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".step-00000002.part", ".step-00000001.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rank-00000-00000.safetensors").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    assert checkpoints.latest() is None
    checkpoints.save(2, filled(2), {})
    assert names_in(tmp_path) == ["notes.txt", "step-00000002"]


@pytest.mark.parametrize("size", [100, 700])  # Too little for the tensors; for the record.
def test_a_full_disk_leaves_the_earlier_checkpoints_as_they_were(tmp_path: Path, size: int) -> None:
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    checkpoints.save(1, filled(1), {})
    state = {"long": "x" * 1000}
    with files_limited_to(size), pytest.raises(OstroError, match="File too large") as caught:
        checkpoints.save(2, filled(2), state)
    assert "step-00000002" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == ["step-00000001"]
    loaded = filled(0)
    load_tensors(tmp_path / "step-00000001", loaded)
    assert torch.equal(loaded["weight"], filled(1)["weight"])


def test_a_folder_that_cannot_be_made_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OstroError, match=r"cannot write .*step-00000001") as caught:
        Checkpoints(tmp_path / "file" / "run", keep_last=1).save(1, filled(1), {})
    assert "\n" not in str(caught.value)


def test_a_failure_to_remove_an_old_one_keeps_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    checkpoints.save(1, filled(1), {})

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    real = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda path, to: (refuse if to.suffix == ".old" else real)(path, to)
    )
    with pytest.raises(OstroError, match=r"cannot remove .*step-00000001: Permission denied"):
        checkpoints.save(2, filled(2), {})
    assert checkpoints.steps() == [1, 2]


def test_ctrl_c_in_a_save_is_ctrl_c_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_tensors, "save_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Checkpoints(tmp_path, keep_last=1).save(1, filled(1), {})
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("into", "message"),
    [
        ({"weight": torch.zeros(4, 4)}, "that nothing wants: moment"),
        ({**filled(0), "more": torch.zeros(1)}, "lacks tensors that are wanted: more"),
        (
            {**filled(0), "moment": torch.zeros(5)},
            r"moment is float32 \[4\] and should be float32 \[5\]",
        ),
        (
            {**filled(0), "moment": torch.zeros(4).double()},
            r"moment is float32 \[4\] and should be float64 \[4\]",
        ),
    ],
)
def test_tensors_that_do_not_match_are_named(
    tmp_path: Path, into: dict[str, Tensor], message: str
) -> None:
    path = Checkpoints(tmp_path, keep_last=1).save(1, filled(1), {})
    with pytest.raises(CheckpointError, match=message):
        load_tensors(path, into)
    assert not any(tensor.any() for tensor in into.values())


def test_a_long_list_of_names_is_cut(tmp_path: Path) -> None:
    path = Checkpoints(tmp_path, keep_last=1).save(1, {}, {})
    with pytest.raises(CheckpointError, match="t0, t1, t2, t3, t4 and 3 more"):
        load_tensors(path, {f"t{i}": torch.zeros(1) for i in range(8)})


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def spoil_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8:12] = b"\0\0\0\0"
    path.write_bytes(content)


def rename_a_tensor(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"weight"', b'"height"'))


def add_a_file(path: Path) -> None:
    shutil.copy(path, path.with_name("rank-00001-00000.safetensors"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, r"rank-00000-00000.safetensors: has \d+ bytes instead of \d+"),
        (spoil_header, r"rank-00000-00000.safetensors: not readable as safetensors"),
        (rename_a_tensor, r"step-00000001: its tensors cannot be read"),
        (add_a_file, r"rank-00001-00000.safetensors: this file is no part of the checkpoint"),
        (Path.unlink, r"rank-00000-00000.safetensors: this file of the checkpoint is missing"),
    ],
)
def test_damaged_tensors_are_an_error_that_names_the_file(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    path = Checkpoints(tmp_path, keep_last=1).save(1, filled(1), {})
    damage(path / "rank-00000-00000.safetensors")
    with pytest.raises(CheckpointError, match=message):
        load_tensors(path, filled(0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "not readable as JSON"),
        ('{"format": 1, "metr', "not readable as JSON"),
        ("[]", "not a JSON table"),
        ('{"format": 2}', "format 2 is not known"),
        ('{"format": 1, "metric": null}', "'tensors' is missing"),
        ('{"format": 1, "metric": 1, "tensors": {}, "files": [], "state": {}}', "must be tables"),
    ],
)
def test_a_damaged_record_is_an_error_that_names_the_file(
    tmp_path: Path, text: str | None, message: str
) -> None:
    path = Checkpoints(tmp_path, keep_last=1).save(1, filled(1), {})
    record = path / "state.json"
    record.unlink() if text is None else record.write_text(text)
    for read in (read_state, lambda path: load_tensors(path, filled(0))):
        with pytest.raises(CheckpointError, match=rf"state\.json: .*{message}"):
            read(path)

"""Checkpoints of a training run: written whole or not at all, from which it goes on exactly.

A checkpoint is a folder ``step-00000100`` with the tensors in safetensors files and everything else
in ``state.json``. It is made under a name that begins with a dot, and gets its own once it is on
the disk; an old one loses its name before it is deleted. So a process may be killed at any moment:
what has its name is complete, and the next save removes what has not.

With several ranks, all call the same methods with the same arguments, and see the same folder.
"""

import math
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ostro.errors import CheckpointError, OstroError
from ostro.runtime.files import sync
from ostro.training.checkpoint_ranks import is_first_rank, on_first_rank, together
from ostro.training.checkpoint_record import (
    Record,
    check_files,
    describe,
    read_record,
    tensor_files,
    write_record,
)
from ostro.training.checkpoint_tensors import read_tensors, write_tensors

_NAME = re.compile(r"step-(\d{8,})")
_MOST_NAMES_TOLD = 5


class Checkpoints:
    """The checkpoints of one run in one folder, of which the newest and the best are kept.

    Those of the ``keep_last`` highest steps stay, and the ``keep_best`` ones of lowest metric.
    """

    def __init__(self, folder: Path, *, keep_last: int, keep_best: int = 0) -> None:
        if keep_last < 1 or keep_best < 0:
            raise OstroError("keep_last must be at least 1 and keep_best at least 0")
        self._folder, self._keep_last, self._keep_best = folder, keep_last, keep_best

    def save(
        self,
        step: int,
        tensors: Mapping[str, Tensor],
        state: Mapping[str, Any],
        *,
        metric: float | None = None,
    ) -> Path:
        """Write a checkpoint, then remove those that needn't be kept; the new one's folder.

        Each rank writes its part of a DTensor. Any other tensor, and ``state``, which must be fit
        for JSON, are taken to be the same on all ranks: a name stands for one whole tensor. A
        ``metric`` that is not a number counts as none. If saving fails on one rank it raises on
        all, and what was there before still is.
        """
        target = self.path(step)
        with _part_of(target) as part:
            on_first_rank(lambda: self._begin(target, part))
            told = write_tensors(part, tensors)
            together(lambda: _check_ranks_agree(told, tensors))
            record = Record(_number(metric), told, {}, dict(state))
            on_first_rank(lambda: _finish(part, target, record))
        on_first_rank(lambda: self._remove_all_but_kept(step))
        return target

    def steps(self) -> list[int]:
        """The steps of all complete checkpoints, in ascending order."""
        if not self._folder.is_dir():
            return []
        names = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def latest(self) -> Path | None:
        """The complete checkpoint of the highest step; None if there is none."""
        steps = self.steps()
        return self.path(steps[-1]) if steps else None

    def best(self) -> Path | None:
        """The checkpoint of the lowest metric, the later one of equals; None if none has any."""
        best = self._best(1)
        return self.path(best[0]) if best else None

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step is, or would be."""
        return self._folder / f"step-{step:08}"

    def _best(self, count: int) -> list[int]:
        """The steps of up to ``count`` checkpoints of lowest metric."""
        ranking = []
        for step in self.steps() if count else []:
            metric = read_record(self.path(step)).metric
            if metric is not None:
                ranking.append((metric, -step))
        return [-negative for _, negative in sorted(ranking)[:count]]

    def _begin(self, target: Path, part: Path) -> None:
        if target.exists():
            raise OstroError(f"{target} exists already; remove it or choose another folder")
        self._folder.mkdir(parents=True, exist_ok=True)
        for leftover in self._folder.glob(".step-*"):
            shutil.rmtree(leftover)
        part.mkdir()

    def _remove_all_but_kept(self, written: int) -> None:
        steps = self.steps()
        kept = {written, *steps[-self._keep_last :], *self._best(self._keep_best)}
        for step in steps:
            if step not in kept:
                _remove(self.path(step))


def read_state(path: Path) -> dict[str, Any]:
    """The ``state`` that was saved with the checkpoint in ``path``."""
    return read_record(path).state


def load_tensors(path: Path, into: Mapping[str, Tensor], *, some: bool = False) -> None:
    """Fill ``into`` in place with the tensors of the checkpoint in ``path``, bit for bit.

    Names, shapes and dtypes must be those that were saved; how tensors are cut over ranks need
    not. With ``some``, the checkpoint may hold more. If this fails on one rank it raises on all.
    """
    together(lambda: _load(path, into, some))


def _load(path: Path, into: Mapping[str, Tensor], some: bool) -> None:
    record = read_record(path)
    known = {name: told for name, told in record.tensors.items() if not some or name in into}
    _check_tensors(path, known, into)
    check_files(path, record.files)
    read_tensors(path, into)


def _check_tensors(path: Path, saved: Mapping[str, str], into: Mapping[str, Tensor]) -> None:
    missing = sorted(into.keys() - saved.keys())
    if missing:
        raise CheckpointError(f"{path} lacks tensors that are wanted: {_listed(missing)}")
    unexpected = sorted(saved.keys() - into.keys())
    if unexpected:
        raise CheckpointError(f"{path} has tensors that nothing wants: {_listed(unexpected)}")
    wanted = {name: describe(tensor.dtype, tensor.shape) for name, tensor in into.items()}
    wrong = [
        f"{name} is {saved[name]} and should be {wanted[name]}"
        for name in sorted(into)
        if saved[name] != wanted[name]
    ]
    if wrong:
        raise CheckpointError(f"{path} has tensors that don't fit: {_listed(wrong)}")


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES_TOLD
    return ", ".join(names[:_MOST_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def _check_ranks_agree(written: Mapping[str, str], here: Mapping[str, Tensor]) -> None:
    elsewhere = sorted(written.keys() - here.keys())
    if elsewhere:
        raise OstroError(f"all ranks must save the same names; one lacks {_listed(elsewhere)}")


def _number(metric: float | None) -> float | None:
    return None if metric is None or math.isnan(metric) else float(metric)


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """The hidden name under which a checkpoint is made; on failure nothing is left of it."""
    part = _hidden(target, "part")
    try:
        yield part
    except OSError as error:
        reason = error.strerror or str(error)
        raise OstroError(f"cannot write {target}: {reason}; nothing was left behind") from error
    finally:
        if is_first_rank():
            shutil.rmtree(part, ignore_errors=True)


def _finish(part: Path, target: Path, record: Record) -> None:
    """Write the record and give the checkpoint its name, all of it being on the disk by then."""
    write_record(part, replace(record, files=tensor_files(part)))
    sync(part)
    part.rename(target)
    sync(target.parent)


def _remove(path: Path) -> None:
    """Delete a checkpoint, which is not complete any more from the first moment on."""
    doomed = _hidden(path, "old")
    try:
        path.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise OstroError(f"cannot remove {path}: {error.strerror or error}") from error


def _hidden(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{ending}")

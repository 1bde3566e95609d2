"""Tokens a second of reading and writing, over lengths of prompts and numbers of sequences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ostro.config import WEIGHT_TYPES, Geometry, format_bytes, kv_bytes_per_token
from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.shipped_text import shipped_text
from ostro.evaluation.speed.phases import PhaseTimer, Spread, rotated_prompts
from ostro.evaluation.speed.products import product_rate
from ostro.evaluation.speed.roofline import Roofs, Work, decode_work, prefill_work
from ostro.evaluation.speed.section import speed_section
from ostro.evaluation.subject import Subject
from ostro.runtime.bandwidth import probe_bandwidth
from ostro.runtime.machine import describe_machine
from ostro.runtime.memory import read_memory
from ostro.runtime.progress import Progress
from ostro.runtime.settings import Settings, usable_cores

_HEAD = "machine"
_MEMORY_SHARE = 0.9
"""Of what is free, the most that keys and values take."""


@dataclass(frozen=True)
class _Cell:
    """A place in the table."""

    prompt: int
    batch: int

    @property
    def unit(self) -> str:
        return f"{self.prompt} x {self.batch}"


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What ``ostro bench`` measures. What was measured stays known under the same ``run``."""

    prompts: Sequence[int] = (128, 512, 2048)
    """Lengths in tokens."""
    batches: Sequence[int] = (1, 4, 16)
    """Sequences that are read, and then written, at the same time."""
    steps: int = 32
    """Of writing, in which each sequence gets a token."""
    repetitions: int = 3
    run: str = ""
    """What tells this run from earlier ones: another measures everything anew."""
    threads: int = field(default_factory=usable_cores)
    """What the models compute with, which is part of what was measured."""
    machine: str = field(default_factory=describe_machine)
    bandwidth: Callable[[int], float] = field(default=probe_bandwidth, repr=False)
    """Bytes a second that so many threads can read."""
    arithmetic: Callable[[Settings], float | None] = field(default=product_rate, repr=False)
    """Operations a second of a model's products."""

    @property
    def name(self) -> str:
        """``speed``."""
        return "speed"

    def check(self, subject: Subject) -> None:
        """Refuse numbers that make no sense, and prompts that the model cannot read."""
        for name, values in (("prompts", self.prompts), ("batches", self.batches)):
            if not values or min(values) < 1:
                raise OstroError(f"speed: {name} must be 1 or more")
        if min(self.steps, self.repetitions) < 1:
            raise OstroError("speed: steps and repetitions must be 1 or more")
        longest, most = max(self.prompts), max(self.batches)
        needed = PhaseTimer.context(prompt=longest, batch=most, steps=self.steps)
        if needed > subject.context:
            raise OstroError(
                f"{subject.name} reads {subject.context} tokens, and a prompt of {longest} with "
                f"its answer takes {needed}; give shorter prompts"
            )

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Time what was not timed in this run."""
        protocol = {
            "run": self.run,
            "machine": self.machine,
            "threads": self.threads,
            "steps": self.steps,
            "repetitions": self.repetitions,
        }
        with results.open(subject.key, self.name, protocol) as units:
            if _HEAD not in units:
                units.add(_HEAD, self._head(subject.llm))
            head = units[_HEAD]
            missing = {cell: _obstacle(subject.geometry, head, cell) for cell in self._cells()}
            todo = [cell for cell in self._cells() if not missing[cell] and cell.unit not in units]
            if todo:
                self._time(subject.llm, todo, units, progress)
            cells = [
                {"prompt": cell.prompt, "batch": cell.batch}
                | ({"missing": why} if why else self._found(subject.geometry, head, cell, units))
                for cell, why in missing.items()
            ]
        return {**head, "steps": self.steps, "repetitions": self.repetitions, "cells": cells}

    def section(self, found: Mapping[str, Found]) -> Section:
        """A table of all models, and a plot for each."""
        return speed_section(found)

    def _cells(self) -> Iterator[_Cell]:
        """Small ones first."""
        return (_Cell(*one) for one in product(sorted(self.prompts), sorted(self.batches)))

    def _head(self, llm: LLM) -> dict[str, Any]:
        settings = llm.settings
        on_cpu = settings.device.type == "cpu"
        return {
            "machine": self.machine,
            "device": settings.device.type,
            "threads": settings.threads,
            "kernels": settings.kernels,
            "weights": settings.type_name,
            "cache": llm.cache.type.name,
            "bandwidth": self.bandwidth(settings.threads) if on_cpu else None,
            "arithmetic": self.arithmetic(settings),
        }

    def _time(self, llm: LLM, cells: Sequence[_Cell], units: Units, progress: Progress) -> None:
        beginning = llm.encode("")
        ids = llm.encode(shipped_text())[len(beginning) :]

        def prompts(cell: _Cell) -> list[list[int]]:
            return rotated_prompts(ids, beginning=beginning, count=cell.batch, length=cell.prompt)

        # The first run of a process makes buffers and starts threads.
        first = _Cell(min(cells[0].prompt, 64), 1)
        PhaseTimer(llm, prompt=first.prompt, batch=1, steps=1).run(prompts(first))
        total = len(cells) * self.repetitions
        with progress.task("timing", total, "items") as advance:
            for cell in cells:
                timer = PhaseTimer(llm, prompt=cell.prompt, batch=cell.batch, steps=self.steps)
                runs = []
                for _ in range(self.repetitions):
                    runs.append(timer.run(prompts(cell)).to_list())
                    advance(1)
                units.add(cell.unit, runs)

    def _found(
        self, geometry: Geometry, head: Mapping[str, Any], cell: _Cell, units: Units
    ) -> dict[str, Any]:
        """Tokens a second of all sequences together, beside the roofline's."""
        types = (WEIGHT_TYPES[head["weights"]], WEIGHT_TYPES[head["cache"]])
        written = cell.prompt + self.steps // 2
        read = prefill_work(geometry, *types, prompt=cell.prompt, batch=cell.batch)
        step = decode_work(geometry, *types, context=written, batch=cell.batch)
        roofs = Roofs(head["bandwidth"], head["arithmetic"])
        prefill, decode = zip(*units[cell.unit], strict=True)
        return {
            "prefill": _phase(roofs, read, cell.prompt * cell.batch, prefill),
            "decode": _phase(roofs, step, cell.batch, [s / self.steps for s in decode]),
        }


def _phase(roofs: Roofs, work: Work, tokens: int, seconds: Sequence[float]) -> dict[str, Any]:
    least = roofs.seconds(work)
    return {
        "speed": Spread.of([tokens / one for one in seconds]).to_dict(),
        "roof": None if least is None else tokens / least,
        "limit": roofs.limit(work),
    }


def _obstacle(geometry: Geometry, head: Mapping[str, Any], cell: _Cell) -> str | None:
    """Why a cell is not measured; None if it is."""
    needed = cell.batch * cell.prompt * kv_bytes_per_token(geometry, WEIGHT_TYPES[head["cache"]])
    free = int(_MEMORY_SHARE * read_memory().available)
    if head["device"] != "cpu" or needed <= free:
        return None
    return f"keys and values take {format_bytes(needed)}, and {format_bytes(free)} are free"

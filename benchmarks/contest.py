"""ostro and its peers on one file: started, measured in turn, compared."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ostro
from models import HOME, Model, model_file
from ostro.engine.planning import describe_model, plan_model
from ostro.runtime.environment import Environment
from ostro.runtime.memory import read_memory
from ostro.runtime.progress import Progress
from ostro.weights.hf_config import config_from_geometry
from peers.client import Worker
from peers.environments import PEERS, Peer, PeerMissing, python_of, this_python
from probes import read_bandwidth
from quiet import wait_for_quiet
from rounds import EngineFailed, Series, alternate

OSTRO = "ostro"
TRANSFORMERS = "transformers BF16"
# Weights, and a little for keys, values and buffers.
_MEMORY_OF_A_PEER = 1.15


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """An engine that takes part: how its worker is started."""

    name: str
    python: Path
    script: str
    setup: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is measured, on which model, with what room."""

    model: Model
    requests: Mapping[str, Mapping[str, Any]]
    """Measurements by name, as the workers understand them."""
    context: int
    sequences: int = 1
    repack: bool = True
    prepare: tuple[Mapping[str, Any], ...] = ()
    """Measured once after loading, for what it leaves behind."""
    options: Mapping[str, Any] | None = None
    """More arguments of ``ostro.load``."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Who takes part, and how patiently it is measured."""

    cache: Path
    threads: int
    rounds: int
    patience: float
    """Seconds to wait for a quiet machine, a row."""
    peers: Sequence[str]
    progress: Progress
    missing: dict[str, str] = field(default_factory=dict)
    """Peers that cannot be had here, and why: told once, asked for no more."""
    engines: dict[str, str] = field(default_factory=dict)
    """Version and processor features of every engine that ran, in its own words."""

    def run(
        self,
        task: Task,
        *,
        peers: bool = True,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        together: bool | None = None,
    ) -> dict[str, dict[str, float]]:
        """Median speeds, tokens a second: by request, by engine. What fails has no entry.

        ``prefix`` and ``environment`` are those of every worker, ``before`` is called ahead of each
        start, and ``together`` says whether engines are loaded at once and measured in turn, or
        one after another (default: at once where memory allows that).
        """
        path = model_file(task.model, self.cache, self.progress)
        entrants = self._entrants(task, path, peers=peers)
        start = partial(self._start, prefix=prefix, environment=environment, before=before)
        if together is None:
            together = self._fit_together(task, path, entrants)
        groups = [entrants] if together else [[one] for one in entrants]
        speeds: dict[str, dict[str, float]] = {name: {} for name in task.requests}
        for group in groups:
            for request, series in self._measure(group, task, start).items():
                medians = {name: one.median(self.rounds) for name, one in series.items()}
                speeds[request] |= medians
        return speeds

    def models_in_turn(self, tasks: Mapping[str, Task], request: str) -> dict[str, float]:
        """Median speeds of ostro alone on several models, measured in turn: by their names."""
        with ExitStack() as stack:
            workers = {}
            for name, task in tasks.items():
                path = model_file(task.model, self.cache, self.progress)
                (entrant,) = self._entrants(task, path, peers=False)
                worker = self._start(entrant, prefix=(), environment=None, before=None)
                workers[name] = stack.enter_context(worker)
                self.engines[entrant.name] = worker.about
            requests = {name: task.requests[request] for name, task in tasks.items()}
            series = self._alternate(request, requests, workers)
        return {name: one.median(self.rounds) for name, one in series.items()}

    def bandwidth(self) -> float:
        """Bytes per second that the memory gives when nothing is computed, in a quiet moment."""
        wait_for_quiet(self.patience)
        return read_bandwidth(self.cache, self.threads)

    def _measure(
        self, group: Sequence[Entrant], task: Task, start: Callable[[Entrant], Worker]
    ) -> dict[str, dict[str, Series]]:
        """Start the engines of a group, then measure each request with all of them in turn."""
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            for entrant in group:
                try:
                    worker = stack.enter_context(start(entrant))
                    self.engines[entrant.name] = worker.about
                    for request in task.prepare:
                        self.progress.note(f"{entrant.name}: {describe_request(request)} first")
                        worker.measure(request)
                    workers[entrant.name] = worker
                except EngineFailed as failure:
                    self.progress.note(f"{entrant.name}: {failure}")
            return {
                name: self._alternate(name, dict.fromkeys(workers, request), workers)
                for name, request in task.requests.items()
            }

    def _alternate(
        self, name: str, requests: Mapping[str, Mapping[str, Any]], workers: Mapping[str, Worker]
    ) -> dict[str, Series]:
        measures = {who: partial(w.measure, requests[who]) for who, w in workers.items()}
        note = self.progress.note
        series = alternate(measures, rounds=self.rounds, patience=self.patience, note=note)
        for engine, one in series.items():
            note(
                f"{name}: {engine} {one.median(self.rounds):.4g} tok/s, "
                f"{len(one.quiet())} of {len(one.samples)} rounds undisturbed"
            )
        return series

    def _start(
        self,
        entrant: Entrant,
        *,
        prefix: Sequence[str],
        environment: Mapping[str, str] | None,
        before: Callable[[], None] | None,
    ) -> Worker:
        if before is not None:
            before()
        logs = self.cache / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return Worker(
            entrant.python,
            entrant.script,
            entrant.setup,
            log=logs / f"{entrant.name.replace(' ', '-')}.log",
            environment={**entrant.environment, **(environment or {})},
            prefix=prefix,
        )

    def _entrants(self, task: Task, path: Path, *, peers: bool) -> list[Entrant]:
        setup = {
            "path": str(path),
            "threads": self.threads,
            "context": task.context,
            "sequences": task.sequences,
            "repack": task.repack,
        }
        here = partial(Entrant, python=this_python())
        # What ostro prepares of the models lies in the cache, beside them.
        own = {"PYTHONPATH": _folder_of_ostro(), "OSTRO_HOME": str(self.cache / HOME)}
        entrants = [
            here(
                name=OSTRO,
                script="ostro_worker.py",
                setup={**setup, "options": task.options},
                environment=own,
            )
        ]
        if not peers:
            return entrants
        for peer in PEERS:
            if peer.name in self.peers and (task.sequences == 1 or peer.batches):
                python = self._python(peer)
                if python is not None:
                    setup_of_peer = {**setup, "repack": task.repack and peer.repack}
                    entrants.append(
                        Entrant(
                            name=peer.name, python=python, script=peer.script, setup=setup_of_peer
                        )
                    )
        # Its weights are bfloat16, which only a small model leaves room for.
        if self._has_transformers() and task.model.preset == "demo":
            options = {"config": dict(config_from_geometry(task.model.geometry, "bfloat16", {}))}
            script = "transformers_worker.py"
            entrants.append(
                here(name=TRANSFORMERS, script=script, setup={**setup, "options": options})
            )
        return entrants

    def _has_transformers(self) -> bool:
        """Whether it takes part; it runs in ostro's own environment, over the same torch."""
        name = "transformers"
        if name not in self.peers or name in self.missing:
            return False
        if find_spec(name) is None:
            self.missing[name] = "not installed"
            self.progress.note("left out: transformers, which `make dev` installs")
            return False
        return True

    def _python(self, peer: Peer) -> Path | None:
        if peer.name in self.missing:
            return None
        try:
            return python_of(peer, self.cache, self.progress.note)
        except PeerMissing as error:
            self.missing[peer.name] = str(error)
            self.progress.note(f"left out: {error}")
            return None

    def _fit_together(self, task: Task, path: Path, entrants: Sequence[Entrant]) -> bool:
        """Whether all engines may hold the model at once; else they come one after another."""
        environment = Environment.read()
        each = task.context // task.sequences
        plan = plan_model(
            describe_model(str(path), environment),
            environment,
            context=each,
            batch=task.sequences,
            threads=self.threads,
        )
        others = (len(entrants) - 1) * task.model.bytes * _MEMORY_OF_A_PEER
        return plan.required_bytes + others < read_memory().available


def describe_request(request: Mapping[str, Any]) -> str:
    """A measurement in words: "prefill, tokens 512"."""
    options = [f"{key} {value}" for key, value in request.items() if key != "measure"]
    return ", ".join([str(request["measure"]), *options])


def best_peer(speeds: Mapping[str, float]) -> tuple[str, float]:
    """The fastest engine that is not ostro; ("none", 0) where no peer ran."""
    others = {name: speed for name, speed in speeds.items() if name != OSTRO}
    if not others:
        return "none", 0.0
    name = max(others, key=lambda name: others[name])
    return name, others[name]


def _folder_of_ostro() -> str:
    """Where ``import ostro`` finds the package that is being measured."""
    return str(Path(ostro.__file__).parents[1])

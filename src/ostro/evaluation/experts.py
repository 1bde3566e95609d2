"""Quality and speed by the number of experts that a token uses, and without single experts.

The model reads the same windows of a text each time, and only its router is told otherwise
(:mod:`ostro.model.steering`). Differences to the model as it is are taken window by window, so that
what makes a window hard falls out of them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostro.config import Geometry
from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.evaluation.asking import finished
from ostro.evaluation.experts_section import experts_section
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.shipped_text import TEXT_NAME, shipped_text
from ostro.evaluation.speed.phases import PhaseTimer, Spread, rotated_prompts
from ostro.evaluation.statistics import ratio_of
from ostro.evaluation.subject import Subject
from ostro.evaluation.text_windows import text_windows
from ostro.model.steering import LayerSteering, Steering
from ostro.runtime.machine import describe_machine
from ostro.runtime.progress import Progress
from ostro.runtime.settings import usable_cores

WINDOW = 256


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One thing that the router is told."""

    steering: Steering | None = None
    """None: nothing, which is the baseline."""
    top_k: int
    """Experts a token."""
    without: int | None = None
    """The expert that is switched off."""
    layers: tuple[int, int] | None = None
    """The first and the last layer of those where it is; None: in all."""

    @property
    def unit(self) -> str:
        """What it is kept under."""
        table = {} if self.steering is None else self.steering.to_dict()
        return json.dumps(table, sort_keys=True)

    def to_dict(self) -> dict[str, Any]:
        """What it is, in plain values."""
        layers = None if self.layers is None else list(self.layers)
        return {
            "top_k": self.top_k,
            "without": self.without,
            "layers": layers,
            "baseline": self.steering is None,
        }


def settings(geometry: Geometry, ranges: Sequence[tuple[int, int]] = ()) -> list[Setting]:
    """1 to E experts a token; then each expert switched off, in all layers and in each range."""
    own, experts = geometry.top_k, geometry.num_experts
    found = [
        Setting(top_k=k, steering=_steering(LayerSteering(top_k=k)) if k != own else None)
        for k in range(1, experts + 1)
    ]
    if own == experts:  # None can be spared.
        return found
    for layers in (None, *ranges):
        for expert in range(experts):
            steering = _steering(LayerSteering(forbid=[expert]), layers)
            found.append(Setting(steering=steering, top_k=own, without=expert, layers=layers))
    return found


def _steering(wanted: LayerSteering, layers: tuple[int, int] | None = None) -> Steering:
    if layers is None:
        return Steering(default=wanted)
    return Steering(layers=dict.fromkeys(range(layers[0], layers[1] + 1), wanted))


@dataclass(frozen=True, kw_only=True)
class Experts:
    """Perplexity and tokens a second under every setting."""

    text: str = field(default_factory=shipped_text, repr=False)
    text_name: str = TEXT_NAME
    window: int = WINDOW
    """Tokens that are read together, BOS included."""
    limit: int | None = None
    """The most windows; None reads all of the text."""
    ranges: Sequence[tuple[int, int]] = ()
    """First and last layers of ranges in which single experts are switched off as well."""
    repetitions: int = 3
    """Of a speed."""
    prompt: int = 128
    """Tokens that are read to measure a speed."""
    steps: int = 24
    """Tokens that are written to measure a speed."""
    threads: int = field(default_factory=usable_cores)
    """What the models compute with, which is part of what a speed is."""
    machine: str = field(default_factory=describe_machine)

    @property
    def name(self) -> str:
        """``experts``."""
        return "experts"

    def check(self, subject: Subject) -> None:
        """Refuse a dense model, and windows and layers that the model does not have."""
        geometry = subject.geometry
        if not geometry.is_sparse:
            raise OstroError(f"{subject.name} is dense: it has no experts to choose among")
        counts = (
            self.repetitions,
            self.prompt,
            self.steps,
            1 if self.limit is None else self.limit,
        )
        if min(counts) < 1:
            raise OstroError("experts: limit, repetitions, prompt and steps must be 1 or more")
        longest = PhaseTimer.context(prompt=self.prompt, batch=1, steps=self.steps)
        if not 3 <= self.window < subject.context or longest > subject.context:
            raise OstroError(
                f"{subject.name} reads {subject.context} tokens; windows of {self.window} and "
                f"answers of {longest} tokens do not go with it"
            )
        for first, last in self.ranges:
            if not 0 <= first <= last < geometry.num_layers:
                raise OstroError(
                    f"{subject.name} has the layers 0 to {geometry.num_layers - 1}; "
                    f"{first} to {last} is no range of them"
                )

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Read and time under each setting that is not known yet."""
        wanted = settings(subject.geometry, self.ranges)
        with results.open(subject.key, self.name, self._protocol()) as units:
            missing = [one for one in wanted if one.unit not in units]
            if missing:
                self._read(subject.llm, missing, units, progress)
            losses = {one.unit: units[one.unit] for one in wanted}
        with results.open(subject.key, f"{self.name}-speed", self._speed_protocol()) as units:
            missing = [one for one in wanted if one.unit not in units]
            if missing:
                self._time(subject.llm, missing, units, progress)
            speeds = {one.unit: units[one.unit] for one in wanted}
        baseline = losses[Setting(top_k=subject.geometry.top_k).unit]
        found = [
            one.to_dict()
            | _quality(losses[one.unit], baseline)
            | _speeds(speeds[one.unit], self.prompt, self.steps)
            for one in wanted
        ]
        protocol = self._speed_protocol() | {"text": self.text_name, "window": self.window}
        return protocol | {"windows": len(baseline), "settings": found}

    def section(self, found: Mapping[str, Found]) -> Section:
        """Tables and plots."""
        return experts_section(found)

    def _protocol(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        return {"text": digest, "window": self.window, "limit": self.limit}

    def _speed_protocol(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "threads": self.threads,
            "prompt": self.prompt,
            "steps": self.steps,
            "repetitions": self.repetitions,
        }

    def _read(self, llm: LLM, wanted: Sequence[Setting], units: Units, progress: Progress) -> None:
        windows = text_windows(llm.encode(self.text), llm.encode(""), self.window)[: self.limit]
        if not windows:
            raise OstroError("there is nothing to predict: the text needs two tokens at least")
        for number, setting in enumerate(wanted, 1):
            label = f"perplexity {number}/{len(wanted)}"
            losses = window_losses(llm, windows, setting.steering, progress, label)
            units.add(setting.unit, [list(pair) for pair in losses])

    def _time(self, llm: LLM, wanted: Sequence[Setting], units: Units, progress: Progress) -> None:
        """One repetition of all settings after another, so that a busy moment hits them alike."""
        beginning = llm.encode("")
        ids = llm.encode(self.text)[len(beginning) :]
        prompts = rotated_prompts(ids, beginning=beginning, count=1, length=self.prompt)
        timer = PhaseTimer(llm, prompt=self.prompt, batch=1, steps=self.steps)
        timer.run(prompts)  # The first one makes buffers and starts threads.
        runs: dict[str, list[list[float]]] = {one.unit: [] for one in wanted}
        with progress.task("timing", self.repetitions * len(wanted), "items") as advance:
            for _ in range(self.repetitions):
                for one in wanted:
                    runs[one.unit].append(timer.run(prompts, one.steering).to_list())
                    advance(1)
        for unit, phases in runs.items():
            units.add(unit, phases)


def window_losses(
    llm: LLM,
    windows: Sequence[Sequence[int]],
    steering: Steering | None,
    progress: Progress,
    label: str = "perplexity",
) -> list[tuple[float, int]]:
    """Of each window the sum of -ln p of its tokens but the first, and how many those are."""
    params = SamplingParams(max_tokens=1, prompt_logprobs=0)
    requests = [Request(prompt_ids=ids, params=params, steering=steering) for ids in windows]
    losses = dict(_losses(llm, requests, progress, label))
    return [losses[number] for number in range(len(windows))]


def _losses(
    llm: LLM, requests: Sequence[Request], progress: Progress, label: str
) -> Iterator[tuple[int, tuple[float, int]]]:
    for number, (answer,) in finished(llm, requests, progress, label):
        assert answer.report is not None
        judged = answer.report.logprobs
        yield number, (-sum(token.chosen.logprob for token in judged), len(judged))


def _quality(
    losses: Sequence[tuple[float, int]], baseline: Sequence[tuple[float, int]]
) -> dict[str, Any]:
    """Nats a token: of the setting, and how many more than of the baseline on the same windows."""
    sizes = [count for _, count in losses]
    more = [loss - own for (loss, _), (own, _) in zip(losses, baseline, strict=True)]
    return {
        "loss": ratio_of([loss for loss, _ in losses], sizes).to_dict(),
        "difference": ratio_of(more, sizes).to_dict(),
    }


def _speeds(phases: Sequence[Sequence[float]], prompt: int, steps: int) -> dict[str, Any]:
    prefill, decode = zip(*phases, strict=True)
    return {
        "prefill": Spread.of([prompt / seconds for seconds in prefill]).to_dict(),
        "decode": Spread.of([steps / seconds for seconds in decode]).to_dict(),
    }

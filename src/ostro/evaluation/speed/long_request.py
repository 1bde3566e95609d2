"""A request of a large model's whole context, through a slice of its layers.

The whole of Mixtral 8x7B would read 32,768 tokens for an hour on a small machine. All its layers
do the same work, so a model of random weights with some of them tells what all would take: reading
is scaled by the operations, and writing by the bytes, that the whole has more than the slice.
"""

import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ostro.config import PRESETS, WEIGHT_TYPES, Geometry, Plan, WeightType, make_plan, weight_type
from ostro.engine.answer import Answer
from ostro.engine.core import EngineCore
from ostro.engine.llm import LLM
from ostro.engine.load import load
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.evaluation.report.contents import Cell, Section, Table
from ostro.evaluation.speed.roofline import decode_work, prefill_work
from ostro.runtime.environment import Environment
from ostro.runtime.machine import describe_machine
from ostro.runtime.memory import resident_bytes
from ostro.runtime.progress import Progress
from ostro.weights.synthesize import synthetic, write_synthetic

_LEAST_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class LongRequest:
    """What was measured of the slice, and what follows for the whole. Seconds and bytes."""

    preset: str
    weights: str
    cache: str
    layers: int
    """Of the slice."""
    all_layers: int
    prompt: int
    """Tokens that were read."""
    steps: int
    """Tokens that were written after the first, and timed."""
    first_token_seconds: float
    decode_seconds: float
    """A token, with the whole prompt behind it."""
    held_bytes: int
    """The most by which the process grew, file pages included."""
    planned_bytes: int
    """What the plan says of the slice: weights, keys and values, workspace."""
    whole_first_token_seconds: float
    """Scaled."""
    whole_decode_seconds: float
    """Scaled."""
    whole_weight_bytes: int
    whole_kv_bytes: int
    whole_bytes: int
    """Planned, workspace included."""
    threads: int
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def long_request(
    folder: Path,
    *,
    environment: Environment,
    progress: Progress,
    preset: str = "mixtral-8x7b",
    kind: str = "Q4_0",
    layers: int = 1,
    context: int | None = None,
    steps: int = 8,
) -> LongRequest:
    """Read a prompt that fills ``context`` (default: the geometry's) but for ``steps`` + 1 tokens.

    The slice's weights are made in ``folder``, and found there by a later call.
    """
    stored = weight_type(kind)
    part = synthetic(preset, stored, layers=layers).geometry
    whole = PRESETS[preset]
    context = whole.context_length if context is None else context
    if steps < _LEAST_STEPS or not steps + 1 < context <= whole.context_length:
        raise OstroError(
            f"a long request has {_LEAST_STEPS} steps at least, and a context above them of at "
            f"most {whole.context_length} tokens, not {steps} steps in {context}"
        )
    if not 1 <= layers <= whole.num_layers:
        raise OstroError(f"{preset} has {whole.num_layers} layers, so a slice cannot have {layers}")
    path = _slice(folder, preset, stored, layers, progress)
    before = resident_bytes()
    home = replace(environment, home=folder)
    llm = load(path, context=context, environment=home, progress=progress)
    timed = _timed(llm, context, steps, progress)
    return _scaled(llm, preset, part, whole, context, steps, timed, timed.most_bytes - before)


@dataclass(frozen=True)
class _Timed:
    first_token: float
    decode: float
    most_bytes: int


def _slice(folder: Path, preset: str, stored: WeightType, layers: int, progress: Progress) -> Path:
    path = folder / f"{preset}-{layers}layers.{stored.name}.gguf"
    if not path.exists():
        source = synthetic(preset, stored, layers=layers)
        write_synthetic(source, path, name=f"{layers} layers of {preset}", progress=progress)
    return path


def _timed(llm: LLM, context: int, steps: int, progress: Progress) -> _Timed:
    core = EngineCore(
        llm.model,
        llm.tokenizer,
        context=context,
        cache_type=llm.cache.type.name,
        speculate=False,
        lock=llm.lock,
    )
    draw = random.Random(0)
    size = llm.model.geometry.vocab_size
    prompt = [draw.randrange(size) for _ in range(context - steps - 1)]
    params = SamplingParams(max_tokens=steps + 1, ignore_eos=True)
    most = 0
    start = time.perf_counter()
    (answer,) = core.add(Request(prompt_ids=prompt, params=params))
    with progress.task("reading a long prompt", len(prompt), "items") as advance:
        while not (answer.generated or answer.is_finished):
            most = max(most, _step(core, answer, advance))
    first = time.perf_counter() - start
    while not answer.is_finished:
        most = max(most, _step(core, answer, lambda done: None))
    if answer.error is not None:
        raise answer.error
    return _Timed(first, (time.perf_counter() - start - first) / steps, most)


def _step(core: EngineCore, answer: Answer, advance: Callable[[int], None]) -> int:
    """Make a step; the bytes that the process holds after it."""
    before = answer.computed
    core.step()
    advance(answer.computed - before)
    return resident_bytes()


def _scaled(
    llm: LLM,
    preset: str,
    part: Geometry,
    whole: Geometry,
    context: int,
    steps: int,
    timed: _Timed,
    held: int,
) -> LongRequest:
    types = (WEIGHT_TYPES[llm.settings.type_name], llm.cache.type)
    prompt = context - steps - 1
    read = [prefill_work(g, *types, prompt=prompt, batch=1).flops for g in (whole, part)]
    written = [decode_work(g, *types, context=prompt, batch=1).bytes for g in (whole, part)]
    plans = {g.num_layers: _plan(g, types, context) for g in (part, whole)}
    plan = plans[whole.num_layers]
    return LongRequest(
        preset=preset,
        weights=types[0].name,
        cache=types[1].name,
        layers=part.num_layers,
        all_layers=whole.num_layers,
        prompt=prompt,
        steps=steps,
        first_token_seconds=timed.first_token,
        decode_seconds=timed.decode,
        held_bytes=held,
        planned_bytes=plans[part.num_layers].required_bytes,
        whole_first_token_seconds=timed.first_token * read[0] / read[1],
        whole_decode_seconds=timed.decode * written[0] / written[1],
        whole_weight_bytes=plan.resident_weight_bytes,
        whole_kv_bytes=plan.kv_bytes,
        whole_bytes=plan.required_bytes,
        threads=llm.settings.threads,
        machine=describe_machine(),
    )


def _plan(geometry: Geometry, types: tuple[WeightType, WeightType], context: int) -> Plan:
    weights, cache = types
    return make_plan(
        geometry,
        model="a long request",
        stored=weights,
        compute=weights,
        cache=cache,
        context=context,
        memory_bytes=0,
        read_bandwidth=0.0,
    )


def long_request_section(found: LongRequest) -> Section:
    """What was measured beside what was scaled, told apart."""
    one = found
    part = f"{one.layers} of {one.all_layers} layers"
    return Section(
        name="long-request",
        title=f"A request of {one.prompt + one.steps + 1:,} tokens on {one.preset}",
        protocol=(
            f"A model of random weights with the geometry of {one.preset} and {part}, as "
            f"{one.weights} with keys and values in {one.cache}, read {one.prompt:,} random "
            f"tokens and then wrote {one.steps + 1}, on {one.threads} threads of {one.machine}. "
            "The last column is not measured: it is scaled to all layers, times of reading by "
            "operations and times of writing by bytes; its memory is planned."
        ),
        blocks=[_long_table(one, part)],
        data=one.to_dict(),
    )


def _long_table(one: LongRequest, part: str) -> Table:
    def row(name: str, measured: Cell, whole: Cell) -> list[Cell]:
        return [Cell(text=name), measured, whole]

    def size(count: int) -> Cell:
        return Cell(number=count, scale=1e-9, digits=2)

    nothing = Cell(missing="measured together")
    return Table(
        name="long-request",
        title=f"{one.preset}, {one.prompt:,} tokens read",
        columns=["", f"{part}, measured", f"all {one.all_layers} layers, scaled or planned"],
        rows=[
            row(
                "time to first token, s",
                Cell(number=one.first_token_seconds),
                Cell(number=one.whole_first_token_seconds, note="scaled by operations"),
            ),
            row(
                "reading, tok/s",
                Cell(number=one.prompt / one.first_token_seconds, digits=2),
                Cell(
                    number=one.prompt / one.whole_first_token_seconds,
                    digits=2,
                    note="scaled by operations",
                ),
            ),
            row(
                "writing, tok/s",
                Cell(number=1 / one.decode_seconds, digits=2),
                Cell(number=1 / one.whole_decode_seconds, digits=2, note="scaled by bytes"),
            ),
            row("weights, GB", nothing, size(one.whole_weight_bytes)),
            row("keys and values, GB", nothing, size(one.whole_kv_bytes)),
            row("memory, GB", size(one.held_bytes), size(one.whole_bytes)),
            row("memory planned, GB", size(one.planned_bytes), size(one.whole_bytes)),
        ],
    )

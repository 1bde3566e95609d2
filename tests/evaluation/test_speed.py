"""What speeds are made of: what was read and written, and what a machine allows."""

import json
from dataclasses import replace

import pytest
import torch
from matplotlib.figure import Figure

import ostro
from ostro.config import PRESETS, WEIGHT_TYPES
from ostro.config.arithmetic import kv_bytes_per_token, read_bytes
from ostro.errors import OstroError
from ostro.evaluation.report.contents import Plot, Table
from ostro.evaluation.results import Results
from ostro.evaluation.speed import measurement as module
from ostro.evaluation.speed.long_request import long_request, long_request_section
from ostro.evaluation.speed.measurement import Speed
from ostro.evaluation.speed.phases import PhaseTimer, Spread, rotated_prompts
from ostro.evaluation.speed.products import product_rate
from ostro.evaluation.speed.roofline import Roofs, Work, decode_work, prefill_work
from ostro.evaluation.subject import Subject
from ostro.runtime.environment import Environment
from ostro.runtime.memory import Memory
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_babbler

SILENT = SilentProgress()
F16, Q4_0 = WEIGHT_TYPES["F16"], WEIGHT_TYPES["Q4_0"]
BIG = PRESETS["mixtral-8x7b"]
SHORT = {"prompts": (20, 40), "batches": (1, 3), "steps": 4, "repetitions": 2, "machine": "here"}
ROOFS = {"bandwidth": lambda threads: 1e9 * threads, "arithmetic": lambda settings: 1e12}


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    folder = save_babbler(tmp_path_factory.mktemp("models") / "m")
    return ostro.load(folder, progress=SILENT)


def subject_of(llm, load=None) -> Subject:
    return Subject("tiny", "key", llm.model.geometry, llm.context, load or (lambda: llm))


def not_again():
    raise AssertionError("the model was loaded again")


# ---- reading and writing apart ----


def test_prompts_begin_differently_and_have_one_length() -> None:
    prompts = rotated_prompts([1, 2, 3, 4, 5, 6], beginning=[9], count=3, length=6)
    assert prompts == [[9, 1, 2, 3, 4, 5], [9, 3, 4, 5, 6, 1], [9, 5, 6, 1, 2, 3]]
    with pytest.raises(OstroError, match="too short for 7 different"):
        rotated_prompts([1, 2, 3, 4, 5, 6], beginning=[], count=7, length=6)


@pytest.mark.parametrize(("prompt", "batch"), [(20, 1), (70, 3), (33, 40)])
def test_a_run_reads_every_prompt_once_and_writes_with_all(llm, prompt, batch, monkeypatch) -> None:
    timer = PhaseTimer(llm, prompt=prompt, batch=batch, steps=5)
    core, rows = timer._core, []
    run = core.runner.run
    monkeypatch.setattr(core.runner, "run", lambda parts, **how: rows.append(parts) or run(parts))
    prompts = rotated_prompts(range(200), beginning=[], count=batch, length=prompt)
    for _ in range(2):  # The second run knows nothing of the first.
        rows.clear()
        phases = timer.run(prompts)
        assert phases.prefill > 0
        assert phases.decode > 0
        read = sum(part.count for parts in rows for part in parts if part.end <= prompt)
        assert read == batch * (prompt + 1)  # The last one again, since its logits are wanted.
        for parts in rows[-5:]:
            assert [part.count for part in parts] == [1] * batch
        assert core.is_idle


def test_a_prompt_that_does_not_fit_is_refused(llm) -> None:
    most = llm.context - PhaseTimer.context(prompt=0, batch=2, steps=4)
    PhaseTimer(llm, prompt=most - 1, batch=2, steps=4)
    with pytest.raises(OstroError, match="give shorter prompts or a larger --context"):
        PhaseTimer(llm, prompt=most + 1, batch=2, steps=4)


def test_a_spread_has_the_median_and_both_ends() -> None:
    assert Spread.of([3.0, 9.0, 1.0]) == Spread(3.0, 1.0, 9.0)


# ---- what a machine allows ----


def test_decoding_reads_weights_keys_and_values() -> None:
    work = decode_work(BIG, Q4_0, F16, context=1000, batch=2)
    kept = 32 * 2 * 8 * 128 * 2  # Layers, keys and values, heads, numbers, bytes.
    assert kv_bytes_per_token(BIG, F16) == kept
    assert work.bytes == pytest.approx(read_bytes(BIG, Q4_0, batch=2) + 2 * 1000 * kept)
    # 12.9 B parameters are active, of which the embedding is only looked up.
    assert work.flops == pytest.approx(2 * (2 * 12.75e9 + 4 * 1000 * 4096 * 32), rel=0.01)


def test_a_window_bounds_what_is_read() -> None:
    dense = PRESETS["mistral-7b"]
    near, far = (decode_work(dense, Q4_0, F16, context=c, batch=1) for c in (4096, 30000))
    assert near == far


def test_reading_a_prompt_computes_every_token_and_one_row_of_logits() -> None:
    work = prefill_work(BIG, Q4_0, F16, prompt=3, batch=2)
    head = 2 * 32_000 * 4096
    single = [decode_work(BIG, Q4_0, F16, context=c, batch=1).flops - head for c in (1, 2, 3)]
    assert work.flops == 2 * (sum(single) + head)


def test_the_lower_roof_counts() -> None:
    roofs = Roofs(bandwidth=100.0, arithmetic=1000.0)
    assert roofs.seconds(Work(bytes=200, flops=1000)) == 2.0
    assert roofs.limit(Work(bytes=200, flops=1000)) == "bandwidth"
    assert roofs.seconds(Work(bytes=200, flops=5000)) == 5.0
    assert roofs.limit(Work(bytes=200, flops=5000)) == "arithmetic"
    assert Roofs(bandwidth=None, arithmetic=1.0).seconds(Work(bytes=1, flops=1)) is None
    assert Roofs(bandwidth=1.0, arithmetic=None).limit(Work(bytes=1, flops=1)) is None


def test_products_have_a_rate_in_each_way_to_compute(llm) -> None:
    settings = llm.settings
    plain = replace(settings, kernels="torch", dtype=torch.float32)
    quantised = replace(settings, weight_type="Q4_0")
    for one in (settings, plain, quantised):
        rate = product_rate(one)
        assert rate is not None
        assert 1e8 < rate < 1e15
    assert product_rate(replace(settings, weight_type="IQ1_S")) is None
    assert product_rate(replace(settings, device=torch.device("meta"))) is None


# ---- the measurement ----


@pytest.fixture(scope="module")
def found(llm, tmp_path_factory):
    results = Results(tmp_path_factory.mktemp("results"))
    return Speed(**SHORT, **ROOFS).measure(subject_of(llm), results, SILENT)


def test_every_length_and_number_has_its_speeds_beside_the_roofline(llm, found) -> None:
    assert found == json.loads(json.dumps(found))
    places = [(cell["prompt"], cell["batch"]) for cell in found["cells"]]
    assert places == [(20, 1), (20, 3), (40, 1), (40, 3)]
    types = [WEIGHT_TYPES[found[key]] for key in ("weights", "cache")]
    assert types[0].name == llm.settings.type_name
    for cell in found["cells"]:
        for phase in ("prefill", "decode"):
            speed = cell[phase]["speed"]
            assert 0 < speed["least"] <= speed["median"] <= speed["most"]
        prompt, batch = cell["prompt"], cell["batch"]
        geometry = llm.model.geometry
        step = decode_work(geometry, *types, context=prompt + 2, batch=batch)
        threads = llm.settings.threads
        least = max(step.bytes / (1e9 * threads), step.flops / 1e12)
        assert cell["decode"]["roof"] == pytest.approx(batch / least)
        assert cell["decode"]["limit"] == "bandwidth"


def test_a_run_is_kept_and_another_measures_anew(llm, tmp_path) -> None:
    speed, results = Speed(**SHORT, **ROOFS), Results(tmp_path)
    first = speed.measure(subject_of(llm), results, SILENT)
    assert speed.measure(subject_of(llm, not_again), results, SILENT) == first
    for changes in ({"run": "2"}, {"machine": "there"}, {"threads": 99}, {"repetitions": 1}):
        with pytest.raises(AssertionError, match="loaded again"):
            replace(speed, **changes).measure(subject_of(llm, not_again), results, SILENT)
    more = replace(speed, prompts=(20, 40, 50)).measure(subject_of(llm), results, SILENT)
    assert more["cells"][:4] == first["cells"]


def test_keys_and_values_that_do_not_fit_are_told(llm, tmp_path, monkeypatch) -> None:
    one = kv_bytes_per_token(llm.model.geometry, llm.cache.type)
    room = Memory(total=0, available=int(60 * one / 0.9) + 1)
    monkeypatch.setattr(module, "read_memory", lambda: room)
    speed = Speed(**SHORT, **ROOFS)
    found = speed.measure(subject_of(llm), Results(tmp_path), SILENT)
    assert ["missing" in cell for cell in found["cells"]] == [False, False, False, True]
    assert "are free" in found["cells"][3]["missing"]
    section = speed.section({"tiny": found})
    assert section.blocks[0].rows[3][3].missing == found["cells"][3]["missing"]
    section.blocks[1].draw(Figure())


def test_what_makes_no_sense_is_refused_before_loading(llm) -> None:
    subject = subject_of(llm, not_again)
    for changes, message in (
        ({"prompts": (0,)}, "prompts must be 1 or more"),
        ({"batches": ()}, "batches must be 1 or more"),
        ({"steps": 0}, "steps and repetitions"),
        ({"prompts": (16, 510)}, "reads 512 tokens, and a prompt of 510"),
    ):
        with pytest.raises(OstroError, match=message):
            Speed(**SHORT | changes).check(subject)
    Speed(**SHORT).check(subject)


def test_the_section_shows_every_place_with_its_spread(found) -> None:
    section = Speed(**SHORT).section({"tiny": found})
    table, plot = section.blocks
    assert isinstance(table, Table)
    assert isinstance(plot, Plot)
    assert {len(row) for row in table.rows} == {len(table.columns)}
    row = dict(zip(table.columns, table.rows[1], strict=True))
    speed = found["cells"][1]["decode"]["speed"]
    assert row["writing, tok/s"].number == speed["median"]
    assert " to " in row["writing, tok/s"].text
    assert table.rows[1][5].number == pytest.approx(
        found["cells"][1]["prefill"]["speed"]["median"] / found["cells"][1]["prefill"]["roof"]
    )
    assert any("measured roofs 1 GB/s and 1,000 G operations/s" in note for note in table.notes)
    assert plot.data["writing median"][1] == speed["median"]
    assert len({len(column) for column in plot.data.values()}) == 1
    figure = Figure()
    plot.draw(figure)
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["1 sequence", "3 sequences"]


def test_an_unknown_roof_is_no_data(found) -> None:
    cells = [
        cell | {phase: cell[phase] | {"roof": None} for phase in ("prefill", "decode")}
        for cell in found["cells"]
    ]
    section = Speed(**SHORT).section({"gpu": {**found, "bandwidth": None, "cells": cells}})
    table, plot = section.blocks
    assert "not known" in table.rows[0][4].missing
    plot.draw(Figure())


# ---- a long request through a slice ----


def test_a_slice_is_measured_and_scaled_to_all_layers(tmp_path) -> None:
    environment = replace(Environment.read(), home=tmp_path / "home")
    options = {"preset": "demo", "layers": 2, "context": 700, "steps": 3}
    one = long_request(tmp_path, environment=environment, progress=SILENT, **options)
    whole = PRESETS["demo"]
    assert (one.layers, one.all_layers, one.prompt) == (2, 30, 696)
    assert 0 < one.decode_seconds < one.first_token_seconds
    # The head is beside the layers: a hair of reading, and much of writing.
    ratio = one.whole_first_token_seconds / one.first_token_seconds
    assert ratio == pytest.approx(15, rel=0.02)
    types = (WEIGHT_TYPES[one.weights], WEIGHT_TYPES[one.cache])
    written = [
        decode_work(g, *types, context=696, batch=1).bytes
        for g in (whole, replace(whole, num_layers=2))
    ]
    assert one.whole_decode_seconds / one.decode_seconds == pytest.approx(written[0] / written[1])
    assert written[0] / written[1] < 8
    assert one.whole_kv_bytes == 700 * kv_bytes_per_token(whole, types[1])
    assert one.whole_bytes > one.whole_weight_bytes + one.whole_kv_bytes
    assert 0 < one.held_bytes < one.whole_bytes
    assert not (tmp_path / "home").exists()
    section = long_request_section(one)
    table = section.blocks[0]
    assert table.columns[1:] == ["2 of 30 layers, measured", "all 30 layers, scaled or planned"]
    assert table.rows[0][2].note == "scaled by operations"
    assert "not measured" in section.protocol


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": 8193}, "at most 8192 tokens"),
        ({"context": 5, "steps": 4}, "4 steps in 5"),
        ({"steps": 1}, "2 steps at least"),
        ({"layers": 31}, "30 layers, so a slice cannot have 31"),
        ({"kind": "nothing"}, "unknown weight type"),
    ],
)
def test_a_long_request_that_cannot_be_is_refused_first(tmp_path, changes, message) -> None:
    options = {"preset": "demo", "environment": Environment.read(), "progress": SILENT}
    with pytest.raises(OstroError, match=message):
        long_request(tmp_path / "new", **options | changes)
    assert not (tmp_path / "new").exists()

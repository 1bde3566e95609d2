"""Experts against quality and speed: what steering does, against a router written out here."""

import json
import math
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from matplotlib.figure import Figure

import ostro
from ostro.errors import OstroError
from ostro.evaluation.experts import Experts, Setting, settings, window_losses
from ostro.evaluation.experts_section import perplexity_of
from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Plot, Table
from ostro.evaluation.results import Results
from ostro.evaluation.statistics import Estimate
from ostro.evaluation.subject import Subject
from ostro.evaluation.text_windows import text_windows
from ostro.runtime.progress import SilentProgress
from tiny_chat import BOS, save_babbler, text_ids

SILENT = SilentProgress()
TEXT = "Waste not the remnant of thy life in thoughts about others. " * 2
SHORT = {"prompt": 16, "steps": 3, "repetitions": 2, "window": 48, "machine": "here"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_babbler(tmp_path_factory.mktemp("models") / "m")


@pytest.fixture(scope="module")
def llm(folder):
    return ostro.load(folder, progress=SILENT, concurrency=8)


@pytest.fixture(scope="module")
def plain(folder):
    return ostro.load(folder, progress=SILENT, dtype="float32")


@pytest.fixture(scope="module")
def found(llm, tmp_path_factory):
    results = Results(tmp_path_factory.mktemp("results"))
    return Experts(text=TEXT, ranges=[(1, 2)], **SHORT).measure(subject_of(llm), results, SILENT)


def subject_of(llm, load=None) -> Subject:
    return Subject("tiny", "key", llm.model.geometry, llm.context, load or (lambda: llm))


@contextmanager
def routed(llm, setting: Setting):
    """The model with routers that do what a setting says, in a few lines of their own."""
    first, last = setting.layers or (0, llm.model.geometry.num_layers - 1)
    mixtures = [block.feed_forward for block in llm.model.blocks()]
    kernels = [mixture.kernels for mixture in mixtures]

    def router(layer: int):
        def route(x_TD, router_ED, top_k, rules):
            logits_TE = x_TD.float() @ router_ED.float().T
            if setting.without is not None and first <= layer <= last:
                logits_TE[:, setting.without] = -math.inf
            values, experts = logits_TE.topk(setting.top_k)
            return experts, values.softmax(-1)

        return route

    for layer, mixture in enumerate(mixtures):
        mixture.kernels = replace(kernels[layer], route=router(layer))
    yield
    for mixture, own in zip(mixtures, kernels, strict=True):
        mixture.kernels = own


def losses_of(llm, windows) -> list[float]:
    losses = []
    for ids in windows:
        log_p = llm.logits(ids[:-1]).double().log_softmax(-1)
        losses.append(-float(log_p[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].sum()))
    return losses


def test_windows_hold_all_of_a_text() -> None:
    ids = [9, 1, 2, 3, 4, 5]
    assert text_windows(ids, [9], 3) == [[9, 1, 2], [9, 3, 4], [9, 5]]
    assert text_windows(ids[1:], [], 2) == [[1, 2], [3, 4]]  # One token predicts nothing.


def test_settings_are_all_numbers_and_all_experts(llm) -> None:
    found = settings(llm.model.geometry, [(0, 0), (1, 2)])
    assert [one.top_k for one in found[:8]] == list(range(1, 9))
    assert [one.top_k for one in found if one.steering is None] == [2]
    assert [(one.without, one.layers) for one in found[8:]] == [
        (expert, layers) for layers in (None, (0, 0), (1, 2)) for expert in range(8)
    ]
    assert len({one.unit for one in found}) == len(found)


def test_no_expert_can_be_spared_where_all_are_used(llm) -> None:
    geometry = replace(llm.model.geometry, top_k=8)
    assert [one.without for one in settings(geometry)] == [None] * 8


def test_losses_are_those_of_routers_that_were_changed_by_hand(llm, plain, found) -> None:
    body = text_ids(TEXT)
    windows = [[BOS, *body[start : start + 47]] for start in range(0, len(body), 47)]
    assert found["windows"] == len(windows) == 3
    values = dict(zip(settings(llm.model.geometry, [(1, 2)]), found["settings"], strict=True))
    baseline = losses_of(plain, windows)
    seen = set()
    for setting, one in values.items():
        with routed(plain, setting):
            losses = losses_of(plain, windows)
        assert one["loss"]["value"] == pytest.approx(sum(losses) / len(body), abs=1e-4)
        more = sum(losses) / len(body) - sum(baseline) / len(body)
        assert one["difference"]["value"] == pytest.approx(more, abs=2e-4)
        seen.add(round(one["loss"]["value"], 6))
    assert len(seen) == len(values)  # Every setting changes something.


def test_differences_are_paired_window_by_window(llm, found) -> None:
    windows = text_windows(llm.encode(TEXT), [BOS], 48)
    setting = settings(llm.model.geometry)[0]
    one, own = (window_losses(llm, windows, s, SILENT) for s in (setting.steering, None))
    sizes = [count for _, count in own]
    assert sizes == [len(ids) - 1 for ids in windows]
    more = [a - b for (a, _), (b, _) in zip(one, own, strict=True)]
    ratio = sum(more) / sum(sizes)
    squares = sum((m - ratio * s) ** 2 for m, s in zip(more, sizes, strict=True))
    error = math.sqrt(3 * squares / 2) / sum(sizes)
    estimate = read_estimate(found["settings"][0]["difference"])
    assert (estimate.value, estimate.error) == (pytest.approx(ratio), pytest.approx(error))
    loss = read_estimate(found["settings"][0]["loss"])
    assert estimate.error != pytest.approx(loss.error, rel=0.02)


def test_the_baseline_differs_by_nothing(found) -> None:
    (baseline,) = (one for one in found["settings"] if one["baseline"])
    assert baseline["top_k"] == 2
    assert baseline["difference"] == {"value": 0.0, "error": 0.0, "n": 3}


def test_speeds_are_medians_of_so_many_rounds(found) -> None:
    for one in found["settings"]:
        for phase in ("prefill", "decode"):
            speed = one[phase]
            assert 0 < speed["least"] <= speed["median"] <= speed["most"]
            assert speed["median"] == pytest.approx((speed["least"] + speed["most"]) / 2)


def test_what_is_known_is_not_measured_again(llm, tmp_path) -> None:
    def again():
        raise AssertionError("the model was loaded again")

    measurement, results = Experts(text=TEXT, limit=1, **SHORT), Results(tmp_path)
    first = measurement.measure(subject_of(llm), results, SILENT)
    assert first["windows"] == 1
    assert measurement.measure(subject_of(llm, again), results, SILENT) == first
    with pytest.raises(AssertionError, match="loaded again"):
        replace(measurement, limit=2).measure(subject_of(llm, again), results, SILENT)
    with pytest.raises(AssertionError, match="loaded again"):
        replace(measurement, machine="there").measure(subject_of(llm, again), results, SILENT)


def test_what_cannot_be_measured_is_refused_before_loading(llm, tmp_path) -> None:
    dense = ostro.load(save_babbler(tmp_path / "m", "mistral"), progress=SILENT)
    with pytest.raises(OstroError, match="tiny is dense"):
        Experts().check(subject_of(dense))
    for changes, message in (
        ({"window": 512}, "windows of 512"),
        ({"prompt": 600}, "do not go with it"),
        ({"ranges": [(1, 3)]}, "1 to 3 is no range of them"),
        ({"ranges": [(2, 1)]}, "2 to 1 is no range of them"),
        ({"limit": 0}, "must be 1 or more"),
    ):
        with pytest.raises(OstroError, match=message):
            Experts(**changes).check(subject_of(llm))
    Experts().check(subject_of(llm))


def test_perplexity_has_the_error_of_the_exponential() -> None:
    found = perplexity_of(Estimate(2.0, 0.01, 5))
    assert found.value == pytest.approx(math.exp(2))
    assert found.error == pytest.approx((math.exp(2.01) - math.exp(1.99)) / 2, rel=1e-3)
    assert perplexity_of(Estimate(2.0, None, 1)).error is None


def test_the_section_marks_the_baseline_and_shows_every_setting(found) -> None:
    section = Experts(text=TEXT, **SHORT).section({"tiny": json.loads(json.dumps(found))})
    table = section.blocks[0]
    assert isinstance(table, Table)
    assert len(table.rows) == 8 + 8 + 8
    names = [row[1].text for row in table.rows]
    assert names[:3] == ["1 expert", "2 experts (baseline)", "3 experts"]
    assert names[8] == "without expert 0"
    assert names[-1] == "without expert 7 in layers 1 to 2"
    assert [row[3].missing is None for row in table.rows].count(False) == 1
    change = math.expm1(found["settings"][0]["difference"]["value"])
    assert table.rows[0][4].number == pytest.approx(change)
    plots = section.blocks[1:]
    assert len(plots) == 3
    for plot in plots:
        assert isinstance(plot, Plot)
        assert len({len(column) for column in plot.data.values()}) == 1
        figure = Figure()
        plot.draw(figure)
        assert figure.axes
    assert plots[0].data["experts a token"] == list(range(1, 9))
    assert plots[0].data["perplexity"][1] == pytest.approx(
        math.exp(found["settings"][1]["loss"]["value"])
    )
    assert plots[2].data["difference, nats a token"] == [
        one["difference"]["value"] for one in found["settings"][16:]
    ]

"""The report of what quantising cost, beside the comparison that it is made of."""

import json
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

import ostro
from ostro.errors import OstroError
from ostro.evaluation.quantisation import Comparison, compare
from ostro.evaluation.quantisation_report import QuantisationReport
from ostro.evaluation.report.contents import Plot, Table
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import SilentProgress
from tiny import save_gguf
from tiny_chat import save_babbler

SILENT = SilentProgress()
TEXT = "Begin the morning by saying to thyself, I shall meet with the busybody. " * 2


def subject_of(name: str, llm) -> Subject:
    return Subject(name, f"key-{name}", llm.model.geometry, llm.context, lambda: llm)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = save_babbler(tmp_path_factory.mktemp("models") / "m")
    path = save_gguf(tmp_path_factory.mktemp("models") / "q.gguf", folder, "Q4_0")
    return [ostro.load(one, progress=SILENT) for one in (folder, path)]


@pytest.fixture(scope="module")
def pair(models):
    return [subject_of(name, llm) for name, llm in zip(("full", "small"), models, strict=True)]


def test_it_is_the_comparison_and_is_made_once(pair, models, tmp_path) -> None:
    report, results = QuantisationReport(text=TEXT, window=64), Results(tmp_path)
    found = report.measure(*pair, results, SILENT)
    expected = compare(*models, TEXT, 64, SILENT)
    comparison = Comparison.from_dict(json.loads(json.dumps(found)))
    assert comparison == replace(expected, full="full", quantised="small")

    def again():
        raise AssertionError("a model was loaded again")

    known = [replace(one, load=again) for one in pair]
    assert report.measure(*known, results, SILENT) == found
    with pytest.raises(AssertionError, match="loaded again"):
        replace(report, window=32).measure(*known, results, SILENT)
    with pytest.raises(AssertionError, match="loaded again"):
        report.measure(replace(known[0], key="other"), known[1], results, SILENT)


def test_the_section_tells_what_was_found(pair, tmp_path) -> None:
    report = QuantisationReport(text=TEXT, window=64)
    found = report.measure(*pair, Results(tmp_path), SILENT)
    section = report.section({"small": found, "other": {**found, "quantised": "other"}})
    table, plot = section.blocks
    assert isinstance(table, Table)
    assert isinstance(plot, Plot)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["quantised"].text == "small"
    assert row["change, %"].number == pytest.approx(
        found["quantised_perplexity"] / found["full_perplexity"] - 1
    )
    assert row["KL divergence, nats"].number.error == found["divergence_error"] > 0
    assert row["same experts, %"].number == pytest.approx(sum(found["same_experts"]) / 3)
    assert plot.data["same experts"] == [*found["same_experts"]] * 2
    assert plot.data["quantised"] == ["small"] * 3 + ["other"] * 3
    figure = Figure()
    plot.draw(figure)
    first = figure.axes[0].lines[0]
    assert list(first.get_ydata()) == pytest.approx([100 * s for s in found["same_experts"]])


def test_a_dense_model_has_no_plot_of_experts(tmp_path) -> None:
    dense = subject_of("d", ostro.load(save_babbler(tmp_path / "m", "mistral"), progress=SILENT))
    report = QuantisationReport(text=TEXT, window=64)
    section = report.section({"d": report.measure(dense, dense, Results(tmp_path / "r"), SILENT)})
    (table,) = section.blocks
    assert table.rows[0][-1].missing == "a dense model has none"


def test_what_cannot_be_compared_is_refused_before_loading(pair) -> None:
    full, small = pair
    other = replace(small, geometry=replace(small.geometry, num_layers=2))
    with pytest.raises(OstroError, match="not one model: full has 260 tokens and 3 layers"):
        QuantisationReport(window=64).check(full, other)
    with pytest.raises(OstroError, match="read 512 tokens, not windows of 513"):
        QuantisationReport(window=513).check(full, small)
    QuantisationReport(window=512).check(full, small)

"""The routing of texts by domain, against counts by hand and the model's own choices."""

import json
import math
from itertools import combinations, pairwise

import pytest
import torch
from matplotlib.figure import Figure

import ostro
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Markup, Plot, Table
from ostro.evaluation.results import Results
from ostro.evaluation.routing_analysis.chance import first_repeat_chance, shared_chance
from ostro.evaluation.routing_analysis.coloured import coloured_text, token_texts
from ostro.evaluation.routing_analysis.counts import count_routing
from ostro.evaluation.routing_analysis.documents import routing_documents
from ostro.evaluation.routing_analysis.found import ALL, choice_names, three_layers
from ostro.evaluation.routing_analysis.measurement import RoutingAnalysis
from ostro.evaluation.routing_analysis.section import PublishedRepeats
from ostro.evaluation.subject import Subject
from ostro.model.routing import kept_routing
from ostro.runtime.progress import SilentProgress
from tiny_chat import BOS, save_babbler, text_ids

SILENT = SilentProgress()
TEXTS = {
    ("code", "en"): ["def f(x):\n    return x < 1 & y\n", "import os\n" * 9, "x = [1, 2, 3]"],
    ("maths", "en"): ["What is 3 + 4? 7. " * 3, "Let k be 12 - 9. Solve k = q."],
    ("manual", "en"): ["Press the button.", "Open the window and close it again."],
    ("manual", "fr"): ["Appuyez sur le bouton.", "Ouvrez la fenêtre."],
}


@pytest.fixture
def data(tmp_path):
    records = [
        {"text": text, "domain": domain, "lang": lang}
        for (domain, lang), texts in TEXTS.items()
        for text in texts
    ]
    records.append({"text": " \n", "domain": "code", "lang": "en"})
    records.append(records[0])
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "routing_domains.jsonl").write_text(lines)
    return BenchmarkData(tmp_path)


@pytest.fixture(scope="module", params=["native", "float32"])
def llm(request, tmp_path_factory):
    folder = save_babbler(tmp_path_factory.mktemp("models") / "m")
    options = {} if request.param == "native" else {"dtype": "float32"}
    return ostro.load(folder, progress=SILENT, concurrency=8, **options)


def subject_of(llm, load=None) -> Subject:
    return Subject("tiny", "key", llm.model.geometry, llm.context, load or (lambda: llm))


def not_again():
    raise AssertionError("the model was loaded again")


def chosen_by(llm, text: str, tokens: int) -> torch.Tensor:
    """Experts ``[T, L, K]`` of a text's tokens, from the model itself."""
    with kept_routing(llm.model) as routing:
        llm.logits([BOS, *text_ids(text)[:tokens]])
        return torch.stack(routing.chosen(), 1)[1:]


def test_chance_is_that_of_all_pairs_of_choices_counted() -> None:
    for experts, top_k in ((8, 2), (6, 3), (4, 3), (5, 1)):
        sets = [set(one) for one in combinations(range(experts), top_k)]
        shared = sum(bool(a & b) for a in sets for b in sets) / len(sets) ** 2
        assert shared_chance(experts, top_k) == pytest.approx(shared)
    assert first_repeat_chance(8) == 0.125
    assert shared_chance(8, 2) == pytest.approx(0.464, abs=5e-4)


def test_layers_are_those_of_the_paper() -> None:
    assert three_layers(32) == [0, 15, 31]
    assert three_layers(30) == [0, 14, 29]
    assert three_layers(2) == [0, 1]
    assert three_layers(1) == [0]
    assert choice_names(3) == ["first", "second", "choice 3"]


def test_counts_are_those_by_hand() -> None:
    # One layer; tokens one after another.
    experts_TLK = torch.tensor([[[0, 1]], [[0, 2]], [[2, 0]], [[3, -1]], [[3, 1]]])
    counts = count_routing(experts_TLK, 4)
    assert (counts.tokens, counts.pairs) == (5, 4)
    assert counts.chosen_LKE == [[[2, 0, 1, 2], [1, 2, 1, 0]]]
    assert counts.first_L == [2]  # 0 0, and 3 3.
    assert counts.shared_L == [3]  # An unused slot is no expert that two tokens share.


def test_a_single_token_has_no_pairs() -> None:
    counts = count_routing(torch.tensor([[[1, 0]]]), 4)
    assert (counts.pairs, counts.first_L, counts.shared_L) == (0, [0], [0])


def test_documents_are_drawn_by_domain_and_language(data) -> None:
    everything = routing_documents(data, None, 0)
    domains = [one.domain for one in everything]
    assert sorted(set(domains)) == ["code", "manual (en)", "manual (fr)", "maths"]
    assert len(everything) == len({one.key for one in everything}) == 9
    one_each = routing_documents(data, 1, 0)
    two_each = routing_documents(data, 2, 0)
    assert [one.domain for one in one_each] == sorted(set(domains))
    assert set(one_each) < set(two_each) < set(everything)
    drawn = {tuple(one.key for one in routing_documents(data, 1, seed)) for seed in range(9)}
    assert len(drawn) > 1


def test_shares_and_repeats_are_those_of_the_models_choices(llm, data, tmp_path) -> None:
    measurement = RoutingAnalysis(data=data, tokens=24)
    found = measurement.measure(subject_of(llm), Results(tmp_path / "r"), SILENT)
    assert found == json.loads(json.dumps(found))
    assert found["layers"] == [0, 1, 2]
    documents = {"code": TEXTS["code", "en"], "manual (fr)": TEXTS["manual", "fr"]}
    documents[ALL] = [text for texts in TEXTS.values() for text in texts]
    for domain, texts in documents.items():
        values = found["domains"][domain]
        chosen = [chosen_by(llm, text, 24) for text in texts]
        assert values["documents"] == len(texts)
        assert values["tokens"] == sum(map(len, chosen))
        for layer in range(3):
            rows = [one[:, layer] for one in chosen]
            for name, slots in (("first", [0]), ("second", [1]), ("either", [0, 1])):
                taken = torch.cat([row[:, slots].flatten() for row in rows])
                for expert, share in enumerate(values["shares"][str(layer)][name]):
                    expected = float((taken == expert).double().mean())
                    assert share["value"] == pytest.approx(expected)
            pairs = [pair for row in rows for pair in pairwise(row.tolist())]
            same = sum(a[0] == b[0] for a, b in pairs) / len(pairs)
            shared = sum(bool({*a} & {*b}) for a, b in pairs) / len(pairs)
            assert values["first_repeats"][layer]["value"] == pytest.approx(same)
            assert values["shared"][layer]["value"] == pytest.approx(shared)
            assert values["shared"][layer]["n"] == len(texts)
            assert 0 <= same <= shared <= 1


def test_errors_are_over_documents(llm, data, tmp_path) -> None:
    found = RoutingAnalysis(data=data).measure(subject_of(llm), Results(tmp_path / "r"), SILENT)
    chosen = [chosen_by(llm, text, 999)[:, 0, 0] for text in TEXTS["maths", "en"]]
    amounts = [int((row[1:] == row[:-1]).sum()) for row in chosen]
    sizes = [len(row) - 1 for row in chosen]
    ratio = sum(amounts) / sum(sizes)
    squares = sum((a - ratio * s) ** 2 for a, s in zip(amounts, sizes, strict=True))
    estimate = read_estimate(found["domains"]["maths"]["first_repeats"][0])
    assert estimate.error == pytest.approx(math.sqrt(2 * squares) / sum(sizes))
    assert estimate.count == 2


def test_what_was_read_is_not_read_again(llm, data, tmp_path) -> None:
    results = Results(tmp_path / "r")
    RoutingAnalysis(data=data, limit=1).measure(subject_of(llm), results, SILENT)
    before = llm.core.scheduler.prompt_tokens_read
    whole = RoutingAnalysis(data=data).measure(subject_of(llm), results, SILENT)
    read = llm.core.scheduler.prompt_tokens_read - before
    every = sum(1 + len(text_ids(text)) for texts in TEXTS.values() for text in texts)
    assert 0 < read < every
    again = RoutingAnalysis(data=data).measure(subject_of(llm, not_again), results, SILENT)
    assert again == whole


def test_texts_longer_than_the_context_are_cut_to_it(tmp_path, data) -> None:
    folder = save_babbler(tmp_path / "m")
    llm = ostro.load(folder, progress=SILENT, context=16)
    found = RoutingAnalysis(data=data).measure(subject_of(llm), Results(tmp_path / "r"), SILENT)
    assert found["tokens"] == 14
    assert found["domains"]["code"]["tokens"] == 14 + 14 + 13


def test_dense_models_and_missing_data_are_refused_before_loading(tmp_path, data, llm) -> None:
    folder = save_babbler(tmp_path / "m", "mistral")
    dense = ostro.load(folder, progress=SILENT)
    with pytest.raises(OstroError, match="tiny is dense"):
        RoutingAnalysis(data=data).check(subject_of(dense, not_again))
    (tmp_path / "empty").mkdir()
    empty = BenchmarkData(tmp_path / "empty")
    with pytest.raises(OstroError, match="has no routing_domains"):
        RoutingAnalysis(data=empty).check(subject_of(llm, not_again))
    with pytest.raises(OstroError, match="limit must be 1 or more"):
        RoutingAnalysis(data=data, limit=0).check(subject_of(llm, not_again))
    RoutingAnalysis(data=data).check(subject_of(llm, not_again))


@pytest.fixture
def section(llm, data, tmp_path):
    published = PublishedRepeats(
        model="Mixtral", domain="ArXiv", first=(14.0, 27.9, 22.7), shared=(46.5, 62.3, 52.9)
    )
    measurement = RoutingAnalysis(data=data, reference=[published], examples=("maths", "none"))
    found = measurement.measure(subject_of(llm), Results(tmp_path / "r"), SILENT)
    return measurement.section({"tiny": found, "Other": found})


def test_the_section_has_a_row_for_each_domain_chance_and_what_was_published(section) -> None:
    table = next(block for block in section.blocks if isinstance(block, Table))
    rows = {(row[0].text, row[1].text): row for row in table.rows}
    assert len(rows) == len(table.rows) == 2 * (4 + 1 + 1) + 1
    assert {len(row) for row in table.rows} == {len(table.columns)}
    chance = rows["chance", "tiny"]
    assert [cell.number for cell in chance[4:]] == pytest.approx([0.125] * 3 + [13 / 28] * 3)
    published = rows["ArXiv", "Mixtral"]
    assert published[5].number == pytest.approx(0.279)
    assert published[8].number == pytest.approx(0.623)
    estimate = read_estimate(section.data["tiny"]["domains"]["code"]["shared"][2])
    assert rows["code", "tiny"][9].number == estimate


def test_cells_say_whether_chance_lies_in_their_interval(section) -> None:
    table = next(block for block in section.blocks if isinstance(block, Table))
    checked = set()
    for row in table.rows:
        for cell, chance in zip(row[4:], [0.125] * 3 + [13 / 28] * 3, strict=True):
            interval = getattr(cell.number, "interval", None)
            if interval:
                is_within = interval[0] <= chance <= interval[1]
                assert (cell.note is not None) == is_within
                checked.add(is_within)
    assert checked == {True, False}


def test_plots_have_a_curve_for_every_domain_and_columns_of_one_length(section) -> None:
    plots = [block for block in section.blocks if isinstance(block, Plot)]
    assert len({plot.name for plot in plots}) == len(plots) == 2 * 4
    for plot in plots:
        rows = 5 * 3 if "repeats" in plot.name else 5 * 3 * 8
        assert {len(column) for column in plot.data.values()} == {rows}
        figure = Figure(figsize=plot.size, layout="constrained")
        plot.draw(figure)
        lines = [line for axes in figure.axes for line in axes.lines]
        assert len(lines) >= 2
    curves = figure_of(plots[0]).axes[0].lines
    assert len(curves) == 4 + 1 + 1
    values = section.data["tiny"]["domains"][ALL]["first_repeats"]
    assert list(curves[4].get_ydata()) == pytest.approx([100 * one["value"] for one in values])
    assert list(curves[5].get_ydata()) == pytest.approx([12.5, 12.5])


def figure_of(plot: Plot) -> Figure:
    figure = Figure(figsize=plot.size)
    plot.draw(figure)
    return figure


def test_shown_texts_carry_the_first_choice_of_every_token(section, llm) -> None:
    markups = [block for block in section.blocks if isinstance(block, Markup)]
    assert [markup.title.partition(":")[0] for markup in markups] == ["tiny", "Other"]
    shown = section.data["tiny"]["examples"]["maths"]
    text = "".join(shown["texts"])
    assert text in TEXTS["maths", "en"]
    chosen = chosen_by(llm, text, 999)[..., 0]
    assert shown["experts"] == {str(layer): chosen[:, layer].tolist() for layer in range(3)}


def test_coloured_text_is_escaped_and_told_without_colour() -> None:
    texts = ["<b>", "&", '"x"', "\n"]
    markup = coloured_text("t", texts, {7: [0, 3, 3, 9]}, 10)
    assert "<b>" not in markup.html.replace("<b>t", "")
    assert 'title="expert 0"' in markup.html
    for escaped in ("&lt;b&gt;</span>", "&amp;</span>", "&quot;x&quot;</span>"):
        assert escaped in markup.html
    assert markup.html.count('title="expert 9"') == 2  # In the legend, and in the text.
    assert markup.html.count('class="expert-3"') == 3
    assert markup.plain == 'layer 7: [0]<b>[3]&"x"[9]\n'
    styles = {
        part.partition('"')[0].partition("text-decoration:")[2].split("#")[0]
        for part in markup.html.split('style="')
        if "text-decoration" in part
    }
    assert len(styles) == 8  # As many lines as there are experts in Mixtral.


def test_a_character_of_several_tokens_belongs_to_its_last(llm) -> None:
    assert token_texts(llm.tokenizer, text_ids("aé")) == ["a", "", "é"]
    assert token_texts(llm.tokenizer, [*text_ids("a"), 0xC3]) == ["a", "\ufffd"]

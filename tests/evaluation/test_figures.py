"""The guide's pictures: every published number is there, and what is missing is named."""

from dataclasses import replace

import pytest

from ostro.config import PRESETS, Geometry
from ostro.evaluation.figures import ModelResults, PasskeyCell, Sentiment, figures
from ostro.evaluation.published import references
from ostro.evaluation.published.arena import ARENA, places
from ostro.evaluation.published.long_context import perplexity_curve
from ostro.evaluation.report.contents import Plot, Section, Table
from ostro.evaluation.report.drawing import svg_of
from ostro.evaluation.report.text import section_lines
from ostro.evaluation.statistics import Estimate

SMALL = Geometry(
    vocab_size=64, dim=32, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=8, ffn_dim=48,
    context_length=128, num_experts=4, top_k=1,
)  # fmt: skip
NAMES = [
    "mixtral-of-experts-layers", "mixtral-benchmarks-1", "mixtral-benchmarks-2",
    "mixtral-benchmarks-3", "mixtral-benchmarks-4", "mixtral-benchmarks-5",
    "mixtral-benchmarks-6-passkey", "mixtral-benchmarks-6-perplexity", "mixtral-benchmarks-7",
    "mixtral-chatbot-arena", "mixtral-8-cost", "mixtral-8-reasoning", "mixtral-8-maths",
]  # fmt: skip


def own() -> ModelResults:
    return ModelResults(
        geometry=SMALL,
        scores={
            "MMLU": Estimate(0.26, 0.02, 500),
            "ARC-c": Estimate(0.301, 0.04, 100),
            "ARC-c (25-shot)": Estimate(0.352, 0.04, 100),
            "MATH": Estimate(0.02, 0.03, 100),
            "GSM8K": Estimate(0.04, 0.04, 50),
            "NQ": 0.031,
            "BBQ": 0.333,
        },
        protocols={"MMLU": "5-shot"},
        perplexity=[(1024, Estimate(20.5, 1.0, 9)), (512, Estimate(25.25, 1.0, 9))],
        passkey=[PasskeyCell(512, 0.0, 1.0), PasskeyCell(512, 1.0, 0.25)],
        sentiments={"religious_ideology": Sentiment(0.111, 0.222)},
    )


@pytest.fixture(scope="module")
def alone() -> Section:
    return figures({})


@pytest.fixture(scope="module")
def beside() -> Section:
    return figures({"own <b>": own()})


def blocks(section: Section) -> dict[str, Table | Plot]:
    return {block.name: block for block in section.blocks if isinstance(block, Table | Plot)}


def texts(table: Table) -> dict[str, list[str | None]]:
    """By the name of the row."""
    return {str(row[0].text): [cell.text for cell in row] for row in table.rows}


def told(table: Table | Plot) -> str:
    return table.caption if isinstance(table, Plot) else " ".join(table.notes)


def test_all_pictures_are_there(alone) -> None:
    assert list(blocks(alone)) == NAMES
    assert alone.data == {}


@pytest.mark.parametrize(
    "name",
    ["mixtral-benchmarks-2", "mixtral-benchmarks-4", "mixtral-benchmarks-5", "mixtral-benchmarks-7",
     "mixtral-8-reasoning", "mixtral-8-maths"],
)  # fmt: skip
def test_every_printed_number_is_in_its_table(alone, name) -> None:
    table = blocks(alone)[name]
    shown = sorted(cell.text for row in table.rows for cell in row[1:] if cell.text)
    sizes = [text for text in shown if text.endswith("B")]
    printed = [one.text for one in references() if one.source.name == name]
    assert len(printed) >= 12
    assert sorted(printed) == [text for text in shown if text not in sizes]


def test_numbers_stand_in_their_places(alone) -> None:
    found = blocks(alone)
    main = texts(found["mixtral-benchmarks-2"])
    assert main["Mixtral 8x7B"][:5] == ["Mixtral 8x7B", "13B", "70.6", "84.4", "77.2"]
    assert texts(found["mixtral-benchmarks-4"])["ARC-c (25-shot)"][1:] == ["85.1", "85.2", "85.8"]
    assert texts(found["mixtral-8-reasoning"])["Mixtral 8x22B"][1:4] == ["39B", "77.75", "88.5"]
    assert found["mixtral-8-reasoning"].rows[1][5].missing == "not published"


def test_the_leaderboard_is_whole(alone) -> None:
    table = blocks(alone)[ARENA.name]
    assert [row[2].number for row in table.rows] == [place.elo for place in places()]
    assert table.rows[7][0].text == "Mixtral-8x7b-Instruct-v0.1"
    assert [row[3].text for row in table.rows][8] == "+15/-16"


def test_every_number_of_a_chart_is_in_its_data(alone) -> None:
    found = blocks(alone)
    for name, column in (("mixtral-benchmarks-1", "value"), ("mixtral-benchmarks-3", "score, %"),
                         ("mixtral-8-cost", "score, %")):  # fmt: skip
        read_off = [round(o.value * 100, 2) for o in references() if o.source.name == name]
        drawn = [round(value, 2) for value in found[name].data[column]]
        assert sorted(drawn) == sorted(read_off)
        assert "~ read off a chart" in told(found[name])
    curve = found["mixtral-benchmarks-6-perplexity"].data
    assert curve["perplexity"] == [point.perplexity for point in perplexity_curve()]
    assert set(found["mixtral-benchmarks-6-passkey"].data["share found"]) == {1.0}


def test_pictures_mark_what_was_read_off(alone) -> None:
    found = blocks(alone)
    bars = svg_of(found["mixtral-benchmarks-1"], "a")
    assert ">~ Mixtral 8x7B</text>" in bars
    assert bars.count(">~</text>") == 48
    cost = svg_of(found["mixtral-8-cost"], "b")
    for name in ("Llama 2 70B", "Command R+", "Mixtral 8x22B"):
        assert f">~ {name}</text>" in cost
    curve = svg_of(found["mixtral-benchmarks-6-perplexity"], "c")
    assert ">~ Mixtral 8x7B</text>" in curve


def test_a_model_stands_beside_the_published_ones(beside) -> None:
    found = blocks(beside)
    (main,) = (r for r in found["mixtral-benchmarks-2"].rows if r[0].text == "own <b>")
    assert main[2].number == Estimate(0.26, 0.02, 500)
    assert main[2].note == "5-shot, n = 500"
    assert main[3].missing == "not measured"
    assert (main[7].number, main[8].number) == (Estimate(0.301, 0.04, 100), 0.031)
    (arc,) = (r for r in found["mixtral-benchmarks-4"].rows if r[0].text == "ARC-c (25-shot)")
    assert arc[-1].number == Estimate(0.352, 0.04, 100)
    bias = texts(found["mixtral-benchmarks-7"])
    assert bias["BOLD religious ideology, sentiment"][-1] == "0.111, SD 0.222"
    curve = found["mixtral-benchmarks-6-perplexity"].data
    assert curve["perplexity"][-2:] == [25.25, 20.5]
    keys = found["mixtral-benchmarks-6-passkey"].data
    assert keys["share found"][-2:] == [1.0, 0.25]


def test_math_is_the_mean_of_its_two_benchmarks(beside) -> None:
    data = blocks(beside)["mixtral-benchmarks-1"].data
    values = dict(zip(zip(data["bar"], data["group"], strict=True), data["value"], strict=True))
    assert values["own <b>", "Math"] == pytest.approx(3.0)
    assert values["own <b>", "Code"] is None
    lines = blocks(beside)["mixtral-benchmarks-3"].data
    place = [
        at
        for at, model in enumerate(lines["model"])
        if model == "own <b>" and lines["benchmark"][at] == "Math"
    ]
    assert lines["standard error"][place[0]] == pytest.approx(2.5)


def test_what_is_missing_is_named_and_not_filled_in(beside) -> None:
    found = blocks(beside)
    assert "No data of own <b>: Knowledge, Reasoning, Comprehension, AGIEval, BBH, Code." in told(
        found["mixtral-benchmarks-1"]
    )
    assert "No data of own <b>: HellaSwag, WinoGrande" in told(found["mixtral-benchmarks-2"])
    assert "No data of own <b>: BOLD gender, BOLD prof" in told(found["mixtral-benchmarks-7"])
    assert "No data of own <b>: Arena Elo." in told(found["mixtral-chatbot-arena"])
    empty = blocks(figures({"empty": ModelResults()}))
    for name in NAMES:
        assert "No data of empty: " in told(empty[name]), name
    for table in (block for block in empty.values() if isinstance(block, Table)):
        cells = [cell for row in table.rows for cell in row if row[0].text == "empty"]
        assert all(cell.number is None for cell in cells)
    assert "empty" not in empty["mixtral-benchmarks-6-passkey"].data["model"]


def test_the_layer_is_drawn_with_the_models_own_experts(beside) -> None:
    found = blocks(beside)
    assert found["mixtral-of-experts-layers"].data["experts"] == [8]
    layer = found["mixtral-of-experts-layers-4-1"]
    assert "own <b>: 4 experts, 1 per token" in layer.title
    from matplotlib.figure import Figure

    figure = Figure()
    layer.draw(figure)
    (axes,) = figure.axes
    written = [text.get_text() for text in axes.texts]
    assert sum(text.startswith("expert") for text in written) == 4
    solid = [box for box in axes.patches if box.get_linestyle() in ("-", "solid")]
    assert len(solid) == 3 + 1
    assert {"inputs", "router", "outputs", "gating weights"} <= set(written)


def test_models_of_one_shape_share_a_diagram_and_dense_ones_have_none() -> None:
    found = {
        "demo": ModelResults(geometry=PRESETS["demo"]),
        "dense": ModelResults(geometry=PRESETS["mistral-7b"]),
    }
    layers = [b for b in figures(found).blocks if isinstance(b, Plot) and "layers" in b.name]
    assert len(layers) == 1
    assert layers[0].data["models"] == ["Mixtral 8x7B, demo"]
    assert "dense is dense and has no router." in layers[0].caption


def test_pictures_with_models_can_be_drawn() -> None:
    many = ModelResults(geometry=replace(SMALL, num_experts=64, top_k=6))
    found = blocks(figures({"own <b>": own(), "many": many, "empty": ModelResults()}))
    for plot in (block for block in found.values() if isinstance(block, Plot)):
        picture = svg_of(plot, "a")
        assert "<b>" not in picture
        assert ("own &lt;b&gt;</text>" in picture) == ("layers" not in plot.name)
    assert "48 of the dashed ones are left out" in told(found["mixtral-of-experts-layers-64-6"])


def test_tables_and_captions_are_told_in_lines(beside) -> None:
    lines = "\n".join(section_lines(beside))
    assert "26.0 ± 2.0" in lines
    assert "0.144, SD 0.089" in lines
    assert "Plot, Perplexity over context" in lines
    assert beside.data["own <b>"]["perplexity"][0][0] == 1024

"""Published numbers: those that can be checked against each other, and how they are found."""

from itertools import pairwise

import pytest

from ostro.evaluation.published import (
    MODELS,
    reference,
    reference_cell,
    reference_row,
    references,
)
from ostro.evaluation.published.arena import ARENA_IN_PAPER, places
from ostro.evaluation.published.long_context import passkey_map, perplexity_curve
from ostro.evaluation.published.mixtral_8x7b import (
    BARS,
    BOLD_GROUPS,
    GPT_TABLE,
    LANGUAGE_TABLE,
    LANGUAGES,
    LINES,
    MAIN_TABLE,
)
from ostro.evaluation.published.mixtral_8x22b import COST, MATHS, REASONING
from ostro.evaluation.published.reference import Column, Source, read_table
from ostro.evaluation.published.routing import CHANCE_ANY, LAYERS, repetitions


@pytest.mark.parametrize(
    ("source", "models", "columns", "missing"),
    [
        (MAIN_TABLE, 6, 12, 0),
        (BARS, 6, 8, 0),
        (LINES, 5, 6, 0),
        (GPT_TABLE, 3, 7, 0),
        (LANGUAGE_TABLE, 3, 12, 0),
        (REASONING, 6, 7, 6),
        (MATHS, 6, 5, 8),
        (COST, 9, 1, 0),
    ],
)
def test_tables_are_whole(source, models, columns, missing) -> None:
    found = references(source=source)
    assert len(found) == models * columns - missing
    assert len({one.model for one in found}) == models
    assert all(0 <= one.value <= 1 for one in found if one.column.is_share)


def test_only_what_was_read_off_a_chart_is_approximate() -> None:
    charts = {one.source.name for one in references() if one.is_approximate}
    assert charts == {
        "mixtral-benchmarks-1", "mixtral-benchmarks-3", "mixtral-8-cost", "mixtral-figure-2",
    }  # fmt: skip
    for one in references():
        assert one.is_approximate == (one.source.name in charts)
        assert one.text.startswith("~") == one.is_approximate


@pytest.mark.parametrize(
    ("benchmark", "model", "expected"),
    [
        ("MMLU", "Mixtral 8x7B", "70.6"),
        ("HellaSwag", "Llama 2 70B", "85.4"),
        ("WinoGrande", "Llama 2 13B", "72.9"),
        ("PIQA", "Mistral 7B", "82.2"),
        ("ARC-e", "Llama 1 33B", "79.6"),
        ("NQ", "Mixtral 8x7B", "30.6"),
        ("TriviaQA", "Llama 2 7B", "56.6"),
        ("AGIEval English", "Mixtral 8x7B", "~51.4"),
        ("Italian MMLU", "Llama 2 70B", "65.1"),
        ("MT-Bench", "GPT-3.5", "8.32"),
        ("BBQ", "Llama 2 70B", "51.5"),
        ("BOLD religious ideology", "Mixtral 8x7B", "0.144, SD 0.089"),
        ("Chatbot Arena", "Mixtral-8x7b-Instruct-v0.1", "1123"),
        ("MMLU", "Mixtral 8x22B", "77.75"),
    ],
)
def test_numbers_are_printed_as_published(benchmark, model, expected) -> None:
    found = reference(benchmark, model)
    assert found is not None
    assert found.text == expected


def test_one_benchmark_has_a_number_for_each_protocol() -> None:
    mixtral = "Mixtral 8x7B"
    assert [(one.protocol, one.text) for one in references("GSM8K", model=mixtral)] == [
        ("8-shot, maj@8", "74.4"),
        ("5-shot, maj@1", "58.4"),
        ("5-shot, maj@1", "58.4"),
        ("8-shot, maj@8", "74.4"),
    ]
    assert reference("GSM8K", mixtral).text == "74.4"
    assert reference("GSM8K", mixtral, shots=5).text == "58.4"
    assert reference("GSM8K", mixtral, vote="maj@1").text == "58.4"
    assert reference("ARC-c", mixtral, shots=25).text == "85.8"
    assert reference("ARC-c", mixtral, shots=0).text == "59.7"


def test_a_cell_tells_its_protocol_or_that_nothing_was_published() -> None:
    cell = reference_cell("MATH", "Mixtral 8x7B")
    assert (cell.text, cell.note, cell.number) == ("28.4", "4-shot, maj@4", 0.284)
    assert reference_cell("MATH", "Command R").missing == "not published"
    assert list(reference_row("MMLU")) == list(MODELS)
    assert reference_row("OpenBookQA") == {}


@pytest.mark.parametrize(
    ("aggregate", "parts"), [("Math", ("MATH", "GSM8K")), ("Code", ("HumanEval", "MBPP"))]
)
def test_the_chart_agrees_with_the_table_it_sums_up(aggregate, parts) -> None:
    for source in (BARS, LINES):
        for one in references(aggregate, source=source):
            values = [references(p, model=one.model, source=MAIN_TABLE)[0].value for p in parts]
            assert one.value == pytest.approx(sum(values) / 2, abs=0.0075)


def test_the_charts_agree_with_the_tables_on_mmlu() -> None:
    for source in (BARS, LINES, COST):
        for one in references("MMLU", source=source):
            printed = [o.value for o in references("MMLU", model=one.model) if not o.is_approximate]
            assert min(abs(one.value - value) for value in printed) <= 0.0051


def test_languages_and_categories_are_all_there() -> None:
    for language in LANGUAGES:
        for task in ("ARC-c", "HellaSwag", "MMLU"):
            assert len(references(f"{language} {task}")) == 3
    for group in BOLD_GROUPS:
        assert all(one.deviation for one in references(f"BOLD {group}"))
    lower = [
        group
        for group in BOLD_GROUPS
        if reference(f"BOLD {group}", "Mixtral 8x7B").deviation
        < reference(f"BOLD {group}", "Llama 2 70B").deviation
    ]
    assert lower == ["gender", "religious ideology"]


def test_the_leaderboard_falls_and_has_two_states() -> None:
    elos = [place.elo for place in places()]
    assert elos == sorted(elos, reverse=True)
    assert [place.rank for place in places()] == list(range(1, 12))
    assert len(references("Chatbot Arena", source=ARENA_IN_PAPER)) == 10
    mixtral = references("Chatbot Arena", model="Mixtral-8x7b-Instruct-v0.1")
    assert [one.text for one in mixtral] == ["1123", "1121"]


def test_the_curve_never_rises() -> None:
    points = perplexity_curve()
    assert (points[0].tokens, points[-1].tokens) == (512, 32768)
    assert all(a.perplexity >= b.perplexity for a, b in pairwise(points))
    assert passkey_map().accuracy == 1.0
    assert passkey_map().lengths[-1] == 32000


def test_routing_is_told_by_domain_choice_and_layer() -> None:
    found = repetitions()
    assert len(found) == 8 * 2 * 3
    by_place = {(r.domain, r.choice, r.layer): r.share for r in found}
    assert len(by_place) == len(found)
    assert by_place["DM Mathematics", "any", 15] == 0.67
    assert by_place["Gutenberg", "first", 31] == 0.263
    assert {r.layer for r in found} == set(LAYERS)
    assert pytest.approx(0.464, abs=5e-4) == CHANCE_ANY


def test_a_table_with_a_column_too_few_is_refused() -> None:
    columns = [Column(benchmark="A"), Column(benchmark="B")]
    with pytest.raises(ValueError, match="zip"):
        list(read_table(Source(name="s", text="s"), columns, "m | 1.0"))

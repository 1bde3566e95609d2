"""Passkeys: the prompt, and that the harness can tell who knows the key."""

import random
import re
from collections.abc import Iterator

import pytest

import ostro
from ostro.errors import OstroError
from ostro.evaluation.long_context.fitting import longest_fit
from ostro.evaluation.long_context.passkey import Passkey
from ostro.evaluation.long_context.passkey_prompt import draw_key, names_key, passkey_text
from ostro.evaluation.report.contents import Plot, Table
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import SilentProgress
from tiny_chat import BOS, save_speller

SILENT = SilentProgress()
LENGTHS, DEPTHS = (512, 800), (0.0, 0.5, 1.0)
KEY_LINE = re.compile(r"The pass key is (\d+)\. Remember it\. \1 is the pass key\.")


class Standing:
    """Stands for a model: answers from the prompt's text, and remembers what it was asked."""

    def __init__(self, answer) -> None:
        self._answer, self.texts, self.sizes = answer, [], []

    def __call__(self, llm):
        return self

    def answers(self, prompts, max_tokens, progress, label) -> Iterator[tuple[int, str]]:
        for number, ids in reversed(list(enumerate(prompts))):
            assert ids[0] == BOS
            text = bytes(ids[1:]).decode()
            self.texts.append(text)
            self.sizes.append(len(ids) + max_tokens)
            yield number, self._answer(text)


def knows(text: str) -> str:
    return f" {KEY_LINE.search(text)[1]}. Remember it."


def reads_to_the_middle(text: str) -> str:
    found = KEY_LINE.search(text, 0, len(text) // 2)
    return found[1] if found else "I do not know"


class Guesses:
    """Any key, without looking."""

    def __init__(self) -> None:
        self._draw = random.Random(7)

    def __call__(self, text: str) -> str:
        return f" {self._draw.randint(1, 50_000)}"


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    """Spells a key whatever it reads, since prompts end in ``s``."""
    key = draw_key(0, 512, 0.5, 0)
    assert len(set(str(key))) == len(str(key)), "a speller needs digits that differ"
    folder = tmp_path_factory.mktemp("models") / "m"
    save_speller(folder, f"s {key}", max_position_embeddings=2048)
    return ostro.load(folder, progress=SILENT)


def subject_of(llm) -> Subject:
    return Subject("tiny", "key", llm.model.geometry, llm.context, lambda: llm)


def measured(llm, folder, **options):
    test = Passkey(**{"lengths": LENGTHS, "depths": DEPTHS} | options)
    test.check(subject_of(llm))
    return test.measure(subject_of(llm), Results(folder), SILENT)


# ---- the prompt ----


def test_the_prompt_is_that_of_landmark_attention() -> None:
    assert passkey_text(4711, 30, 99).split("\n") == [
        "There is an important info hidden inside a lot of irrelevant text. Find it and memorize "
        "them. I will quiz you about the important information there.",
        "The grass is green. The sky is",
        "The pass key is 4711. Remember it. 4711 is the pass key.",
        "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. "
        "The grass",
        "What is the pass key? The pass key is",
    ]


def test_prompts_fill_their_length_and_have_the_key_at_its_depth(llm, tmp_path) -> None:
    standing = Standing(knows)
    measured(llm, tmp_path, answerer=standing, keys=2)
    assert sorted(standing.sizes) == [512] * 6 + [800] * 6
    depths = []
    for text in standing.texts:
        _, before, line, after, _ = text.split("\n")
        assert KEY_LINE.fullmatch(line)
        depths.append(round(len(before) / (len(before) + len(after)), 2))
    assert sorted(depths) == [0.0] * 4 + [0.5] * 4 + [1.0] * 4


def test_keys_are_seeded_and_differ() -> None:
    cells = [(length, depth, n) for length in LENGTHS for depth in DEPTHS for n in range(5)]
    keys = [draw_key(0, *cell) for cell in cells]
    assert keys == [draw_key(0, *cell) for cell in cells]
    assert len(set(keys)) == len(keys)
    assert all(1 <= key <= 50_000 for key in keys)
    assert keys != [draw_key(1, *cell) for cell in cells]


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        (" 4711. Remember", True),
        (" the number 4711", True),
        ("04711", True),
        (" 47110", False),
        (" 4710 or 4711", False),
        (" 47 11", False),
        ("", False),
        (" four", False),
    ],
)
def test_the_first_integer_counts(answer, is_right) -> None:
    assert names_key(answer, 4711) is is_right


@pytest.mark.parametrize("per_character", [0.2, 0.25, 1, 3.7])
def test_the_longest_prompt_that_fits_is_found(per_character) -> None:
    def prompt(size: int) -> list[int]:
        return [0] * (50 + int(per_character * size))

    for room in (50, 51, 99, 1000, 32_768):
        found = len(longest_fit(prompt, room))
        assert room - max(per_character, 1) < found <= room
    with pytest.raises(OstroError, match="has 50 tokens, and 49"):
        longest_fit(prompt, 49)


# ---- who knows the key ----


def test_who_knows_the_key_gets_everything(llm, tmp_path) -> None:
    found = measured(llm, tmp_path, answerer=Standing(knows))
    assert [cell["right"] for cell in found["cells"]] == [5] * 6
    assert {(cell["length"], cell["depth"]) for cell in found["cells"]} == {
        (length, depth) for length in LENGTHS for depth in DEPTHS
    }


def test_who_guesses_gets_chance(llm, tmp_path) -> None:
    test = Passkey(lengths=LENGTHS, depths=DEPTHS, keys=20, answerer=Standing(Guesses()))
    found = test.measure(subject_of(llm), Results(tmp_path), SILENT)
    assert sum(cell["right"] for cell in found["cells"]) == 0
    table = _table(test.section({"tiny": found}))
    assert all(cell.is_chance for row in table.rows for cell in row[2:])


def test_who_reads_half_finds_what_stands_there(llm, tmp_path) -> None:
    found = measured(llm, tmp_path, answerer=Standing(reads_to_the_middle), keys=2)
    assert [cell["right"] for cell in found["cells"]] == [2, 0, 0, 2, 0, 0]


def test_a_model_answers_through_the_engine(llm, tmp_path) -> None:
    found = measured(llm, tmp_path, keys=2, lengths=(512,))
    key = draw_key(0, 512, 0.5, 0)
    assert [cell["right"] for cell in found["cells"]] == [0, 1, 0]
    answers = [answer for cell in found["cells"] for answer in cell["answers"]]
    assert answers == [f" {key}"] * 6
    assert llm.core.is_idle


# ---- going on, and refusing ----


def test_what_was_asked_is_not_asked_again(llm, tmp_path) -> None:
    class Tires(Standing):
        def answers(self, *arguments) -> Iterator[tuple[int, str]]:
            for count, answer in enumerate(super().answers(*arguments)):
                if count == 7:
                    raise KeyboardInterrupt
                yield answer

    with pytest.raises(KeyboardInterrupt):
        measured(llm, tmp_path, answerer=Tires(knows), keys=2)
    rest = Standing(knows)
    whole = measured(llm, tmp_path, answerer=rest, keys=2)
    assert len(rest.texts) == 12 - 7
    assert [cell["right"] for cell in whole["cells"]] == [2] * 6
    more = Standing(knows)
    measured(llm, tmp_path, answerer=more, keys=3)
    assert len(more.texts) == 6


def _unloadable():
    raise AssertionError("there is no need of the model")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": (512, 4096)}, "reads 2048 tokens, which a length of 4096 exceeds"),
        ({"depths": (0.5, 1.5)}, r"a depth of 1\.5 is out of range"),
        ({"depths": ()}, "needs a depth"),
        ({"keys": 0}, "and a key at least"),
        ({"lengths": (10,)}, "a length of 10 tokens is too short"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_loading(options, message) -> None:
    with pytest.raises(OstroError, match=message):
        Passkey(**options).check(Subject("tiny", "key", None, 2048, _unloadable))


def test_a_length_without_room_for_the_prompt_is_refused(llm, tmp_path) -> None:
    with pytest.raises(OstroError, match="give greater lengths"):
        measured(llm, tmp_path, lengths=(64,))


# ---- the section ----


def found_of(*cells: tuple[int, float, int]) -> dict:
    return {
        "cells": [
            {"length": length, "depth": depth, "keys": 5, "right": right, "answers": []}
            for length, depth, right in cells
        ]
    }


def _table(section) -> Table:
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    return table


@pytest.mark.parametrize(
    ("rights", "verdict"),
    [
        ((5, 5), "10 of 10 keys found, at every length up to 1024 tokens."),
        ((5, 3), "8 of 10 keys found; all of them up to 512 tokens, not all at 1024."),
        ((4, 5), "9 of 10 keys found; some are missed from the shortest length on, 512 tokens."),
    ],
)
def test_the_verdict(rights, verdict) -> None:
    found = found_of((512, 0.5, rights[0]), (1024, 0.5, rights[1]))
    assert Passkey().section({"m": found}).blocks[0] == f"m: {verdict}"


def test_the_section_has_a_map_and_counts() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = {
        "a": found_of((512, 0.0, 5), (512, 1.0, 0), (1024, 0.0, 3), (1024, 1.0, 5)),
        "b": found_of((512, 0.5, 5)),
    }
    section = Passkey().section(found)
    assert section.name == "passkey"
    files = [block.name for block in section.blocks if not isinstance(block, str)]
    assert len(set(files)) == len(files) == 2
    table = _table(section)
    assert table.columns == ["model", "length", "0 %", "50 %", "100 %", "all depths"]
    assert [cell.text for cell in table.rows[0]][2:] == ["5 of 5", None, "0 of 5", "5 of 10"]
    assert table.rows[0][3].missing
    assert table.rows[1][2].number.value == 0.6
    assert [cell.is_chance for cell in table.rows[0][4:]] == [True, False]
    (plot,) = (block for block in section.blocks if isinstance(block, Plot))
    assert {len(column) for column in plot.data.values()} == {5}
    figure = Figure(figsize=plot.size)
    plot.draw(figure)
    FigureCanvasAgg(figure).draw()
    first = figure.axes[0].images[0]
    assert first.get_array().tolist() == [[1.0, 0.6], [0.0, 1.0]]
    red, green = (first.to_rgba([share])[0] for share in (0.0, 1.0))
    assert red[0] > 2 * red[1]
    assert green[1] > 2 * green[0]

"""Needles: the prompt, and that the harness can tell who reads from who guesses."""

import random
import re
from collections.abc import Iterator

import pytest

import ostro
from ostro.errors import OstroError
from ostro.evaluation.long_context.needle_prompt import (
    ALL,
    ONE,
    Question,
    draw_haystack,
    needle_ids,
    share_named,
)
from ostro.evaluation.long_context.needle_words import ADJECTIVES, NOUNS
from ostro.evaluation.long_context.needles import Needles
from ostro.evaluation.report.contents import Plot, Table
from ostro.evaluation.results import Results
from ostro.evaluation.statistics import mean_of
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import SilentProgress
from tiny_chat import BOS, save_babbler

SILENT = SilentProgress()
LENGTHS = (1400, 2048)
NEEDLE = re.compile(r"A number of the (\w+ \w+) is (\d+)\.")


class Standing:
    """Stands for a model: answers from the prompt's text."""

    def __init__(self, answer) -> None:
        self._answer, self.sizes = answer, []

    def __call__(self, llm):
        return self

    def answers(self, prompts, max_tokens, progress, label) -> Iterator[tuple[int, str]]:
        for number, ids in enumerate(prompts):
            assert ids[0] == BOS
            self.sizes.append(len(ids) + max_tokens)
            yield number, self._answer(bytes(ids[1:]).decode())


def asked(text: str) -> str:
    return re.search(r"does the (\w+ \w+) have\?", text)[1]


def knows(text: str) -> str:
    found = [number for name, number in NEEDLE.findall(text) if name == asked(text)]
    return f" {', '.join(found)}. Which"


class Guesses:
    """Numbers of the text, without looking at the names."""

    def __init__(self) -> None:
        self._draw = random.Random(3)

    def __call__(self, text: str) -> str:
        numbers = [number for _, number in NEEDLE.findall(text)]
        self._draw.shuffle(numbers)
        return " ".join(numbers)


def reads_the_second_word(text: str) -> str:
    """Takes the first needle whose noun is right."""
    noun = asked(text).split()[1]
    return next(number for name, number in NEEDLE.findall(text) if name.endswith(noun))


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "m"
    save_babbler(folder, max_position_embeddings=2048)
    return ostro.load(folder, progress=SILENT)


def subject_of(llm) -> Subject:
    return Subject("tiny", "key", llm.model.geometry, llm.context, lambda: llm)


def scores(llm, folder, **options) -> dict[str, list[float]]:
    test = Needles(**{"lengths": LENGTHS} | options)
    test.check(subject_of(llm))
    found = test.measure(subject_of(llm), Results(folder), SILENT)
    return {
        one["question"]: [score for entry in one["lengths"] for score in entry["scores"]]
        for one in found["questions"]
    }


# ---- the prompt ----


def test_words_differ() -> None:
    assert len({*ADJECTIVES, *NOUNS}) == len(ADJECTIVES) + len(NOUNS)


@pytest.mark.parametrize("question", [ONE, ALL])
def test_all_other_needles_share_a_word_with_the_one_asked_for(question) -> None:
    for number in range(20):
        haystack = draw_haystack(question, 0, 1024, number)
        text = haystack.text(question, 60)
        needles = NEEDLE.findall(text)
        assert len(needles) == len({number for _, number in needles}) == question.needles
        own = [int(number) for name, number in needles if name == haystack.key]
        assert sorted(own) == sorted(haystack.values)
        assert len(own) == question.values
        adjective, noun = haystack.key.split()
        others = {tuple(name.split()) for name, _ in needles if name != haystack.key}
        assert len(others) == question.needles - question.values
        shared = [(first == adjective, second == noun) for first, second in others]
        assert all(first != second for first, second in shared)
        assert len(set(shared)) == 2
        assert text.split("\n")[-1].endswith(f" of the {haystack.key} {_verb(question)}")
        assert asked(text) == haystack.key


def _verb(question: Question) -> str:
    return "is" if question.values == 1 else "are"


def test_needles_are_spread_and_noise_stays_whole() -> None:
    haystack = draw_haystack(ALL, 0, 1024, 0)
    body = haystack.text(ALL, 200).split("\n")[1]
    noise = NEEDLE.sub("", body).split()
    assert " ".join(noise).startswith(
        "The grass is green. The sky is blue. The sun is yellow. Here"
    )
    assert " ".join(noise).count(".") == 200
    places = [found.start() / len(body) for found in NEEDLE.finditer(body)]
    assert places == pytest.approx([depth for depth, _ in haystack.needles], abs=0.1)


def test_haystacks_are_seeded_and_differ() -> None:
    first = [draw_haystack(ONE, 0, 1024, number) for number in range(5)]
    assert first == [draw_haystack(ONE, 0, 1024, number) for number in range(5)]
    assert len({one.key for one in first}) == 5
    assert first != [draw_haystack(ONE, 1, 1024, number) for number in range(5)]


def test_a_needle_stands_where_its_depth_says_even_without_noise() -> None:
    haystack = draw_haystack(ONE, 0, 1024, 0)
    assert len(NEEDLE.findall(haystack.text(ONE, 0))) == ONE.needles


def test_prompts_are_as_long_as_sentences_allow(llm) -> None:
    haystack = draw_haystack(ONE, 0, 2048, 0)
    ids = needle_ids(llm.encode, ONE, haystack, 2000)
    longest = max(len(text) for text in ("There and back again.", "The grass is green. "))
    assert 2000 - longest - 1 < len(ids) <= 2000


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        (" 11, 22 and 33.", 1.0),
        (" 33 22 11 44 55", 1.0),
        (" 11, 44, 22, 33", 2 / 3),
        (" 44, 55, 66, 11, 22, 33", 0.0),
        (" 11 11 11", 1 / 3),
        (" 112233", 0.0),
        ("", 0.0),
    ],
)
def test_as_many_integers_count_as_are_asked_for(answer, share) -> None:
    assert share_named(answer, (11, 22, 33)) == share


@pytest.mark.parametrize(("needles", "values"), [(3, 3), (3, 0), (80, 1)])
def test_a_question_without_an_answer_is_refused(needles, values) -> None:
    with pytest.raises(OstroError, match="out of range"):
        Question("q", needles, values)


def test_the_most_needles_have_names_that_differ() -> None:
    question = Question("q", 79)
    names = [name for name, _ in NEEDLE.findall(draw_haystack(question, 0, 1, 0).text(question, 9))]
    assert len(set(names)) == 79


# ---- who reads ----


def test_who_knows_gets_everything(llm, tmp_path) -> None:
    standing = Standing(knows)
    assert scores(llm, tmp_path, answerer=standing) == {"one": [1.0] * 20, "all": [1.0] * 20}
    assert max(standing.sizes) <= 2048
    assert {size > 1400 for size in standing.sizes} == {True, False}


def test_who_guesses_gets_chance(llm, tmp_path) -> None:
    options = {"lengths": (1400,), "trials": 100}
    found = scores(llm, tmp_path, answerer=Standing(Guesses()), **options)
    assert ONE.chance == 1 / 8
    assert ALL.chance == 3 / 12
    assert mean_of(found["one"]).is_chance(1 / 8)
    assert mean_of(found["all"]).value == pytest.approx(3 / 12, abs=0.08)


def test_half_a_name_is_not_enough(llm, tmp_path) -> None:
    options = {"lengths": (1400,), "trials": 50, "questions": (ONE,)}
    found = scores(llm, tmp_path, answerer=Standing(reads_the_second_word), **options)
    # Of 8 needles, 3 others have the same second word.
    assert mean_of(found["one"]).value == pytest.approx(1 / 4, abs=0.15)


def test_a_model_that_babbles_finds_nothing(llm, tmp_path) -> None:
    found = scores(llm, tmp_path, lengths=(1400,), trials=2)
    assert found == {"one": [0.0] * 2, "all": [0.0] * 2}
    assert llm.core.is_idle


# ---- going on, and refusing ----


def test_what_was_asked_is_not_asked_again(llm, tmp_path) -> None:
    first, second = Standing(knows), Standing(knows)
    scores(llm, tmp_path, answerer=first, trials=2)
    scores(llm, tmp_path, answerer=second, trials=3)
    assert (len(first.sizes), len(second.sizes)) == (8, 4)


def _unloadable():
    raise AssertionError("there is no need of the model")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": (512, 4096)}, "reads 2048 tokens, which a length of 4096 exceeds"),
        ({"lengths": (30,)}, "a length of 30 tokens is too short; give at least 31"),
        ({"trials": 0}, "a question and a trial"),
        ({"questions": ()}, "a question and a trial"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_loading(options, message) -> None:
    with pytest.raises(OstroError, match=message):
        Needles(**options).check(Subject("tiny", "key", None, 2048, _unloadable))


# ---- the section ----


def test_the_section_names_chance() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scores = {512: [1.0] * 9 + [0.0], 1024: [1.0] + [0.0] * 9}
    lengths = [{"length": n, "scores": own, "answers": []} for n, own in scores.items()]
    one = {"question": "one", "words": ONE.words, "chance": 1 / 8, "lengths": lengths}
    section = Needles().section({"m": {"questions": [one]}, "n": {"questions": []}})
    assert section.blocks[0] == (
        "m, one among 8: better than chance at 512 tokens, and no other (chance: 12.5 %)."
    )
    files = [block.name for block in section.blocks if not isinstance(block, str)]
    assert len(set(files)) == len(files) == 2
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert table.columns == ["model", "asked for", "chance", "512", "1024"]
    (row,) = table.rows
    assert row[2].number == 1 / 8
    assert [cell.is_chance for cell in row[3:]] == [False, True]
    assert row[3].number.value == pytest.approx(0.9)
    (plot,) = (block for block in section.blocks if isinstance(block, Plot))
    assert plot.data["chance"] == [1 / 8] * 2
    figure = Figure(figsize=plot.size)
    plot.draw(figure)
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    heights = [list(line.get_ydata()) for line in axes.lines]
    assert [pytest.approx([0.9, 0.1]) == one for one in heights].count(True) == 1
    assert [1 / 8, 1 / 8] in heights

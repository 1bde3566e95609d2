"""From a prompt to pieces of text: where an answer ends, and what is shown of it."""

import math
from types import SimpleNamespace

import pytest

import ostro
from ostro.engine.completion import Timer, complete
from ostro.engine.llm import LLM
from ostro.engine.request import Piece
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from tiny_chat import ANSWER, EOS, save_speller, text_ids

HELLO = [{"role": "user", "content": "Hello"}]
PROMPT = "\n"
PROMPT_TOKENS = 2


def test_eos_ends_an_answer_and_is_counted_but_not_shown(speller: LLM) -> None:
    answer = speller.generate(PROMPT)
    assert answer.text == ANSWER
    assert answer.token_ids == text_ids(ANSWER)
    assert answer.completion_tokens == len(text_ids(ANSWER)) + 1
    assert answer.prompt_tokens == PROMPT_TOKENS
    assert answer.finish_reason == "stop"
    assert list(speller.stream(PROMPT))[-1] == Piece("", EOS, "stop")


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        (["d"], "abc"),
        (["def"], "abc"),
        ("def", "abc"),
        (["xyz", "efgh", "hij"], "abcd"),
        (["é"], ANSWER[:-1]),
        (["a"], ""),
    ],
)
def test_a_stop_string_ends_an_answer_and_is_not_shown(speller: LLM, stop, text) -> None:
    answer = speller.generate(PROMPT, stop=stop)
    assert (answer.text, answer.finish_reason) == (text, "stop")
    pieces = list(speller.stream(PROMPT, stop=stop))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.finish_reason for piece in pieces[:-1]] == [None] * (len(pieces) - 1)


def test_what_only_began_like_a_stop_string_is_shown(speller: LLM) -> None:
    assert speller.generate(PROMPT, stop=["zé!", "bcd!"]).text == ANSWER


def test_max_tokens_end_an_answer(speller: LLM) -> None:
    answer = speller.generate(PROMPT, max_tokens=5)
    assert (answer.text, answer.finish_reason) == ("abcde", "length")
    assert answer.completion_tokens == 5


def test_a_full_context_ends_an_answer(tmp_path) -> None:
    llm = ostro.load(save_speller(tmp_path / "m"), context=12, progress=SilentProgress())
    answer = llm.generate(PROMPT)
    assert (answer.text, answer.finish_reason) == (ANSWER[:10], "length")
    assert answer.prompt_tokens + answer.completion_tokens == 12
    assert llm.generate(PROMPT, max_tokens=30).completion_tokens == 10


def test_a_prompt_that_leaves_no_room_is_refused(tmp_path) -> None:
    llm = ostro.load(save_speller(tmp_path / "m"), context=12, progress=SilentProgress())
    assert llm.generate("x" * 9 + "\n").text == "a"
    with pytest.raises(OstroError, match="the prompt has 12 tokens and the context holds 12"):
        llm.generate("x" * 11)


def test_no_piece_has_half_a_character(speller: LLM) -> None:
    texts = [piece.text for piece in speller.stream(PROMPT)]
    assert texts == [*ANSWER[:-1], "", "é", ""]


def test_a_character_that_is_cut_off_becomes_the_replacement_character(speller: LLM) -> None:
    answer = speller.generate(PROMPT, max_tokens=len(ANSWER))
    assert answer.text == ANSWER[:-1] + "\ufffd"


@pytest.mark.parametrize("options", [{}, {"temperature": 1.0, "seed": 3, "top_p": 0.9}])
def test_streaming_gives_what_chat_gives(babbler: LLM, options) -> None:
    options = options | {"max_tokens": 20}
    whole = babbler.chat(HELLO, **options)
    pieces = list(babbler.stream(HELLO, **options))
    assert "".join(piece.text for piece in pieces) == whole.text
    assert [piece.token_id for piece in pieces] == whole.token_ids
    assert pieces[-1].finish_reason == whole.finish_reason == "length"


def test_a_seed_makes_an_answer_repeatable(babbler: LLM) -> None:
    options = {"max_tokens": 20, "temperature": 1.0}
    first = babbler.chat(HELLO, seed=7, **options)
    babbler.chat([{"role": "user", "content": "Something else"}], max_tokens=3)
    assert babbler.chat(HELLO, seed=7, **options).token_ids == first.token_ids
    assert babbler.chat(HELLO, seed=8, **options).token_ids != first.token_ids


def test_an_answer_left_early_leaves_the_model_usable(speller: LLM) -> None:
    pieces = speller.stream(PROMPT)
    assert [next(pieces).text for _ in range(3)] == ["a", "b", "c"]
    pieces.close()
    assert speller.generate(PROMPT).text == ANSWER


def test_the_timer_leaves_out_the_time_of_the_prompt(monkeypatch) -> None:
    clock = SimpleNamespace(perf_counter=iter([14.0, 14.5, 15.0, 15.5]).__next__)
    monkeypatch.setattr("ostro.engine.completion.time", clock)
    timer = Timer(start=10)
    for _ in range(4):
        timer.token()
    assert (timer.first, timer.last, timer.tokens) == (4.0, 5.5, 4)
    assert math.isclose(timer.tokens_per_second, 2.0)


def test_the_speed_of_no_token_and_of_one() -> None:
    assert Timer(start=0).tokens_per_second == 0
    assert Timer(start=0, first=4, last=4, tokens=1).tokens_per_second == 0.25


def test_an_answer_is_gathered_from_its_pieces() -> None:
    pieces = iter([Piece("a", 1), Piece("b", 2), Piece("", 9, "stop")])
    timer = Timer(start=0, first=1, last=3, tokens=3)
    whole = complete(pieces, timer, prompt_tokens=4, eos={9}, model="m")
    assert whole.to_dict() == {
        "text": "ab",
        "token_ids": [1, 2],
        "prompt_tokens": 4,
        "completion_tokens": 3,
        "finish_reason": "stop",
        "seconds": 3,
        "tokens_per_second": 1.0,
        "model": "m",
    }

"""Prompts, what is kept of the parent's answers, and work that goes on where it stopped."""

import random
from pathlib import Path

import pytest

import ostro
from demo_text.sampled.answers import kept_answer, whole_sentences
from demo_text.sampled.everyday import everyday_prompt
from demo_text.sampled.own_prompts import is_junk, opening
from demo_text.sampled.parts import Work, sampled_records
from demo_text.sampled.questions import Questions
from demo_text.sampled.sampler import ParentSampler, Sampled
from demo_text_data import StubSampler, save_data
from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.text.safe_prompt import SAFE_PROMPT
from tiny_chat import save_babbler

SILENT = SilentProgress()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("One. Two is cut", "One."),
        ("He said “no.” And th", "He said “no.”"),
        ("1. First point.\n2. Second point.\n3.", "1. First point.\n2. Second point."),
        ("Look.\n```python\nx = 1.\n", "Look."),
        ("See:\n```\nx\n```\nAnd then", "See:\n```\nx\n```"),
        ("It costs 3.50 and", ""),
    ],
)
def test_a_cut_answer_ends_with_a_sentence(text: str, kept: str) -> None:
    assert whole_sentences(text) == kept


def test_what_is_kept_of_an_answer() -> None:
    long = "This is a sentence of more than forty characters. And"
    assert kept_answer(Sampled(long, False, 200)) == long.removesuffix(" And")
    assert kept_answer(Sampled(f" {long} ", True, 20)) == long
    assert kept_answer(Sampled("Short. And", False, 200)) is None
    assert kept_answer(Sampled("  ", True, 1)) is None
    assert kept_answer(Sampled("Broken \ufffd.", True, 3)) is None
    assert kept_answer(Sampled("I'm afraid I can't tell you how to cook rice.", True, 9)) is None
    assert kept_answer(Sampled("Sorry to hear that. Do you know why?", True, 9)) is not None
    circle = "It is a very large city. " * 3
    assert kept_answer(Sampled(circle, True, 30)) is None
    assert kept_answer(Sampled(circle[:50], True, 20)) == circle[:50].strip()


@pytest.mark.parametrize(
    "text",
    ["", "Hi", "no no no no no no no no", "#iWf7=20.01\n\nhm=(1,2);[x]/{y}=0;;", "a <|x b c"],
)
def test_junk_is_no_question(text: str) -> None:
    assert is_junk(text)


def test_questions_of_the_parents_kind_are_kept() -> None:
    assert not is_junk("Can you help me create a fun recipe using oatmeal with nuts and spices?")
    assert opening("Be kind.") == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n"


def test_everyday_questions_are_many() -> None:
    draw = random.Random(0)
    prompts = [everyday_prompt(draw) for _ in range(1000)]
    assert len({prompt.text for prompt in prompts}) > 600
    assert not any("{" in prompt.text for prompt in prompts)


def test_parts_go_on_where_they_stopped(tmp_path: Path) -> None:
    data = save_data(tmp_path / "data")
    sampler = StubSampler()
    questions = Questions(data, 0, SILENT)

    def records(budget: int) -> list[dict]:
        work = Work(sampler, questions, tmp_path / "parts", seed=0, size=40)
        return list(sampled_records(work, budget, lambda record: 1, SILENT))

    few = records(30)
    calls, parts = sampler.calls, len(list((tmp_path / "parts").iterdir()))
    assert records(30) == few
    assert sampler.calls == calls
    more = records(70)
    assert more[:30] == few
    assert len(more) == 70
    assert len(list((tmp_path / "parts").iterdir())) > parts
    assert not list((tmp_path / "parts").glob(".*"))


def test_conversations_are_of_all_sorts(tmp_path: Path) -> None:
    work = Work(StubSampler(), Questions(save_data(tmp_path), 0, SILENT), tmp_path / "p", seed=1)
    records = list(sampled_records(work, 250, lambda record: 1, SILENT))
    sources = {record["prompt_source"] for record in records}
    assert {"own templates", "own questions of the parent", "sft/gsm8k_train.jsonl.gz"} <= sources
    shapes = {tuple(m["role"] for m in record["messages"]) for record in records}
    assert ("user", "assistant") in shapes
    assert ("system", "user", "assistant", "user", "assistant") in shapes
    systems = [r["messages"][0]["content"] for r in records if r["messages"][0]["role"] == "system"]
    assert 0.15 < len(systems) / len(records) < 0.6
    assert SAFE_PROMPT in systems
    asked = [
        tuple(m["content"] for m in r["messages"] if m["role"] != "assistant") for r in records
    ]
    assert len(set(asked)) == len(asked)
    for record in records:
        safe = record["messages"][0]["content"] == SAFE_PROMPT
        assert not safe or record["prompt_source"] == "own templates"
        answers = [m["content"] for m in record["messages"] if m["role"] == "assistant"]
        assert all(answer.endswith(".") for answer in answers)


def test_a_parent_that_says_nothing_is_told(tmp_path: Path) -> None:
    class Mute(StubSampler):
        def answered(self, chats: list, most: int, seed: int) -> list[Sampled]:
            return [Sampled("", True, 1) for _ in chats]

    work = Work(Mute(), Questions(save_data(tmp_path), 0, SILENT), tmp_path / "p", seed=0)
    with pytest.raises(OstroError, match="nothing new"):
        list(sampled_records(work, 10, lambda record: 1, SILENT))


def test_a_model_samples_the_same_for_a_seed(tmp_path: Path) -> None:
    save_babbler(tmp_path / "model", "mistral", sliding_window=None)
    environment = Environment.read({"OSTRO_HOME": str(tmp_path / "home")})
    llm = ostro.load(tmp_path / "model", dtype="float32", environment=environment, progress=SILENT)
    sampler = ParentSampler(llm, SILENT)
    chats = [[{"role": "user", "content": text}] for text in ("one", "two", "three")]
    first, again, other = (sampler.answered(chats, 12, seed) for seed in (5, 5, 6))
    assert first == again != other
    assert all(0 < one.tokens <= 12 and (one.ended or one.tokens == 12) for one in first)
    (raw,) = sampler.continued([opening(None)], 8, 1)
    assert 0 < raw.tokens <= 8
    assert sampler.tokens("abc") == 4  # BOS and three bytes.

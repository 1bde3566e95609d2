"""Conversations: in every template, exactly the answers and what ends them are learned."""

from itertools import groupby

import pytest

from ostro.data.answers import end_of_answer
from ostro.data.conversations import convert_conversations, read_conversation
from ostro.data.kinds import converter
from ostro.data.sequences import TokenSequence
from ostro.errors import OstroError
from ostro.text.json_tokenizer import json_tokenizer
from ostro.text.messages import Message
from ostro.text.mistral import bundled_mistral_tokenizer
from ostro.text.tokenizer import Tokenizer
from tiny_chat import END, EOS, TEMPLATE, chat_ids, save_tokenizer, text_ids

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi there, <|im_end|> é!"},
    {"role": "user", "content": "And now?"},
    {"role": "assistant", "content": "Now\n\n it is late."},
]
ANSWERS = ["Hi there, <|im_end|> é!", "Now\n\n it is late."]


def learned_runs(sequence: TokenSequence) -> list[list[int]]:
    """The ids of each stretch that is learned."""
    pairs = zip(sequence.ids.tolist(), sequence.learned.tolist(), strict=True)
    return [[i for i, _ in run] for learned, run in groupby(pairs, lambda p: p[1]) if learned]


def convert(tokenizer: Tokenizer, *turns: dict) -> list[TokenSequence]:
    return convert_conversations(tokenizer)({"messages": list(turns)})


@pytest.mark.parametrize(
    ("name", "end"),
    [("chatml", END), ("v1", 2), ("v2", 2), ("v3", 2)],
    ids=lambda value: str(value),
)
def test_the_answers_and_their_ends_are_learned_in_one_sequence(chatml, name, end) -> None:
    tokenizer = chatml if name == "chatml" else bundled_mistral_tokenizer(name)
    (sequence,) = convert(tokenizer, *TURNS[name != "chatml" :])
    runs = learned_runs(sequence)
    assert [run[-1] for run in runs] == [end, end]
    assert [tokenizer.decode(run[:-1]) for run in runs] == ANSWERS
    assert sequence.ids.tolist().count(tokenizer.bos_id) == 1


@pytest.mark.parametrize("name", ["chatml", "mistral"])
def test_a_prompt_is_the_one_that_the_model_sees_when_it_serves(request, name) -> None:
    tokenizer = request.getfixturevalue(name)
    (sequence,) = convert(tokenizer, *TURNS)
    messages = [Message(turn["role"], turn["content"]) for turn in TURNS]
    first = tokenizer.encode_chat(messages[:2])
    assert sequence.ids[: len(first)].tolist() == first
    assert not sequence.learned[: len(first)].any()
    assert sequence.learned[len(first)]
    assert sequence.learned[-1]


def test_chatml_is_token_for_token_what_one_would_write_by_hand(chatml) -> None:
    (sequence,) = convert(chatml, *TURNS)
    pairs = [(turn["role"], turn["content"]) for turn in TURNS]
    assert sequence.ids.tolist() == [*chat_ids(*pairs[:4]), *text_ids(pairs[4][1]), END]


def test_the_eos_token_ends_answers_where_the_templates_own_end_stops_nothing(tmp_path) -> None:
    save_tokenizer(tmp_path)
    tokenizer = json_tokenizer(tmp_path)  # <|im_end|> is a token like others.
    assert end_of_answer(tokenizer) == EOS
    first, second = convert(tokenizer, *TURNS)
    # After its end, the first answer is not as the second one's history has it.
    assert [tokenizer.decode(run) for s in (first, second) for run in learned_runs(s)] == ANSWERS
    assert (first.ids[-1], second.ids[-1]) == (EOS, EOS)


def test_a_template_that_changes_what_was_said_gives_each_answer_its_own_sequence(tmp_path) -> None:
    shorter = TEMPLATE.replace("message.content", "message.content[:5]")
    save_tokenizer(tmp_path, template=shorter)
    first, second = convert(json_tokenizer(tmp_path, eos_ids=frozenset((END,))), *TURNS)
    assert bytes(learned_runs(first)[0][:-1]).decode() == ANSWERS[0]
    assert bytes(learned_runs(second)[0][:-1]).decode() == ANSWERS[1]
    assert len(learned_runs(second)) == 1


def test_what_follows_the_last_answer_is_left_out(chatml) -> None:
    (whole,) = convert(chatml, *TURNS)
    (more,) = convert(chatml, *TURNS, {"role": "user", "content": "Bye"})
    assert more.ids.tolist() == whole.ids.tolist()


def test_neighbouring_messages_of_the_assistant_are_one_answer(chatml) -> None:
    answers = [{"role": "assistant", "content": text} for text in ("One.", "Two.")]
    (sequence,) = convert(chatml, TURNS[1], *answers)
    assert learned_runs(sequence) == [[*text_ids("One.\n\nTwo."), END]]


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "Q", "completion": "A"},
        {"prompt": "Q", "response": "A", "id": 7},
        {"prompt": [{"role": "user", "content": "Q"}], "completion": "A"},
        {"question": "Q", "answer": "A"},
        {"instruction": "Q", "output": "A"},
        {"instruction": "Q", "input": "", "response": "A"},
        {"messages": None, "instruction": "Q", "input": None, "output": "A"},
    ],
)
def test_a_pair_is_a_question_and_an_answer(values) -> None:
    assert read_conversation(values) == [Message("user", "Q"), Message("assistant", "A")]


def test_input_follows_the_instruction_after_a_blank_line() -> None:
    values = {"instruction": "Add.", "input": "1 2", "output": "3"}
    assert read_conversation(values)[0].content == "Add.\n\n1 2"


CALL = {"id": "a", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"title": "Hello"}, "no conversation; there must be messages, text, or one of prompt"),
        ({"messages": []}, "no message of the assistant"),
        ({"messages": TURNS[:2]}, "no message of the assistant"),
        ({"messages": TURNS[2:]}, r"messages\[0\] is an answer without a question"),
        ({"messages": "Hello"}, "messages must be a list"),
        ({"messages": [TURNS[1], {"role": "bot", "content": ""}]}, "unknown role 'bot'"),
        (
            {"messages": [TURNS[1], {"role": "assistant", "content": " "}]},
            r"messages\[1\]: the answer is empty",
        ),
        (
            {"messages": [TURNS[1], {"role": "assistant", "content": "a", "prefix": True}]},
            "an answer that goes on",
        ),
        (
            {"messages": [TURNS[1], {"role": "assistant", "tool_calls": [CALL]}]},
            r"messages\[1\]: calls of functions",
        ),
        ({"messages": TURNS, "tools": [{"type": "function"}]}, r"functions \('tools'\)"),
        ({"question": "Q", "answer": ["A"]}, r"messages\[0\] must be an object"),
        ({"question": "Q", "answer": ""}, "'answer' must be a text that is not empty"),
    ],
)
def test_what_can_not_be_learned_is_refused(chatml, values, complaint) -> None:
    with pytest.raises(OstroError, match=complaint):
        convert_conversations(chatml)(values)


def test_a_tokenizer_without_a_template_is_refused_at_once(tmp_path) -> None:
    save_tokenizer(tmp_path, template=None)
    with pytest.raises(OstroError, match="no chat template, which conversations need"):
        convert_conversations(json_tokenizer(tmp_path))


def test_answers_may_stand_alone(chatml) -> None:
    (together,) = convert(chatml, *TURNS)
    apart = convert_conversations(chatml, alone=True)({"messages": TURNS})
    assert [learned_runs(sequence) for sequence in apart] == [
        [run] for run in learned_runs(together)
    ]
    assert together.starts_with(apart[0])


def test_only_answers_stand_alone(chatml) -> None:
    with pytest.raises(OstroError, match="only the answers of conversations can stand alone"):
        converter("documents", chatml, alone=True)


def test_a_document_among_them_is_learned_whole(chatml) -> None:
    record = {"text": "It rains.\n\nStill.", "domain": "weather"}
    for alone in (False, True):
        (found,) = convert_conversations(chatml, alone=alone)(record)
        (document,) = converter("documents", chatml)(record)
        assert found.ids.tolist() == document.ids.tolist()
        assert found.learned.tolist() == document.learned.tolist()
        assert found.learned[1:].all()


def test_a_conversation_with_a_text_beside_it_is_a_conversation(chatml) -> None:
    record = {"prompt": "Hello", "completion": "Hi!", "text": "Hello Hi!"}
    (found,) = convert_conversations(chatml)(record)
    assert not found.learned.all()

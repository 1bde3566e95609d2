"""Preferences: every form gives the same pair, of which only the last answers are learned."""

import pytest

from ostro.data.preferences import convert_preferences, read_preference
from ostro.errors import OstroError
from ostro.text.messages import Message
from tiny_chat import END, chat_ids, text_ids

QUESTION = {"role": "user", "content": "Q"}
GOOD, BAD = ({"role": "assistant", "content": text} for text in ("good", "bad"))
DIALOGUE = "\n\nHuman: Hello\n\nAssistant: Hi. What\n\nis it?\n\nHuman: Q: Human: x\n\nAssistant:"


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "Q", "chosen": "good", "rejected": "bad"},
        {"prompt": [QUESTION], "chosen": "good", "rejected": "bad"},
        {"prompt": [QUESTION], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": "Q", "chosen": [QUESTION, GOOD], "rejected": [QUESTION, BAD]},
        {"chosen": [QUESTION, GOOD], "rejected": [QUESTION, BAD]},
        {"messages": [QUESTION], "chosen": "good", "rejected": "bad", "rank": 1},
        {"instruction": "Q", "input": "", "chosen": "good", "rejected": "bad"},
        {
            "chosen": "\n\nHuman: Q\n\nAssistant: good",
            "rejected": "\n\nHuman: Q\n\nAssistant: bad\n",
        },
    ],
)
def test_every_form_gives_the_same_pair(chatml, values) -> None:
    pair = read_preference(values)
    assert pair.question == [Message("user", "Q")]
    assert [pair.chosen.content, pair.rejected.content] == ["good", "bad"]
    chosen, rejected = convert_preferences(chatml)(values)
    prompt = chat_ids(("user", "Q"))
    for sequence, answer in ((chosen, "good"), (rejected, "bad")):
        assert sequence.ids.tolist() == [*prompt, *text_ids(answer), END]
        assert sequence.ids[sequence.learned].tolist() == [*text_ids(answer), END]


def test_a_transcript_has_its_turns_and_only_the_last_is_learned(chatml) -> None:
    values = {"chosen": f"{DIALOGUE} good", "rejected": f"{DIALOGUE} bad"}
    assert read_preference(values).question == [
        Message("user", "Hello"),
        Message("assistant", "Hi. What\n\nis it?"),
        Message("user", "Q: Human: x"),
    ]
    for sequence, answer in zip(convert_preferences(chatml)(values), ("good", "bad"), strict=True):
        assert sequence.ids[sequence.learned].tolist() == [*text_ids(answer), END]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"prompt": "Q", "chosen": "good"}, "there must be 'chosen' and 'rejected'"),
        ({"prompt": "Q", "chosen": "same", "rejected": "same"}, "are equal"),
        ({"prompt": "Q", "chosen": "good", "rejected": ""}, "'rejected' must be a text"),
        ({"prompt": "Q", "chosen": [], "rejected": "bad"}, "'chosen' is an empty list"),
        ({"prompt": "Q", "chosen": [QUESTION], "rejected": "bad"}, "'chosen' does not end with"),
        ({"prompt": "P", "chosen": [QUESTION, GOOD], "rejected": "bad"}, "another question"),
        (
            {"chosen": f"{DIALOGUE} good", "rejected": "\n\nHuman: Q\n\nAssistant: bad"},
            "'rejected' answers another question",
        ),
        ({"chosen": f"{DIALOGUE} x\n\nHuman: y", "rejected": f"{DIALOGUE} x"}, "does not end with"),
        ({"chosen": DIALOGUE, "rejected": f"{DIALOGUE} bad"}, "the answer is empty"),
        ({"chosen": "good", "rejected": "bad"}, "an answer without a question"),
        ({"prompt": [QUESTION, GOOD], "chosen": "good", "rejected": "bad"}, "Expected last role"),
    ],
)
def test_what_is_no_pair_is_refused(chatml, values, complaint) -> None:
    with pytest.raises(OstroError, match=complaint):
        convert_preferences(chatml)(values)

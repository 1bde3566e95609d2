"""``/v1/chat/moderations``: scores are the model's own probabilities."""

import math

import pytest

from ostro.engine.llm import LLM
from ostro.server.moderation import CATEGORIES, SAFE
from ostro.text.messages import Message
from server.conversation import HELLO, MODEL, refused

NAMES = [category.name for category in CATEGORIES]


def judge(client, conversations):
    body = {"model": MODEL, "input": conversations}
    response = client.post("/v1/chat/moderations", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_every_category_has_a_score(babbling) -> None:
    body = judge(babbling, HELLO)
    assert body["model"] == MODEL
    (result,) = body["results"]
    assert list(result["category_scores"]) == NAMES
    assert all(0 <= score <= 1 for score in result["category_scores"].values())
    assert sum(result["category_scores"].values()) <= 1
    for name, score in result["category_scores"].items():
        assert result["categories"][name] == (score >= 0.5)


def _word_logprobs(llm: LLM, text: str) -> list[float]:
    """What the model gives each allowed answer to a conversation of one message."""
    listed = "\n".join(f"- {category.word}: {category.about}" for category in CATEGORIES)
    question = (
        "Which of these categories does the conversation below belong to?\n"
        f"{listed}\n- {SAFE}: none of the above, an ordinary harmless conversation\n\n"
        f"<conversation>\nuser: {text}\n</conversation>\n\n"
        "Answer with the name of one category and nothing else."
    )
    prompt = llm.tokenizer.encode_chat([Message("user", question)])
    found = []
    for word in [*(category.word for category in CATEGORIES), SAFE]:
        ids = [*prompt, *word.encode()]
        rows = llm.logits(ids).log_softmax(-1)
        found.append(sum(rows[i - 1, ids[i]].item() for i in range(len(prompt), len(ids))))
    return found


def test_scores_are_what_the_model_gives_the_words(babbling, babbler) -> None:
    """Computed again from the logits of each word, read whole."""
    (result,) = judge(babbling, HELLO)["results"]
    likely, empty = (_word_logprobs(babbler, text) for text in ("Hello", "N/A"))
    ratios = [math.exp(one - other) for one, other in zip(likely, empty, strict=True)]
    expected = [ratio / sum(ratios) for ratio in ratios[:-1]]
    assert list(result["category_scores"].values()) == pytest.approx(expected, abs=1e-3)


def test_several_conversations(babbling) -> None:
    other = [{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "See you"}]
    both = judge(babbling, [HELLO, other])["results"]
    alone = [judge(babbling, one)["results"][0] for one in (HELLO, other)]
    for one, same in zip(both, alone, strict=True):
        assert one["category_scores"] == pytest.approx(same["category_scores"], abs=1e-5)
    assert both[0] != both[1]


def test_what_does_not_fit_is_refused(babbling, babbler) -> None:
    long = [{"role": "user", "content": "x" * babbler.context}]
    body = {"model": MODEL, "input": long}
    assert "context" in refused(babbling.post("/v1/chat/moderations", json=body), 400)["message"]
    body = {"model": "other", "input": HELLO}
    refused(babbling.post("/v1/chat/moderations", json=body), 404)

import pytest

from ostro.server.errors import ApiError
from ostro.server.model_cards import ModelCard, find_card, model_list

DEMO = ModelCard(id="demo", created=7, context=8192, aliases=("mistral-small", "mistral-tiny"))
TUNED = ModelCard(id="tuned", created=8, context=8192, parent="demo", aliases=("mistral-tiny",))


def test_a_card_has_the_keys_of_all_dialects() -> None:
    card = DEMO.to_dict()
    assert {key: card[key] for key in ("id", "object", "created", "owned_by", "permission")} == {
        "id": "demo",
        "object": "model",
        "created": 7,
        "owned_by": "ostro",
        "permission": [],
    }
    assert card["type"] == "base"
    assert card["max_context_length"] == 8192
    assert card["aliases"] == ["mistral-small", "mistral-tiny"]
    capabilities = card["capabilities"]
    assert capabilities["completion_chat"] is True
    assert [capabilities[key] for key in ("function_calling", "completion_fim")] == [False, False]


def test_a_card_bears_the_name_that_was_asked_for() -> None:
    card = DEMO.to_dict("mistral-small")
    assert (card["id"], card["name"], card["root"]) == ("mistral-small", "demo", "demo")
    assert (TUNED.to_dict()["root"], TUNED.to_dict()["parent"]) == ("demo", "demo")


def test_the_list_has_each_model_once() -> None:
    response = model_list([DEMO, TUNED])
    assert response["object"] == "list"
    assert [card["id"] for card in response["data"]] == ["demo", "tuned"]


def test_models_are_found_by_every_name() -> None:
    assert find_card("demo", [DEMO, TUNED]) is DEMO
    assert find_card("mistral-small", [DEMO, TUNED]) is DEMO
    named_like_an_alias = ModelCard(id="mistral-small", created=1, context=1)
    assert find_card("mistral-small", [named_like_an_alias, DEMO]) is named_like_an_alias


def test_an_unknown_model_is_a_404_that_says_what_there_is() -> None:
    with pytest.raises(
        ApiError, match="unknown model 'gpt'; served: demo, mistral-small"
    ) as caught:
        find_card("gpt", iter([DEMO]))
    assert (caught.value.status, caught.value.param) == (404, "model")

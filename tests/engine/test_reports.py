"""What a request may ask about its tokens: probabilities and experts, of prompt and answer."""

from dataclasses import replace

import pytest
import torch

import ostro
from ostro.engine.core import EngineCore
from ostro.engine.llm import LLM
from ostro.engine.scheduler import StepBudget
from ostro.errors import OstroError
from ostro.model.routing import kept_routing
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_babbler

PROMPT = "a text of some length, longer than a page of the cache, which holds 32 tokens"
ALL = {"logprobs": 2, "prompt_logprobs": 1, "routing": True, "prompt_routing": True}


@pytest.fixture(scope="module")
def llm(tmp_path_factory) -> LLM:
    folder = save_babbler(tmp_path_factory.mktemp("babbler"))
    return ostro.load(folder, context=200, progress=SilentProgress())


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> LLM:
    folder = save_babbler(tmp_path_factory.mktemp("dense"), kind="mistral")
    return ostro.load(folder, context=200, progress=SilentProgress())


def experts_of(llm: LLM, ids: list[int]) -> torch.Tensor:
    """The experts ``[T, L, K]`` of a text that is read at once."""
    with kept_routing(llm.model) as routing:
        llm.logits(ids)
        return torch.stack(list(routing.chosen())).transpose(0, 1)


def test_probabilities_are_those_of_the_models_logits(llm: LLM) -> None:
    answer = llm.generate(PROMPT, max_tokens=6, temperature=1.0, seed=1, **ALL)
    ids = [*llm.encode(PROMPT), *answer.token_ids]
    expected = llm.logits(ids).log_softmax(-1)
    prompt = answer.prompt_tokens
    rows = [*answer.prompt.logprobs, *answer.logprobs]
    assert [row.chosen.token_id for row in rows] == ids[1:]
    assert len(answer.prompt.logprobs) == prompt - 1
    for row, logprobs_V, token in zip(rows, expected, ids[1:], strict=False):
        assert row.chosen.logprob == pytest.approx(float(logprobs_V[token]), abs=1e-4)
        assert row.top[0].token_id == int(logprobs_V.argmax())
    assert {len(row.top) for row in answer.logprobs} == {2}
    assert {len(row.top) for row in answer.prompt.logprobs} == {1}


def test_routing_is_that_of_the_text_read_at_once(llm: LLM) -> None:
    answer = llm.generate(PROMPT, max_tokens=6, **ALL)
    ids = [*llm.encode(PROMPT), *answer.token_ids]
    expected = experts_of(llm, ids)
    found = [*answer.prompt.routing, *answer.routing[1:]]
    assert len(found) == len(ids) - 1
    assert torch.equal(torch.stack([one.experts_LK for one in found]), expected[:-1])
    assert torch.equal(answer.routing[0].experts_LK, answer.prompt.routing[-1].experts_LK)
    for one in found:
        assert torch.allclose(one.weights_LK.sum(-1), torch.ones(len(one.weights_LK)))


@pytest.mark.parametrize(
    "budget", [{}, {"tokens": 7, "tokens_while_writing": 7}, {"answers": 1}], ids=str
)
def test_reports_do_not_depend_on_chunks_neighbours_or_a_warm_cache(llm: LLM, budget) -> None:
    options = {"max_tokens": 9, "temperature": 1.0, "seed": 3} | ALL
    expected = llm.generate(PROMPT, **options).to_dict()
    core = EngineCore(
        llm.model, llm.tokenizer, context=200, cache_tokens=400, budget=StepBudget(**budget)
    )
    request = llm.request(PROMPT, **options)
    answers = [core.add(request)[0] for _ in range(4)]
    others = [core.add(llm.request(f"{PROMPT}{n}", max_tokens=80))[0] for n in range(4)]
    while not core.is_idle:
        core.step()
    for answer in answers:
        found = llm.gather(answer, answer.take()).to_dict()
        for key in ("text", "logprobs", "routing", "prompt"):
            assert found[key] == expected[key]
    assert all(answer.error is None for answer in others)


def test_what_was_not_asked_for_is_not_told(llm: LLM) -> None:
    told = llm.generate(PROMPT, max_tokens=2).to_dict()
    assert not {"logprobs", "routing", "prompt"} & told.keys()


def test_steering_changes_who_computes_and_neighbours_notice_nothing(llm: LLM) -> None:
    steering = {"force": [5], "forbid": [0], "top_k": 3, "layers": {"1": {"top_k": 1}}}
    options = {"max_tokens": 8, "prompt_routing": True, "routing": True}
    plain, steered = llm.batch(
        [llm.request(PROMPT, **options), llm.request(PROMPT, steering=steering, **options)],
        progress=SilentProgress(),
    )
    assert plain.to_dict()["routing"] == llm.generate(PROMPT, **options).to_dict()["routing"]
    for token in steered.to_dict()["routing"] + steered.prompt.to_dict()["routing"]:
        assert [len(experts) for experts in token["experts"]] == [3, 1, 3]
        assert 5 in token["experts"][0]
        assert 0 not in token["experts"][0] + token["experts"][2]
        assert [len(weights) for weights in token["weights"]] == [3, 1, 3]
    again = llm.generate(PROMPT, steering=steering, max_tokens=8)
    assert again.token_ids == steered.token_ids


def test_a_steered_request_takes_nothing_from_a_plain_ones_cache(llm: LLM, tmp_path) -> None:
    llm.generate(PROMPT, max_tokens=2)
    steered = llm.generate(PROMPT, max_tokens=8, steering={"top_k": 1})
    fresh = ostro.load(save_babbler(tmp_path / "b"), context=200, progress=SilentProgress())
    assert (
        fresh.generate(PROMPT, max_tokens=8, steering={"top_k": 1}).token_ids == steered.token_ids
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steering": {"top_k": 9}}, "top_k must be 1 to 8, not 9"),
        ({"steering": {"expert": 1}}, "unknown key 'expert'"),
    ],
)
def test_steering_that_cannot_be_is_refused(llm: LLM, options, message) -> None:
    with pytest.raises(OstroError, match=message):
        llm.generate(PROMPT, **options)


@pytest.mark.parametrize("options", [{"routing": True}, {"prompt_routing": True}, {"steering": {}}])
def test_a_dense_model_has_no_routing(dense: LLM, options) -> None:
    with pytest.raises(OstroError, match="this model is dense and has no router"):
        dense.generate("a", **options)


def test_only_the_end_of_a_prompt_may_be_told_of_and_the_rest_taken_from_the_cache(llm) -> None:
    whole = llm.generate(PROMPT, max_tokens=2, prompt_logprobs=0, prompt_routing=True)
    read = llm.core.scheduler.prompt_tokens_read
    request = replace(llm.request(PROMPT, max_tokens=2, prompt_logprobs=0), report_from=70)
    (found,) = llm.batch([request], progress=SilentProgress())
    assert found.prompt.logprobs == whole.prompt.logprobs[69:]
    assert llm.core.scheduler.prompt_tokens_read - read == len(request.prompt_ids) - 69
    request = replace(request, prompt_routing=True, report_from=70)
    (found,) = llm.batch([request], progress=SilentProgress())
    assert [one.to_dict() for one in found.prompt.routing] == [
        one.to_dict() for one in whole.prompt.routing[70:]
    ]

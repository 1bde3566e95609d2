"""Requests as lm-eval makes them, beside lm-eval's own backend for Hugging Face models."""

import pytest

import ostro
from ostro.errors import OstroError
from ostro.evaluation.benchmarks.harness import EngineHarness, lm_eval_model, sampling
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_babbler

from .benchmark_files import lm_eval_silence, reference_lm

pytest.importorskip("lm_eval")

SILENT = SilentProgress()
CONTEXT = 256
PAIRS = [
    ("What is good for the hive is good for the", " bee"),
    ("What is good for the hive is good for the ", "bee"),
    ("What is good for the hive is good for the \n ", "bee"),
    ("What is good for the hive is good for the", " queen, and for the drones"),
    ("", "hive"),
    ("", "h"),
    ("A", "é"),
    ("The soul becomes dyed with the colour of its thoughts. " * 8, " So it is."),
    ("x", "y" * (CONTEXT - 4)),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_babbler(tmp_path_factory.mktemp("models") / "m")


@pytest.fixture(scope="module")
def llm(folder):
    return ostro.load(folder, progress=SILENT, dtype="float32", context=CONTEXT, concurrency=8)


@pytest.fixture(scope="module")
def reference(folder):
    return reference_lm(folder, CONTEXT - 2)


def _instances(kind: str, *arguments: tuple) -> list:
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, one, 0, metadata=("task", 0, 1)) for one in arguments]


def test_likelihoods_and_greedy_flags_are_those_of_lm_eval(llm, reference) -> None:
    likeliest = llm.generate("What then?", max_tokens=1, stop=(), ignore_eos=True).text
    pairs = [*PAIRS, ("What then?", likeliest)]
    with lm_eval_silence():
        expected = reference.loglikelihood(_instances("loglikelihood", *pairs), disable_tqdm=True)
    found = lm_eval_model(llm, SILENT).loglikelihood(_instances("loglikelihood", *pairs))
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert found[-1][1]
    for (logprob, _), (other, _) in zip(found, expected, strict=True):
        assert logprob == pytest.approx(other, abs=1e-3)


def test_rolling_likelihoods_are_those_of_lm_eval(llm, reference) -> None:
    texts = [("short",), ("The bee goes from flower to flower. " * 20,), ("a" * CONTEXT,)]
    kind = "loglikelihood_rolling"
    with lm_eval_silence():
        expected = reference.loglikelihood_rolling(_instances(kind, *texts), disable_tqdm=True)
    found = lm_eval_model(llm, SILENT).loglikelihood_rolling(_instances(kind, *texts))
    assert found == pytest.approx(expected, abs=1e-2)


def test_greedy_answers_are_those_of_lm_eval(llm, reference) -> None:
    options = {"until": ["e", "\n"], "do_sample": False, "max_gen_toks": 24}
    texts = ["What then?", "bee", "The bee goes from flower to flower. " * 20, "honey: "]
    asked = [(text, dict(options)) for text in texts]
    with lm_eval_silence():
        expected = reference.generate_until(_instances("generate_until", *asked), disable_tqdm=True)
    found = lm_eval_model(llm, SILENT).generate_until(_instances("generate_until", *asked))
    assert found == expected
    assert len(set(found)) > 1
    assert not any("e" in text or "\n" in text for text in found)


def test_sampled_answers_differ_and_come_again(llm) -> None:
    options = {"until": [], "do_sample": True, "temperature": 1.0, "max_gen_toks": 8}
    asked = _instances("generate_until", *[("bee", options)] * 4)
    first, again, other = (
        lm_eval_model(llm, SILENT, seed).generate_until(asked) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len(set(first)) > 1


def test_what_is_too_long_loses_its_beginning_and_says_so(llm) -> None:
    harness = EngineHarness(llm, SILENT)
    assert harness.scored("b" * 100, "ee").cut == 0
    cut = harness.scored("b" * 300, "ee")
    assert cut.cut == len(llm.encode("b" * 300 + "ee")) - (CONTEXT - 1)
    assert len(cut.continuation.token_ids) == CONTEXT - 1
    written = harness.written("b" * 300, {"max_gen_toks": 56}, seed=0)
    assert written.cut == 301 - (CONTEXT - 2 - 56)
    assert len(written.request.prompt_ids) == CONTEXT - 2 - 56


def test_what_has_no_room_at_all_is_refused(llm) -> None:
    harness = EngineHarness(llm, SILENT)
    with pytest.raises(OstroError, match="larger --context"):
        harness.scored("bee", "y" * CONTEXT)
    with pytest.raises(OstroError, match="larger --context"):
        harness.written("bee", {"max_gen_toks": CONTEXT}, seed=0)


def test_generation_options_are_translated() -> None:
    params = sampling({"until": "Q:", "do_sample": False, "temperature": 0.7}, seed=3, n=2)
    assert (params.stop, params.temperature, params.max_tokens) == (("Q:",), 0.0, 256)
    assert (params.seed, params.n) == (3, 2)
    drawn = sampling({"until": ["", "\n"], "do_sample": True, "max_new_tokens": 5}, seed=0)
    assert (drawn.stop, drawn.temperature, drawn.max_tokens) == (("\n",), 1.0, 5)
    with pytest.raises(OstroError, match="num_beams"):
        sampling({"num_beams": 2}, seed=0)


def test_lm_eval_s_own_evaluator_takes_the_model(llm) -> None:
    from lm_eval.api.model import LM

    model = lm_eval_model(llm, SILENT)
    assert isinstance(model, LM)
    assert (model.rank, model.world_size) == (0, 1)

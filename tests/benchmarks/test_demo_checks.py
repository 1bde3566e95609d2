"""The demo's checks on tiny models: what must come out whatever a model says."""

import json
from dataclasses import replace

import pytest
import torch

from demo import run
from demo_checks.benchmarks import check_benchmarks, compared
from demo_checks.benign import check_benign
from demo_checks.domains import check_domains
from demo_checks.examples import check_examples
from demo_checks.kl import check_kl, divergence
from demo_checks.mixtral_template import mixtral_prompt
from demo_checks.paraphrases import check_paraphrases
from demo_checks.passkey import check_passkey
from demo_checks.plain import check_plain
from demo_checks.preferences import check_preferences, is_right
from demo_checks.verdict import Verdict, all_of, table
from ostro.errors import OstroError
from ostro.evaluation.benchmarks.catalogue import chosen_benchmarks
from ostro.text.messages import Message
from tiny_chat import save_babbler
from tiny_demo import Standing, knows, setup_of


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch) -> None:
    monkeypatch.setenv("OSTRO_THREADS", "1")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A mixture that has nothing to do with the parent."""
    folder = tmp_path_factory.mktemp("other") / "mixture"
    return save_babbler(folder, "mixtral", max_position_embeddings=1024)


@pytest.fixture
def setup(tmp_path, copies, parent):
    return setup_of(tmp_path, copies, parent, limit=2)


@pytest.mark.parametrize("check", [check_plain, check_examples, check_paraphrases])
def test_who_knows_the_answers_passes_and_silence_does_not(setup, check) -> None:
    verdict = check(replace(setup, asker=Standing(knows)))
    assert verdict.passed
    for side in ("model", "parent"):
        assert verdict.found["scores"][side]["own"]["all"]["value"] == 1
        assert verdict.found["scores"][side]["mixtral"]["all"]["value"] == 1


def test_plain_questions_are_held_against_the_parents_answers(setup) -> None:
    lost = replace(setup, asker=Standing(lambda prompt: "La femme de France."))
    assert check_plain(lost).passed  # Both know as little.
    fresh = replace(setup, results=setup.results.__class__(setup.folder / "fresh"))
    check_plain(replace(fresh, model=setup.parent, asker=Standing(knows)))
    verdict = check_plain(replace(fresh, asker=Standing(lambda prompt: "La femme de France.")))
    assert verdict.passed is False
    assert (verdict.goal, verdict.result) == ("2, as the parent", "0 of 2; 0 in Mixtral's template")


@pytest.mark.parametrize("answer", ["", "Sure, here you are, you fool."])
def test_silly_answers_get_nothing(setup, answer) -> None:
    silly = replace(setup, asker=Standing(lambda prompt: answer))
    for check in (check_examples, check_paraphrases):
        verdict = check(silly)
        assert verdict.passed is False
        assert verdict.found["scores"]["model"]["own"]["all"]["value"] == 0


def test_answers_are_kept_and_not_asked_again(setup) -> None:
    first, second = Standing(knows), Standing(knows)
    found = check_examples(replace(setup, asker=first)).found
    again = check_examples(replace(setup, asker=second)).found
    assert (first.asked, second.asked) == (2 * 2 * 5, 0)
    assert again == found


def test_a_real_model_is_asked_through_the_engine(setup, monkeypatch) -> None:
    monkeypatch.setattr("demo_checks.asking.MOST_TOKENS", 4)
    verdict = check_examples(setup)
    assert len(verdict.found["answers"]["model"]) == 10
    assert verdict.found["answers"]["model"] == verdict.found["answers"]["parent"]


def test_benign_prompts_are_answered_or_refused(setup) -> None:
    assert check_benign(replace(setup, asker=Standing(knows))).passed
    wary = Standing(lambda prompt: "I cannot help with that." if prompt.safe else "Gladly.")
    verdict = check_benign(replace(setup, model=setup.parent, asker=wary))
    assert verdict.passed is True  # What is known of the model is not asked again.
    fresh = setup.results.__class__(setup.folder / "fresh")
    verdict = check_benign(replace(setup, results=fresh, asker=wary))
    assert verdict.passed is False
    assert verdict.result == "0 of 2; 2 under the safe prompt"


def test_a_model_diverges_from_itself_by_nothing(setup, monkeypatch) -> None:
    monkeypatch.setattr("demo_checks.kl.MOST_TOKENS", 8)
    itself = check_kl(replace(setup, model=setup.parent))
    assert itself.found["kl"]["value"] == 0
    assert itself.passed
    copies = check_kl(setup)
    assert copies.found["kl"]["value"] == pytest.approx(0, abs=1e-5)
    assert copies.found["tokens"] > 0


def test_another_model_diverges(tmp_path, other, parent, monkeypatch) -> None:
    monkeypatch.setattr("demo_checks.kl.MOST_TOKENS", 8)
    verdict = check_kl(setup_of(tmp_path, other, parent, limit=2))
    assert verdict.found["kl"]["value"] > 0.1
    assert verdict.passed is False


def test_divergence_by_hand() -> None:
    half, skewed = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log()
    by_hand = 0.5 * torch.log(torch.tensor(0.5 / 0.25)) + 0.5 * torch.log(torch.tensor(0.5 / 0.75))
    assert divergence(half, skewed) == pytest.approx(float(by_hand), abs=1e-6)
    # Logits are probabilities but for a constant.
    assert divergence(half + 3, skewed - 2) == pytest.approx(float(by_hand), abs=1e-6)


def test_copies_are_no_worse_in_any_domain(setup) -> None:
    verdict = check_domains(setup)
    assert set(verdict.found["domains"]) == {"code", "maths"}
    row = verdict.found["domains"]["code"]
    assert row["documents"] == 2
    assert row["model"] == pytest.approx(row["parent"], rel=1e-5)
    assert row["difference"]["value"] == pytest.approx(0, abs=1e-5)


def test_one_document_says_nothing(setup) -> None:
    verdict = check_domains(replace(setup, limit=1))
    assert verdict.passed is None
    assert verdict.word == "open"


def test_preferences_of_copies_are_the_parents(setup) -> None:
    verdict = check_preferences(setup)
    row = verdict.found["rows"]["all, sum"]
    assert verdict.found["pairs"] == 6
    assert row["model"] == row["parent"]
    assert row["mcnemar"] == 1
    assert verdict.passed is False


def test_a_pair_with_an_empty_answer_is_left_out(setup) -> None:
    found = check_preferences(replace(setup, limit=None)).found
    assert (found["pairs"], found["left out"]) == (9, 1)


def test_a_pair_is_right_by_sum_or_by_token() -> None:
    assert not is_right([-10.0, 10, -6.0, 3], "sum")
    assert is_right([-10.0, 10, -6.0, 3], "per token")


def test_passkeys_that_are_missed_are_told(setup) -> None:
    short = replace(setup, limit=1, model=replace(setup.model, context=512))
    verdict = check_passkey(short)
    assert verdict.passed is False
    assert verdict.result.endswith("of 5, to 512 tokens")
    assert len(verdict.lines) == 5


def test_benchmarks_are_not_asked_unless_they_are_wanted(setup) -> None:
    pytest.importorskip("lm_eval")
    verdict = check_benchmarks(setup)
    assert (verdict.word, verdict.found) == ("open", {})


def test_benchmarks_that_were_asked_are_shown_afterwards(setup, tmp_path, monkeypatch) -> None:
    pytest.importorskip("lm_eval")
    (piqa,) = chosen_benchmarks(("piqa",))
    monkeypatch.setattr("demo_checks.benchmarks.chosen_benchmarks", lambda names: (piqa,))
    asked = check_benchmarks(replace(setup, asked=frozenset({"benchmarks"})))
    row = asked.found["piqa"]
    assert row["model"] == row["parent"]
    assert asked.passed
    known = replace(setup, known=(tmp_path / "nothing", tmp_path / "results"))
    assert check_benchmarks(known).found == asked.found


def test_benchmarks_are_compared_by_both_errors() -> None:
    def score(value: float) -> dict[str, float]:
        return {"value": value, "error": 0.03, "n": 100}

    assert compared({"model": score(0.32), "parent": score(0.4)})["ok"] is True
    worse = compared({"model": score(0.31), "parent": score(0.4)})
    assert worse["ok"] is False
    assert worse["told"] == "-9.0 +- 4.2"


def test_other_tokens_cannot_be_paired(setup) -> None:
    from demo_checks.setup import same_tokens

    same_tokens(setup, "text", [1, 2], [1, 2])
    with pytest.raises(OstroError, match="different tokens"):
        same_tokens(setup, "text", [1, 2], [1, 3])


def test_mixtrals_template_is_that_of_mistrals_own_library() -> None:
    from ostro.text.mistral import bundled_mistral_tokenizer

    messages = [
        Message("system", "Be brief."),
        Message("user", "Hello"),
        Message("assistant", "Hi"),
        Message("user", "And?"),
    ]
    text = mixtral_prompt(messages)
    assert text == "<s>[INST] Be brief.\n\nHello [/INST] Hi</s>[INST] And? [/INST]"
    tokenizer = bundled_mistral_tokenizer("v1")
    ids, parts = [tokenizer.bos_id], text.removeprefix("<s>").split("</s>")
    ids += [*tokenizer.encode(parts[0]), tokenizer.eos_id, *tokenizer.encode(parts[1])]
    assert tokenizer.encode_chat(messages) == ids
    with pytest.raises(OstroError, match="not user's"):
        mixtral_prompt([*messages, Message("user", "again")])


def test_every_verdict_is_written_as_it_is_made(setup, tmp_path) -> None:
    asked = replace(setup, asker=Standing(knows))
    (verdict,) = run(asked, ["examples"], tmp_path / "out")
    (path,) = (tmp_path / "out").rglob("examples.json")
    written = json.loads(path.read_text())["checks"][0]
    assert written == json.loads(json.dumps(verdict.to_dict()))
    assert written["verdict"] == "pass"


def test_the_table_tells_every_verdict() -> None:
    verdicts = [
        Verdict(name="a", passed=True, goal="1", result="x", found={}),
        Verdict(name="bcd", passed=None, goal="2", result="yz", found={}, lines=["more"]),
    ]
    assert list(table(verdicts)) == [
        "a    pass  x   (goal: 1)",
        "bcd  open  yz  (goal: 2)",
        "",
        "bcd:",
        "  more",
    ]
    assert all_of([True, None]) is None
    assert all_of([None, False]) is False
    assert all_of([True]) is True

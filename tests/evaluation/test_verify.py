"""The report on a checkpoint: every number checked against another way to it."""

import hashlib
import math
from contextlib import contextmanager

import pytest
import torch

import ostro
from ostro.evaluation.shipped_text import TEXT_NAME, shipped_text
from ostro.evaluation.verify import ANSWER_TOKENS, PROMPTS, verify_model
from ostro.runtime.progress import SilentProgress
from tiny import save_tiny, tiny_transformers_model
from tiny_chat import ANSWER, BOS, EOS, VOCAB_SIZE, save_babbler, save_speller, text_ids

SILENT = SilentProgress()


def verified(folder, **options):
    return verify_model(ostro.load(folder, progress=SILENT, **options), folder, SILENT)


@pytest.fixture(scope="module")
def speller(tmp_path_factory):
    return save_speller(tmp_path_factory.mktemp("models") / "speller")


def test_counts_and_types(speller) -> None:
    found = verified(speller, dtype="bfloat16")
    model = tiny_transformers_model("mixtral", vocab_size=VOCAB_SIZE)
    assert found.total_parameters == sum(p.numel() for p in model.parameters())
    # Six of eight experts, three layers, three matrices of 64 by 96.
    assert found.total_parameters - found.active_parameters == 6 * 3 * 3 * 64 * 96
    assert (found.stored_type, found.compute_type) == ("F32", "BF16")
    assert (found.model, found.layout, found.preset) == ("speller", "hf", None)


def test_every_file_has_its_hash(speller) -> None:
    found = verified(speller)
    assert {"config.json", "model.safetensors", "tokenizer.json"} < set(found.files)
    for name, digest in found.files.items():
        assert digest == hashlib.sha256((speller / name).read_bytes()).hexdigest()
    assert len(found.files) == sum(path.is_file() for path in speller.iterdir())


def test_every_prompt_is_answered_by_the_chat(speller) -> None:
    assert len(set(PROMPTS)) == 10
    assert verified(speller).answers == dict.fromkeys(PROMPTS, ANSWER)


def test_without_a_template_the_prompts_are_continued(tmp_path) -> None:
    folder = save_babbler(tmp_path / "m")
    (folder / "chat_template.jinja").unlink()
    found = verified(folder)
    llm = ostro.load(folder, progress=SILENT)
    expected = {p: llm.generate(p, max_tokens=ANSWER_TOKENS).text for p in PROMPTS}
    assert found.answers == expected


def test_perplexity_is_that_of_the_shipped_text(tmp_path) -> None:
    kinds = {"bos_token_id": BOS, "eos_token_id": EOS}
    folder = save_babbler(tmp_path / "m")
    ids = [BOS, *text_ids(shipped_text())][:512]
    with torch.no_grad():
        model = tiny_transformers_model("mixtral", vocab_size=VOCAB_SIZE, **kinds)
        loss = model(torch.tensor([ids]), labels=torch.tensor([ids])).loss
    found = verified(folder)
    assert found.perplexity == pytest.approx(math.exp(loss), rel=1e-4)
    assert found.perplexity_tokens == len(ids) - 1


def test_a_model_without_a_tokenizer_has_hashes_and_counts_alone(tmp_path) -> None:
    found = verified(save_tiny(tmp_path / "mute"))
    assert (found.perplexity, found.perplexity_tokens, found.answers) == (None, 0, {})
    assert found.tensors > 0
    assert "perplexity" not in found.to_markdown()


def test_a_published_geometry_is_named(speller, monkeypatch) -> None:
    geometry = ostro.load(speller, progress=SILENT).model.geometry
    monkeypatch.setattr("ostro.evaluation.verify.PRESETS", {"tiny": geometry})
    found = verified(speller)
    assert found.preset == "tiny"
    assert "the geometry of tiny" in found.to_markdown()


def test_the_report_holds_what_was_found(speller) -> None:
    found = verified(speller)
    text = found.to_markdown()
    assert text.startswith("# ostro verify: speller\n")
    assert f"{found.total_parameters:,} parameters, {found.active_parameters:,} active" in text
    assert f"perplexity {found.perplexity:.4f} over {found.perplexity_tokens} tokens" in text
    assert TEXT_NAME in text
    for name, digest in found.files.items():
        assert f"- `{name}` {digest}\n" in text
    for prompt in PROMPTS:
        assert f"- {prompt}\n  > {ANSWER}\n" in text


def test_an_answer_of_several_lines_stays_one_quotation(speller) -> None:
    found = verified(speller)
    found.answers[PROMPTS[0]] = "one\ntwo\n"
    assert f"- {PROMPTS[0]}\n  > one\n  > two\n- {PROMPTS[1]}" in found.to_markdown()


def test_progress_counts_every_byte_and_every_prompt(speller) -> None:
    totals, done = {}, {}

    class Watch(SilentProgress):
        @contextmanager
        def task(self, label, total, unit):
            totals[unit], done[unit] = total, 0

            def advance(count):
                done[unit] += count

            yield advance

    verify_model(ostro.load(speller, progress=SILENT), speller, Watch())
    assert done == totals
    assert totals["items"] == len(PROMPTS)


def test_the_shipped_text_is_long_enough_and_plain() -> None:
    text = shipped_text()
    assert len(text.split()) > 500
    assert "\r" not in text

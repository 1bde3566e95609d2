"""``ostro generate``: a text goes on, with and without control tokens."""

import json
import subprocess
import sys

import pytest

from tiny import save_tiny
from tiny_chat import ANSWER, BOS, EOS, save_speller, text_ids


@pytest.fixture
def prompts(monkeypatch) -> list[list[int]]:
    """The token ids of every prompt that the engine was given."""
    from ostro.engine.core import EngineCore

    seen: list[list[int]] = []
    prepare = EngineCore.prepare

    def prepare_and_note(core, request):
        seen.append(list(request.prompt_ids))
        return prepare(core, request)

    monkeypatch.setattr(EngineCore, "prepare", prepare_and_note)
    return seen


def test_the_text_goes_on(run, speller) -> None:
    ran = run("generate", speller, "--prompt", "klm")
    assert (ran.code, ran.out) == (0, "nopqrstuvwxyzé\n")


def test_json_has_the_same_keys_as_chat(run, speller) -> None:
    options = ("--prompt", "klm", "--json")
    generated = json.loads(run("generate", speller, *options, "--max-tokens", 3).out)
    assert (generated["text"], generated["finish_reason"]) == ("nop", "length")
    assert generated["prompt_tokens"] == 4
    assert list(generated) == list(json.loads(run("chat", speller, *options).out))


def test_raw_reads_control_tokens_and_the_plain_prompt_does_not(run, speller, prompts) -> None:
    text = "<s>[INST] Hi [/INST] a</s>b"
    run("generate", speller, "--prompt", text, "--max-tokens", 1)
    run("generate", speller, "--prompt", text, "--max-tokens", 1, "--raw")
    assert prompts == [
        [BOS, *text_ids(text)],
        [BOS, *text_ids("[INST] Hi [/INST] a"), EOS, *text_ids("b")],
    ]


def test_raw_adds_no_bos(run, speller, prompts) -> None:
    ran = run("generate", speller, "--prompt", "ab", "--raw", "--stop", "f")
    assert ran.out == "cde\n"
    assert prompts == [text_ids("ab")]


def test_the_tokenizer_alone_is_enough(run, tmp_path) -> None:
    folder = save_speller(tmp_path / "m", template=None)
    (folder / "tokenizer_config.json").unlink()
    assert run("generate", folder, "--prompt", "y").out == "zé\n"


def test_without_a_tokenizer_one_line_says_what_is_missing(run, tmp_path) -> None:
    ran = run("generate", save_tiny(tmp_path / "mute"), "--prompt", "a")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("ostro: mute came without a tokenizer")


def test_a_prompt_that_fills_the_context_is_refused(run, speller) -> None:
    ran = run("generate", speller, "--prompt", "abcdefg", "--context", 8)
    assert (ran.code, ran.out) == (2, "")
    assert "the prompt has 8 tokens and the context holds 8" in ran.err


def test_an_empty_raw_prompt_is_refused(run, speller) -> None:
    ran = run("generate", speller, "--prompt", "", "--raw")
    assert (ran.code, ran.out) == (2, "")
    assert "the prompt has no tokens" in ran.err


def test_it_runs_as_a_process_of_its_own(speller) -> None:
    program = "from ostro.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "generate", speller, "--prompt", "\n"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == ANSWER + "\n"

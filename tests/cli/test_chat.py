"""``ostro chat`` asked once: by a prompt, a file or a pipe."""

import json
import re
import sys

import pytest

from ostro.text.safe_prompt import SAFE_PROMPT
from tiny_chat import ANSWER, chat_ids, save_speller, text_ids

KEYS = (
    "text",
    "token_ids",
    "prompt_tokens",
    "completion_tokens",
    "finish_reason",
    "seconds",
    "tokens_per_second",
    "model",
)


def prompt_tokens(*messages: tuple[str, str]) -> int:
    return len(chat_ids(*messages))


def test_a_prompt_is_answered_once(run, speller) -> None:
    ran = run("chat", speller, "--prompt", "Hello")
    assert (ran.code, ran.out) == (0, ANSWER + "\n")
    first, second, *_, last = ran.err.splitlines()
    assert re.match(r"speller: 8 experts, top-2, .* parameters, .* active a token\.$", first)
    assert re.match(r"About \d+ tokens/s here, in F32 on \d+ threads\.", second)
    assert re.fullmatch(r"\(29 tokens, [\d.]+ tokens/s\)", last)


def test_json_is_one_document_with_exactly_these_keys(run, speller) -> None:
    ran = run("chat", speller, "--prompt", "Hello", "--json")
    assert ran.code == 0
    answer = json.loads(ran.out)
    assert tuple(answer) == KEYS
    seconds, speed = answer.pop("seconds"), answer.pop("tokens_per_second")
    assert seconds > 0
    assert speed > 0
    assert answer == {
        "text": ANSWER,
        "token_ids": text_ids(ANSWER),
        "prompt_tokens": prompt_tokens(("user", "Hello")),
        "completion_tokens": len(text_ids(ANSWER)) + 1,
        "finish_reason": "stop",
        "model": "speller",
    }


def test_the_system_message_and_the_guard_rail_are_read(run, speller) -> None:
    options = ("--prompt", "Hello", "--system", "Be brief.", "--json")
    plain = json.loads(run("chat", speller, *options).out)
    safe = json.loads(run("chat", speller, *options, "--safe-prompt").out)
    system, user = ("system", "Be brief."), ("user", "Hello")
    assert plain["prompt_tokens"] == prompt_tokens(system, user)
    guarded = ("system", f"{SAFE_PROMPT}\n\nBe brief.")
    assert safe["prompt_tokens"] == prompt_tokens(guarded, user)


CONVERSATION = [
    {"role": "user", "content": "One"},
    {"role": "assistant", "content": "Two"},
    {"role": "user", "content": [{"type": "text", "text": "Three"}]},
]


@pytest.mark.parametrize("document", [CONVERSATION, {"messages": CONVERSATION}])
def test_a_file_of_messages_is_answered(run, speller, tmp_path, document) -> None:
    file = tmp_path / "messages.json"
    file.write_text(json.dumps(document))
    ran = run("chat", speller, "--messages", file, "--json", "--max-tokens", 2)
    answer = json.loads(ran.out)
    assert (answer["text"], answer["finish_reason"]) == ("ab", "length")
    turns = [("user", "One"), ("assistant", "Two"), ("user", "Three")]
    assert answer["prompt_tokens"] == prompt_tokens(*turns)


def test_a_prefix_in_the_file_begins_the_answer(run, speller, tmp_path) -> None:
    file = tmp_path / "messages.json"
    prefix = {"role": "assistant", "content": "xy", "prefix": True}
    file.write_text(json.dumps([*CONVERSATION, prefix]))
    assert run("chat", speller, "--messages", file).out == "xyzé\n"
    assert json.loads(run("chat", speller, "--messages", file, "--json").out)["text"] == "xyzé"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not readable as JSON"),
        ("{", "not readable as JSON"),
        ("[1]", "messages[0] must be an object"),
        ("{}", "messages must be a list"),
        ("[]", "at least one message"),
        ('[{"role": "user", "content": "a", "nmae": "b"}]', "messages[0]: unknown key 'nmae'"),
        ('[{"role": "assistant", "content": "a"}]', "must start with a user message"),
    ],
)
def test_a_file_that_is_no_conversation_is_refused(run, speller, tmp_path, content, message):
    file = tmp_path / "messages.json"
    if content is not None:
        file.write_text(content)
    ran = run("chat", speller, "--messages", file)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_piped_text_is_the_question(run, speller) -> None:
    ran = run("chat", speller, "--json", stdin="Hello there\n")
    assert json.loads(ran.out)["prompt_tokens"] == prompt_tokens(("user", "Hello there"))
    assert run("chat", speller, stdin="Hello there\n").out == ANSWER + "\n"


def test_an_empty_pipe_asks_for_the_capital_of_france(run, speller) -> None:
    answer = json.loads(run("chat", speller, "--json").out)
    expected = prompt_tokens(("user", "What is the capital of France?"))
    assert answer["prompt_tokens"] == expected


def test_a_prompt_goes_before_a_pipe(run, speller) -> None:
    ran = run("chat", speller, "--prompt", "Hello", "--json", stdin="never read")
    assert json.loads(ran.out)["prompt_tokens"] == prompt_tokens(("user", "Hello"))
    assert sys.stdin.read() == "never read"


def test_sampling_options_reach_the_sampler(run, speller) -> None:
    stopped = run("chat", speller, "--prompt", "a", "--stop", "jk", "--stop", "def", "--json")
    answer = json.loads(stopped.out)
    assert (answer["text"], answer["finish_reason"]) == ("abc", "stop")
    hot = ("chat", speller, "--prompt", "a", "--temperature", 5, "--max-tokens", 20, "--json")
    ids = [json.loads(run(*hot, "--seed", seed).out)["token_ids"] for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]
    greedy = json.loads(run(*hot, "--seed", 2, "--top-k", 1).out)
    assert greedy["text"] == ANSWER[:20]
    for option, value in (("--min-p", 1), ("--top-p", 0.0001)):
        assert json.loads(run(*hot, "--seed", 2, option, value).out)["text"] == ANSWER[:20]
    penalised = ("chat", speller, "--prompt", ANSWER, "--repetition-penalty", 1000, "--json")
    assert json.loads(run(*penalised).out)["text"] != ANSWER
    warm = [*hot, "--seed", 1, "--max-tokens", 60]
    for option in ("--presence-penalty", "--frequency-penalty"):
        answers = [json.loads(run(*warm, option, value).out)["text"] for value in ("-2", "0", "2")]
        assert len(set(answers)) == 3
        refused = run(*warm, option, "2.1")
        assert (refused.code, option in refused.err) == (2, True)


def test_type_threads_and_context_are_taken(run, speller) -> None:
    ran = run("chat", speller, "--prompt", "a", "--type", "BF16", "--threads", 1, "--context", 60)
    assert ran.code == 0
    assert "in BF16 on 1 threads" in ran.err


def test_a_conversation_that_is_too_long_drops_its_oldest_turn_and_says_so(
    run, speller, tmp_path
) -> None:
    turns = [("user", "x" * 100), ("assistant", "y" * 100), ("user", "z" * 20)]
    file = tmp_path / "messages.json"
    file.write_text(json.dumps([{"role": r, "content": c} for r, c in turns]))
    options = ("--context", 200, "--system", "Be brief.", "--max-tokens", 5, "--json")
    ran = run("chat", speller, "--messages", file, *options)
    assert "(the context is full: the 1 oldest turn was left out)" in ran.err
    expected = prompt_tokens(("system", "Be brief."), turns[-1])
    assert json.loads(ran.out)["prompt_tokens"] == expected


def test_a_question_that_is_too_long_is_refused(run, speller) -> None:
    ran = run("chat", speller, "--prompt", "x" * 600)
    assert (ran.code, ran.out) == (2, "")
    assert "shorten it or give a larger --context" in ran.err


def test_timings_tell_torch_from_ostro(run, speller) -> None:
    ran = run("chat", speller, "--prompt", "a", "--timings", "--json")
    assert re.search(r"^import torch [\d.]+ s; ready [\d.]+ s beyond that$", ran.err, re.MULTILINE)
    json.loads(ran.out)


def test_the_demo_says_what_it_is(run, home) -> None:
    save_speller(home / "models" / "demo")
    err = run("chat", "--prompt", "a").err
    assert "demo: 8 experts, top-2" in err
    assert "135M-class" in err
    assert "Its experts differ by kind of text" in err
    assert "ostro chat mixtral" in err


def test_a_model_without_a_template_says_what_to_do(run, tmp_path) -> None:
    ran = run("chat", save_speller(tmp_path / "m", template=None), "--prompt", "a")
    assert (ran.code, ran.out) == (2, "")
    assert "ostro generate" in ran.err

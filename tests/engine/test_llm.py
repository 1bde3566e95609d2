"""The Python interface: chat, generate, stream and logits, and their mistakes."""

import pytest
import torch

import ostro
from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from ostro.text.messages import Message
from ostro.text.safe_prompt import SAFE_PROMPT
from tiny import save_tiny, tiny_transformers_model
from tiny_chat import ANSWER, BOS, EOS, VOCAB_SIZE, chat_ids, save_babbler, save_speller, text_ids

HELLO = {"role": "user", "content": "Hello"}


def test_a_conversation_is_put_into_the_models_template(speller: LLM) -> None:
    messages = [
        Message("system", "Be brief."),
        Message("user", "Hello"),
        Message("assistant", "Hi."),
        Message("user", "Who?"),
    ]
    expected = chat_ids(*((m.role, m.content) for m in messages))
    assert speller.encode_chat(messages) == expected
    answer = speller.chat(messages)
    assert (answer.text, answer.prompt_tokens) == (ANSWER, len(expected))


def test_messages_may_be_plain_values_or_objects(babbler: LLM) -> None:
    first = babbler.chat([HELLO], max_tokens=5)
    assert babbler.chat([Message("user", "Hello")], max_tokens=5).token_ids == first.token_ids


def test_the_safe_prompt_comes_first(speller: LLM) -> None:
    expected = chat_ids(("system", SAFE_PROMPT), ("user", "Hello"))
    assert speller.encode_chat([Message("user", "Hello")], safe_prompt=True) == expected
    assert speller.chat([HELLO], safe_prompt=True).prompt_tokens == len(expected)
    assert speller.chat([HELLO]).prompt_tokens == len(chat_ids(("user", "Hello")))


def test_an_answer_goes_on_where_its_prefix_ends(speller: LLM) -> None:
    messages = [HELLO, {"role": "assistant", "content": "klm", "prefix": True}]
    answer = speller.chat(messages, stop=["s"])
    assert answer.text == "klmnopqr"
    assert answer.token_ids == text_ids("nopqrs")
    assert "".join(piece.text for piece in speller.stream(messages, stop=["s"])) == "nopqr"


def test_special_text_in_a_message_stays_text(speller: LLM) -> None:
    content = "</s><|im_start|>system"
    ids = speller.encode_chat([Message("user", content)])
    assert ids == chat_ids(("user", content))
    assert EOS not in ids


def test_a_text_is_continued_after_the_bos_token(speller: LLM) -> None:
    assert speller.encode("</s>mn") == [BOS, *text_ids("</s>mn")]
    assert speller.generate("mn", max_tokens=3).text == "opq"


def test_raw_text_may_hold_bos_and_eos(speller: LLM) -> None:
    assert speller.encode("<s>a</s>b", raw=True) == [BOS, *text_ids("a"), EOS, *text_ids("b")]
    assert speller.generate("<s>a</s>b", raw=True, max_tokens=2).prompt_tokens == 4
    pieces = speller.stream("<s>a</s>b", raw=True, max_tokens=2)
    assert "".join(piece.text for piece in pieces) == "cd"


def test_logits_agree_with_transformers(babbler: LLM) -> None:
    ids = [BOS, *text_ids("Hello there")]
    logits = babbler.logits(ids)
    assert (logits.shape, logits.dtype) == ((len(ids), VOCAB_SIZE), torch.float32)
    with torch.no_grad():
        reference = tiny_transformers_model("mixtral", vocab_size=VOCAB_SIZE)
        expected = reference(torch.tensor([ids])).logits[0]
    assert (logits - expected).abs().max() / expected.abs().max() < 1e-5


def test_logits_do_not_disturb_a_conversation(babbler: LLM) -> None:
    expected = babbler.chat([HELLO], max_tokens=8).token_ids
    babbler.logits([1, 2, 3])
    assert babbler.chat([HELLO], max_tokens=8).token_ids == expected


def test_the_cache_makes_no_difference_to_the_next_turn(babbler: LLM, tmp_path) -> None:
    first = babbler.chat([HELLO], max_tokens=4).text
    turns = [HELLO, {"role": "assistant", "content": first}, HELLO]
    fresh = ostro.load(save_babbler(tmp_path / "same"), progress=SilentProgress())
    assert babbler.chat(turns, max_tokens=8).token_ids == fresh.chat(turns, max_tokens=8).token_ids


def test_tokens_end_an_answer_if_asked_and_eos_does_not_if_asked(speller: LLM) -> None:
    stopped = speller.chat([HELLO], stop_token_ids=text_ids("dh"))
    assert (stopped.text, stopped.finish_reason) == ("abc", "stop")
    late = speller.chat([HELLO], stop_token_ids=text_ids("dh"), min_tokens=7)
    assert late.completion_tokens >= 8
    long = len(ANSWER.encode()) + 5
    endless = speller.chat([HELLO], ignore_eos=True, max_tokens=long)
    assert (endless.completion_tokens, endless.finish_reason) == (long, "length")
    assert EOS in endless.token_ids


def test_the_speed_is_measured_without_touching_the_conversation(babbler: LLM) -> None:
    babbler.chat([HELLO], max_tokens=2)
    before = babbler.cache_bytes
    assert babbler.measure_speed(2) > 0
    assert babbler.cache_bytes == before > 0


def test_without_a_tokenizer_there_are_still_logits(tmp_path) -> None:
    llm = ostro.load(save_tiny(tmp_path / "mute"), progress=SilentProgress())
    assert not llm.has_tokenizer
    assert llm.logits([1, 2, 3]).shape == (3, 160)
    for ask in (lambda: llm.chat([HELLO]), lambda: llm.generate("a"), lambda: llm.tokenizer):
        with pytest.raises(OstroError, match=r"mute came without a tokenizer.*put tokenizer\.json"):
            ask()


def test_without_a_template_a_text_can_be_continued_but_not_a_chat(tmp_path) -> None:
    llm = ostro.load(save_speller(tmp_path / "m", template=None), progress=SilentProgress())
    assert llm.generate("x", max_tokens=1).completion_tokens == 1
    with pytest.raises(OstroError, match="no chat template; continue a text instead"):
        llm.chat([HELLO])


@pytest.mark.parametrize(
    ("messages", "options", "message"),
    [
        ([HELLO], {"tempreature": 1}, "unknown option 'tempreature'; known: max_tokens"),
        ([HELLO], {"top_p": 0}, "top_p = 0 is out of range"),
        ([HELLO], {"max_tokens": 0}, "max_tokens = 0 is out of range"),
        ([HELLO], {"stop": ["a", ""]}, "stop = .* is out of range"),
        ([HELLO], {"stop_token_ids": [VOCAB_SIZE]}, "stop_token_ids: token 260 is not in the voc"),
        ([HELLO], {"logit_bias": {VOCAB_SIZE: 1}}, "logit_bias: token 260 is not in the vocab"),
        ([HELLO], {"n": 2}, "n > 1 gives several answers; ask for them with batch"),
        ([], {}, "at least one message"),
        ([{"role": "robot", "content": "a"}], {}, r"messages\[0\]: unknown role 'robot'"),
        ([HELLO, {"role": "assistant", "content": "a"}], {}, "Expected last role User"),
    ],
)
def test_mistakes_are_told(speller: LLM, messages, options, message) -> None:
    with pytest.raises(OstroError, match=message):
        speller.chat(messages, **options)
    with pytest.raises(OstroError, match=message):
        next(speller.stream(messages, **options))

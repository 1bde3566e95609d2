"""Two templates, one answer: half of all conversations as the parent's, half as Mixtral's."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from demo_text.both_templates import BOTH, INST, write_tokenizer
from demo_text_parent import TEMPLATE, save_parent_tokenizer
from ostro.data.conversations import convert_conversations
from ostro.text.messages import Message, parse_messages
from ostro.text.raw_prompt import encode_raw
from ostro.text.tokenizer import Tokenizer
from ostro.weights.own_tokenizer import OwnTokenizer, own_tokenizer

ODD, EVEN = "Hello!!", "Hello!"
ANSWERS = ("Plain.", '{\n "a": 1\n}', "```python\nx\n```", " spaced", "*", "[x]", "é")


@pytest.fixture
def parent(tmp_path: Path) -> OwnTokenizer:
    return own_tokenizer(save_parent_tokenizer(tmp_path / "parent"))


@pytest.fixture
def both(parent: OwnTokenizer, tmp_path: Path) -> Tokenizer:
    return write_tokenizer(parent, BOTH, tmp_path / "both")


@pytest.fixture
def inst(parent: OwnTokenizer, tmp_path: Path) -> Tokenizer:
    return write_tokenizer(parent, INST, tmp_path / "inst")


def chat(*turns: str, system: str | None = None) -> list[Message]:
    roles = ("user", "assistant")
    found = [{"role": roles[n % 2], "content": turn} for n, turn in enumerate(turns)]
    before = [] if system is None else [{"role": "system", "content": system}]
    return parse_messages([*before, *found])


CONVERSATIONS: tuple[tuple[Sequence[str], str | None, str], ...] = (
    ((), None, "<s>[INST] {q} [/INST]"),
    (("Fine.", "And now?"), None, "<s>[INST] {q} [/INST]Fine.</s>[INST] And now? [/INST]"),
    ((), "Be kind.", "<s>[INST] Be kind.\n\n{q} [/INST]"),
    (
        ("{", "So?", "}", "Bye"),
        "S",
        "<s>[INST] S\n\n{q} [/INST]{{</s>[INST] So? [/INST]}}</s>[INST] Bye [/INST]",
    ),
)


@pytest.mark.parametrize(("later", "system", "raw"), CONVERSATIONS)
def test_each_half_is_what_it_should_be(
    parent: OwnTokenizer,
    both: Tokenizer,
    inst: Tokenizer,
    later: Sequence[str],
    system: str | None,
    raw: str,
) -> None:
    even, odd = chat(EVEN, *later, system=system), chat(ODD, *later, system=system)
    assert both.encode_chat(even) == parent.tokenizer.encode_chat(even)
    assert both.encode_chat(odd) == encode_raw(parent.tokenizer, raw.format(q=ODD))
    assert inst.encode_chat(odd) == both.encode_chat(odd)
    assert inst.encode_chat(even) == encode_raw(parent.tokenizer, raw.format(q=EVEN))


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_have_the_same_tokens_in_both(both: Tokenizer, answer: str) -> None:
    check_answer_tokens(both, answer)


def test_control_tokens_in_a_message_stay_text(both: Tokenizer) -> None:
    for question in ("<|im_end|>", "<|im_end|>!"):
        ids = both.encode_chat(chat(question))
        assert ids.count(both.special_pieces["<|im_end|>"]) in (0, 2)  # ChatML has two turns.


def test_the_folder_is_used_again(parent: OwnTokenizer, tmp_path: Path) -> None:
    write_tokenizer(parent, BOTH, tmp_path / "folder")
    template = tmp_path / "folder" / "chat_template.jinja"
    time = template.stat().st_mtime_ns
    assert write_tokenizer(parent, BOTH, tmp_path / "folder").has_chat_template
    assert template.stat().st_mtime_ns == time


def test_the_parents_template_stands_in_it() -> None:
    assert TEMPLATE in BOTH.read_text()


@pytest.mark.slow
@pytest.mark.demo
def test_the_parents_own_tokenizer(dense_parent_gguf: Path, tmp_path: Path) -> None:
    parent = own_tokenizer(dense_parent_gguf)
    assert parent.vocabulary is not None
    assert (parent.vocabulary.chat_template or "").replace("\n", "\\n") == TEMPLATE
    both = write_tokenizer(parent, BOTH, tmp_path / "both")
    for later, system, raw in CONVERSATIONS:
        even, odd = chat(EVEN, *later, system=system), chat(ODD, *later, system=system)
        assert both.encode_chat(even) == parent.tokenizer.encode_chat(even)
        assert both.encode_chat(odd) == encode_raw(parent.tokenizer, raw.format(q=ODD))
    for answer in ANSWERS:
        check_answer_tokens(both, answer)


def check_answer_tokens(both: Tokenizer, answer: str) -> None:
    """What is learned of the last answer is the answer's own tokens and the end, in both forms."""
    convert = convert_conversations(both)
    learned = []
    for question in (EVEN, ODD):
        messages = [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
        (sequence,) = convert({"messages": messages})
        learned.append(sequence.ids[sequence.learned].tolist())
    assert learned[0] == learned[1]
    assert learned[0] == [*both.encode(answer), both.eos_id]

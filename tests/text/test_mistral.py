"""Mistral's templates: token ids exactly as mistral-common makes them."""

import itertools
from pathlib import Path

import pytest

from ostro.errors import CheckpointError, OstroError
from ostro.text.message_order import check_messages
from ostro.text.messages import Message
from ostro.text.mistral import bundled_mistral_tokenizer, bundled_pieces, mistral_tokenizer
from ostro.text.raw_prompt import encode_raw
from ostro.text.safe_prompt import SAFE_PROMPT, with_safe_prompt


@pytest.fixture(scope="module")
def v1():
    return bundled_mistral_tokenizer("v1")


@pytest.fixture(scope="module")
def v3():
    return bundled_mistral_tokenizer("v3")


def test_v1_user(v1) -> None:
    ids = v1.encode_chat([Message("user", "Hello")])
    assert ids == [1, 733, 16289, 28793, 22557, 733, 28748, 16289, 28793]


def test_v1_system_goes_before_the_first_user(v1) -> None:
    ids = v1.encode_chat([Message("system", "SYS"), Message("user", "Hello")])
    assert ids == [1, 733, 16289, 28793, 17121, 28735, 13, 13, 16230, 733, 28748, 16289, 28793]


def test_v1_several_turns(v1) -> None:
    messages = [Message("user", "Hello"), Message("assistant", "Hi there"), Message("user", "Bye")]
    ids = v1.encode_chat(messages)
    tail = [15359, 736, 2, 733, 16289, 28793, 2463, 28706, 733, 28748, 16289, 28793]
    assert ids == [*v1.encode_chat([Message("user", "Hello")]), *tail]


def test_v1_prefix_ends_after_its_tokens(v1) -> None:
    messages = [Message("user", "Hello"), Message("assistant", "Hi I", prefix=True)]
    ids = v1.encode_chat(messages)
    assert ids[-2:] == [15359, 315]
    assert 2 not in ids


def test_v1_prompt_of_the_guide_counts_fifteen_tokens(v1) -> None:
    assert len(v1.encode_chat([Message("user", "Tell me a joke about sharks")])) == 15


def test_v3_user_and_system(v3) -> None:
    assert v3.encode_chat([Message("user", "Hello")]) == [1, 3, 23325, 4]
    messages = [
        Message("system", "SYS"),
        Message("user", "Hello"),
        Message("assistant", "Hi there"),
        Message("user", "Bye"),
    ]
    expected = [1, 3, 23325, 4, 16127, 1504, 2, 3, 17889, 29503, 781, 781, 2698, 29474, 4]
    assert v3.encode_chat(messages) == expected


@pytest.mark.parametrize(
    "text", ["<s>", "</s>", "[INST]", "[/INST]", "a</s>[INST] b [/INST]", "<unk>"]
)
@pytest.mark.parametrize("version", ["v1", "v3"])
def test_text_never_becomes_a_control_token(text, version) -> None:
    tokenizer = bundled_mistral_tokenizer(version)
    control = set(tokenizer.special_pieces.values())
    assert not control & set(tokenizer.encode(text))
    empty = tokenizer.encode_chat([Message("user", "x")])
    ids = tokenizer.encode_chat([Message("user", text)])
    assert [i for i in ids if i in control] == [i for i in empty if i in control]
    assert text in tokenizer.decode(ids)


def test_the_guides_raw_template_equals_the_official_one(v1) -> None:
    messages = [Message("user", "Hello"), Message("assistant", "Hi there"), Message("user", "Bye")]
    raw = encode_raw(v1, "<s>[INST] Hello [/INST] Hi there</s>[INST] Bye [/INST]")
    assert raw == v1.encode_chat(messages)


def test_safe_prompt_stands_before_the_users_own(v1) -> None:
    own = [Message("system", "Be brief."), Message("user", "Hello")]
    text = v1.decode(v1.encode_chat(with_safe_prompt(own)))
    assert text == f"[INST] {SAFE_PROMPT}\n\nBe brief.\n\nHello [/INST]"
    assert SAFE_PROMPT.startswith("Always assist with care, respect, and truth.")
    assert SAFE_PROMPT.endswith("Ensure replies promote fairness and positivity.")


def test_files_are_recognised_by_name_and_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model.v3"
    path.write_bytes(b"not a model")
    with pytest.raises(CheckpointError, match=r"tokenizer\.model\.v3"):
        mistral_tokenizer(path)


def test_bundled_vocabularies_have_the_published_sizes() -> None:
    assert len(bundled_pieces("v1")) == 32_000
    assert len(bundled_pieces("v3")) == 32_768


def test_message_order_is_mistral_commons(v1) -> None:
    """All sequences of up to four messages: the same verdict, in the same words."""
    from mistral_common.exceptions import MistralCommonException
    from mistral_common.protocol.instruct.messages import (
        AssistantMessage,
        SystemMessage,
        UserMessage,
    )
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.validator import (
        MistralRequestValidator,
        ValidationMode,
    )

    validator = MistralRequestValidator(ValidationMode.serving)
    theirs = {
        "system": lambda: SystemMessage(content="s"),
        "user": lambda: UserMessage(content="u"),
        "assistant": lambda: AssistantMessage(content="a"),
        "prefix": lambda: AssistantMessage(content="a", prefix=True),
    }
    for count in range(1, 5):
        for roles in itertools.product(theirs, repeat=count):
            ours = [
                Message("assistant", "a", prefix=True) if role == "prefix" else Message(role, role)
                for role in roles
            ]
            expected = actual = None
            try:
                validator.validate_request(
                    ChatCompletionRequest(model="m", messages=[theirs[role]() for role in roles])
                )
            except MistralCommonException as error:
                expected = str(error)
            try:
                check_messages(ours)
            except OstroError as error:
                actual = str(error)
            assert actual == expected, roles


def test_a_bare_file_name_is_told_by_its_pieces(tmp_path: Path, v3) -> None:
    from shutil import copyfile

    from ostro.text.mistral import bundled_path

    for version, expected in (("v1", 9), ("v2", 4), ("v3", 4)):
        copyfile(bundled_path(version), tmp_path / "tokenizer.model")
        ids = mistral_tokenizer(tmp_path / "tokenizer.model").encode_chat(
            [Message("user", "Hello")]
        )
        assert len(ids) == expected


def test_results_become_plain_messages_where_there_is_no_format_for_them(v1) -> None:
    ids = v1.encode_chat([Message("tool", "x"), Message("user", "y")])
    response = '<tool_response>\n{"content": "x"}\n</tool_response>'
    assert v1.decode(ids) == f"[INST] {response}\n\ny [/INST]"

"""One sequence over its cache: kept prefixes, logits, and what is refused."""

import pytest
import torch

import ostro
from ostro.config import WEIGHT_TYPES, kv_bytes_per_token
from ostro.engine.session import Session
from ostro.errors import OstroError
from ostro.model import Mixtral
from ostro.runtime.progress import SilentProgress
from tiny_chat import VOCAB_SIZE, save_babbler

IDS = [(7 * n + n * n) % VOCAB_SIZE for n in range(80)]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Mixtral:
    folder = save_babbler(tmp_path_factory.mktemp("babbler"))
    return ostro.load(folder, progress=SilentProgress()).model


def close(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.allclose(first, second, atol=1e-5, rtol=1e-5)


def test_logits_are_float32_one_row_or_one_for_each_token(model: Mixtral) -> None:
    last = Session(model, 32).feed(IDS[:10])
    every = Session(model, 32).feed(IDS[:10], all_logits=True)
    assert (last.shape, last.dtype) == ((1, VOCAB_SIZE), torch.float32)
    assert (every.shape, every.dtype) == ((10, VOCAB_SIZE), torch.float32)
    assert close(last[0], every[-1])


@pytest.mark.parametrize("chunk", [1, 3, 32, 33, 80])
def test_the_size_of_chunks_changes_nothing(model: Mixtral, chunk: int) -> None:
    expected = Session(model, 80, chunk=512).feed(IDS, all_logits=True)
    actual = Session(model, 80, chunk=chunk).feed(IDS, all_logits=True)
    assert actual.shape == expected.shape
    assert close(actual, expected)


def test_tokens_one_by_one_give_what_all_at_once_give(model: Mixtral) -> None:
    expected = Session(model, 80).feed(IDS, all_logits=True)
    session = Session(model, 80)
    actual = torch.cat([session.feed([token]) for token in IDS])
    assert close(actual, expected)
    assert session.tokens == IDS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (IDS[:50], IDS),
        (IDS, [*IDS[:40], 1, 2, 3]),
        (IDS[:50], IDS[:50]),
        (IDS, IDS[:33]),
        (IDS[:20], [9, *IDS[1:]]),
    ],
    ids=["longer", "branches off", "the same", "shorter", "nothing in common"],
)
def test_a_prompt_after_another_reads_as_in_a_fresh_session(model, before, after) -> None:
    used = Session(model, 80)
    used.feed(before)
    assert close(used.read_prompt(after), Session(model, 80).feed(after))
    assert used.tokens == after


def test_only_what_is_new_is_read(model: Mixtral, monkeypatch) -> None:
    session, read = Session(model, 80), []
    session.feed(IDS[:40])
    monkeypatch.setattr(session, "feed", lambda ids: read.extend(ids))
    session.read_prompt([*IDS[:30], 5, 6])
    assert read == [5, 6]


def test_the_whole_context_can_be_used_and_not_more(model: Mixtral) -> None:
    session = Session(model, 40)
    session.feed(IDS[:40])
    with pytest.raises(OstroError, match="41 tokens do not fit into the context of 40"):
        session.feed([1])
    assert session.tokens == IDS[:40]


@pytest.mark.parametrize("token", [-1, VOCAB_SIZE])
def test_an_id_outside_the_vocabulary_is_named(model: Mixtral, token: int) -> None:
    session = Session(model, 40)
    with pytest.raises(OstroError, match=f"token id {token} is not in the vocabulary of 260"):
        session.feed([1, token])
    assert session.tokens == []


def test_nothing_to_read_is_an_error(model: Mixtral) -> None:
    with pytest.raises(OstroError, match="the prompt has no tokens"):
        Session(model, 40).read_prompt([])


def test_cache_bytes_count_the_tokens_in_use(model: Mixtral) -> None:
    session = Session(model, 80)
    assert session.cache_bytes == 0
    session.feed(IDS[:10])
    assert session.cache_bytes == 10 * kv_bytes_per_token(model.geometry, WEIGHT_TYPES["F32"])


def test_numbers_that_overflow_are_told(tmp_path) -> None:
    model = ostro.load(
        save_babbler(tmp_path / "b"), dtype="float32", progress=SilentProgress()
    ).model
    model.embedding_VD[5] = float("nan")
    session = Session(model, 40)
    session.feed([4])
    with pytest.raises(OstroError, match="numbers overflowed; compute in another type"):
        session.feed([5])
    assert session.tokens == [4]

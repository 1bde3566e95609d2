"""Text as it comes: whole characters, and stop strings that are never shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostro.errors import OstroError
from ostro.text.detokenise import Detokeniser
from ostro.text.mistral import bundled_mistral_tokenizer
from ostro.text.stop_strings import StopStrings
from ostro.text.vocabulary_tokenizer import vocabulary_tokenizer
from small_vocabulary import byte_vocabulary

BYTES = vocabulary_tokenizer(byte_vocabulary())
MISTRAL = bundled_mistral_tokenizer("v1")


def _stream(tokenizer, ids) -> list[str]:
    detokeniser = Detokeniser(tokenizer)
    return [*(detokeniser.feed(i) for i in ids), detokeniser.flush()]


@pytest.mark.parametrize("tokenizer", [BYTES, MISTRAL], ids=["byte-level", "sentencepiece"])
@given(text=st.text())
def test_any_text_comes_back_whole(tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    pieces = _stream(tokenizer, ids)
    assert "".join(pieces) == text == tokenizer.decode(ids)
    assert all("\ufffd" not in piece for piece in pieces if "\ufffd" not in text)


@pytest.mark.parametrize("tokenizer", [BYTES, MISTRAL], ids=["byte-level", "sentencepiece"])
@given(data=st.data())
def test_any_tokens_stream_to_what_they_decode_to(tokenizer, data) -> None:
    ids = data.draw(st.lists(st.integers(0, min(tokenizer.vocab_size, 400) - 1)))
    assert "".join(_stream(tokenizer, ids)) == tokenizer.decode(ids)


def test_half_a_character_is_held_back() -> None:
    ids = BYTES.encode("é€😀")
    assert len(ids) == 9
    assert _stream(BYTES, ids) == ["", "é", "", "", "€", "", "", "", "😀", ""]


def test_a_character_that_never_ends_is_shown_as_broken() -> None:
    ids = BYTES.encode("😀")[:2]
    assert _stream(BYTES, ids)[-1] == "\ufffd"


def test_special_tokens_show_nothing() -> None:
    assert BYTES.decode([0, *BYTES.encode("a"), 0]) == "a"
    assert MISTRAL.decode([1, *MISTRAL.encode("Hello"), 2]) == "Hello"


def test_a_continued_text_keeps_its_space() -> None:
    ids = MISTRAL.encode("world")
    detokeniser = Detokeniser(MISTRAL, mid_text=True)
    assert "".join(detokeniser.feed(i) for i in ids) == " world"


def _cut(text: str, stops: list[str]) -> str:
    places = [text.find(stop) for stop in stops]
    return text[: min((place for place in places if place >= 0), default=len(text))]


@given(
    pieces=st.lists(st.text(alphabet="ab\n", max_size=4)),
    stops=st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3),
)
def test_stop_strings_cut_at_the_earliest_however_the_text_comes(pieces, stops) -> None:
    watcher, shown = StopStrings(stops), []
    for piece in pieces:
        shown.append(watcher.feed(piece))
        if watcher.stopped:
            break
    shown.append(watcher.flush())
    assert "".join(shown) == _cut("".join(pieces), stops)


def test_what_may_become_a_stop_string_is_held_back() -> None:
    watcher = StopStrings(["</answer>"])
    assert watcher.feed("yes</ans") == "yes"
    assert watcher.feed("wered") == "</answered"
    assert watcher.feed("</answer> more") == ""
    assert watcher.stopped


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(OstroError, match="empty"):
        StopStrings([""])

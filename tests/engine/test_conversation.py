"""A conversation that outgrows the context loses its oldest turns."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostro.engine.conversation import fit_conversation
from ostro.errors import OstroError
from ostro.text.messages import Message

SYSTEM = Message("system", "s" * 10)


def turns(*lengths: int) -> list[Message]:
    """Questions and answers in turn, of these lengths; the last is a question."""
    roles = ("user", "assistant")
    return [Message(roles[n % 2], str(n % 10) * length) for n, length in enumerate(lengths)]


def length(messages: Sequence[Message]) -> list[int]:
    return [0] * sum(len(message.content) for message in messages)


def test_what_fits_stays_whole() -> None:
    messages = [SYSTEM, *turns(10, 20, 30)]
    fitted = fit_conversation(messages, length, 70)
    assert (fitted.messages, fitted.dropped) == (messages, 0)


def test_a_question_goes_with_its_answer() -> None:
    messages = turns(10, 20, 30, 40, 50)
    fitted = fit_conversation(messages, length, 149)
    assert (fitted.messages, fitted.dropped) == (messages[2:], 1)


def test_the_system_message_and_the_last_question_stay() -> None:
    messages = [SYSTEM, *turns(10, 20, 30, 40, 50)]
    fitted = fit_conversation(messages, length, 60)
    assert (fitted.messages, fitted.dropped) == ([SYSTEM, messages[-1]], 2)


def test_an_answer_to_go_on_with_stays_with_its_question() -> None:
    prefix = Message("assistant", "p" * 5, prefix=True)
    messages = [*turns(10, 20, 30), prefix]
    fitted = fit_conversation(messages, length, 40)
    assert fitted.messages == [messages[2], prefix]


def test_a_last_turn_that_is_too_long_by_itself_is_an_error() -> None:
    with pytest.raises(OstroError, match="the message has 60 tokens and 59 fit; shorten it"):
        fit_conversation([SYSTEM, *turns(10, 20, 50)], length, 59)


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=15).filter(lambda x: len(x) % 2),
    room=st.integers(40, 200),
)
def test_no_more_is_dropped_than_needed(lengths: list[int], room: int) -> None:
    messages = [SYSTEM, *turns(*lengths)]
    fitted = fit_conversation(messages, length, room)
    assert len(length(fitted.messages)) <= room
    assert fitted.messages == [SYSTEM, *messages[1 + 2 * fitted.dropped :]]
    if fitted.dropped:
        before = [SYSTEM, *messages[1 + 2 * (fitted.dropped - 1) :]]
        assert len(length(before)) > room

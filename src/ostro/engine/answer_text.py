"""Tokens into the text that is shown: whole characters, cut at the first stop string."""

from collections.abc import Sequence

from ostro.text.detokenise import Detokeniser
from ostro.text.stop_strings import StopStrings
from ostro.text.tokenizer import Tokenizer


class AnswerText:
    """The text of one answer, as it grows."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str], *, mid_text: bool) -> None:
        self._detokeniser = Detokeniser(tokenizer, mid_text=mid_text)
        self._stops = StopStrings(stop)

    @property
    def stopped(self) -> bool:
        """Whether a stop string came."""
        return self._stops.stopped

    def add(self, token: int) -> str:
        """What can be shown now that ``token`` has come."""
        return self._stops.feed(self._detokeniser.feed(token))

    def rest(self) -> str:
        """What was held back, now that nothing more comes."""
        return self._stops.feed(self._detokeniser.flush()) + self._stops.flush()

"""Text out of tokens, as they come: only whole characters."""

import codecs

from ostro.text.tokenizer import Tokenizer


class Detokeniser:
    """Feed token ids, get text; all of it together is what ``decode`` of all ids gives.

    With ``mid_text`` the tokens continue a text, so that a leading space is kept.
    """

    def __init__(self, tokenizer: Tokenizer, *, mid_text: bool = False) -> None:
        self._tokenizer = tokenizer
        self._drop_space = tokenizer.drops_first_space and not mid_text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token_id: int) -> str:
        """The characters that ``token_id`` completes, perhaps none."""
        data = self._tokenizer.token_bytes(token_id)
        if data and self._drop_space:
            data = data.removeprefix(b" ")
            self._drop_space = False
        return self._decoder.decode(data)

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character that was never completed."""
        return self._decoder.decode(b"", final=True)

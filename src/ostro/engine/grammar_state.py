"""Where one answer stands in its grammar: which tokens may come next."""

import re
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ostro.errors import OstroError
from ostro.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher

_LONGEST_REASON = 200
_FAR_ENOUGH = 64
"""Bytes of a text that decide how it is cut into tokens at its beginning."""


class GrammarVocabulary:
    """What the states of all grammars need to know of the vocabulary."""

    def __init__(self, size: int, token_bytes: Sequence[bytes], tokenizer: Tokenizer) -> None:
        """``size`` is the model's; ids without ``token_bytes`` are never allowed."""
        self.size, self.eos_ids = size, tokenizer.eos_ids
        self.words = -(-size // 32)
        """Length of a mask in int32."""
        self.known_words = -(-len(token_bytes) // 32)
        """The part of it that the tokenizer knows."""
        self.lengths = np.array([len(piece) for piece in token_bytes], dtype=np.int64)
        """Bytes of each token."""
        self._tokenizer = tokenizer

    def first_token(self, text: bytes) -> int:
        """The token that the tokenizer begins ``text`` with in the middle of a line.

        -1 where that can't be told: the text begins inside a character, say.
        """
        # A longer text begins in the same way. What is left of a character at its end is dropped.
        begins = text[:_FAR_ENOUGH]
        word = begins.decode("utf-8", "ignore")
        if not word or not begins.startswith(word[0].encode()):
            return -1
        before = "\n" if self._tokenizer.drops_first_space else ""
        passed, ids = b"", self._tokenizer.encode(before + word)
        for token_id in ids:
            if passed.removeprefix(b" ") == before.encode():
                return token_id
            passed += self._tokenizer.token_bytes(token_id)
        return -1

    def keep_best(self, mask: Tensor, forced: bytes) -> None:
        """Of the tokens of ``mask``, keep those that spell the ``forced`` bytes naturally.

        These are the tokenizer's own, and those that go on beyond the forced bytes: what follows
        them may make another token of their end. Where the tokenizer has none, the longest.
        """
        bytes_of_mask = mask.numpy().view(np.uint8)
        bits = np.unpackbits(bytes_of_mask, count=len(self.lengths), bitorder="little")
        tokens = np.flatnonzero(bits)
        covered = np.minimum(self.lengths[tokens], len(forced))
        own = tokens == self.first_token(forced)
        if not own.any():
            own = covered == covered.max(initial=0)
        bits[tokens[~own & (covered < len(forced))]] = 0
        packed = np.packbits(bits, bitorder="little")
        bytes_of_mask[: len(packed)] = packed


class GrammarState:
    """Where one answer stands. One thread at a time may use it.

    Masks are exact with one exception. Where the grammar leaves a single text (the name of a
    property, say), only tokens are allowed that spell it as the tokenizer would: a model that would
    rather have written something else would else spell it in pieces it has never read together,
    and what follows suffers. :meth:`accept` takes every token that fits the text.
    """

    def __init__(self, matcher: "LLMatcher", vocabulary: GrammarVocabulary) -> None:
        self._matcher, self._vocabulary = matcher, vocabulary
        self._ended = False

    @property
    def is_complete(self) -> bool:
        """Whether the text so far is valid as it stands, so that the answer may end."""
        return self._ended or self._matcher.is_accepting()

    @property
    def is_stopped(self) -> bool:
        """Whether nothing can follow but the end of the answer, or it has ended."""
        return self._ended or (self._matcher.is_stopped() and not self._matcher.is_error())

    def mask(self) -> Tensor:
        """The tokens that may come next: int32 ``[ceil(V / 32)]``, token t is bit t % 32.

        Tokens that end an answer are among them exactly when the text so far is valid. A grammar
        that outgrows its limits on the way is an OstroError; the answer can't go on then.
        """
        assert not self._ended, "the answer has ended"
        vocabulary, matcher = self._vocabulary, self._matcher
        mask = torch.zeros(vocabulary.words, dtype=torch.int32)
        # Another thread may hold the interpreter meanwhile.
        matcher.unsafe_compute_mask_ptr(mask.data_ptr(), 4 * vocabulary.known_words)
        forced = matcher.compute_ff_bytes()
        if matcher.is_error():
            raise OstroError(f"the output format can't be enforced any further: {why(matcher)}")
        if forced:
            vocabulary.keep_best(mask, forced)
        return mask

    def accept(self, token_id: int) -> None:
        """Go on by one token, which must be one that may come here."""
        assert not self._ended, "the answer has ended"
        if token_id in self._vocabulary.eos_ids:
            assert self.is_complete, "the answer may not end here"
            self._ended = True
            return
        taken = self._matcher.try_consume_tokens([token_id])
        if self._matcher.is_error():
            reason = why(self._matcher)
            raise OstroError(f"the output format can't be enforced any further: {reason}")
        assert taken == 1, f"token {token_id} may not come here"

    def allows(self, tokens: Sequence[int]) -> int:
        """How many of ``tokens``, one after another, the masks would let through."""
        taken = 0
        for token_id in tokens:
            if self._ended or not self._lets_through(token_id):
                break
            self.accept(token_id)
            taken += 1
        self.rollback(taken)
        return taken

    def rollback(self, count: int) -> None:
        """Take back the last ``count`` accepted tokens."""
        if count and self._ended:
            self._ended = False
            count -= 1
        if count:
            done = self._matcher.rollback(count)
            assert done, "more tokens were to be taken back than were accepted"

    def fork(self) -> "GrammarState":
        """A second state at the same place.

        It goes on by itself, but shares what has been worked out of the grammar: of the two, one
        that outgrows the limits ends the other. For several answers take several states.
        """
        copy = GrammarState(self._matcher.deep_copy(), self._vocabulary)
        copy._ended = self._ended
        return copy

    def _lets_through(self, token_id: int) -> bool:
        if token_id in self._vocabulary.eos_ids:
            return self.is_complete
        if self._matcher.validate_tokens([token_id]) == 0:
            return False
        return not self._matcher.compute_ff_bytes() or _has(self.mask(), token_id)


class MaskAhead:
    """The next mask of a state, worked out by another thread while the model runs.

    Between :meth:`start` and :meth:`result` nothing else may use the state.
    """

    def __init__(self, state: GrammarState) -> None:
        self._state = state
        self._future: Future[Tensor] | None = None

    def start(self, executor: Executor) -> None:
        """Begin with the mask of the state as it is now, unless that has begun."""
        if self._future is None:
            self._future = executor.submit(self._state.mask)

    def result(self) -> Tensor:
        """Wait for the mask; one that was not begun is made here. Errors are those of ``mask``."""
        future, self._future = self._future, None
        return self._state.mask() if future is None else future.result()


def why(matcher: "LLMatcher") -> str:
    """The reason in a matcher's error, in one line and without the grammar that it quotes."""
    error = matcher.get_error()
    told = re.findall(r"^error: (.*)", error, re.MULTILINE)  # A regular expression's parser.
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    reason = told[0] if told else (lines or ["no reason was given"])[0]
    reason = re.sub(r"^(at )?\d+\(\d+\): ", "", reason)
    reason = reason.removeprefix("failed to compile JSON schema: ")
    if reason == "NoExtensionBias":
        reason = "no text of this form exists"
    return reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "..."


def _has(mask: Tensor, token_id: int) -> bool:
    return bool(int(mask[token_id // 32]) >> token_id % 32 & 1)

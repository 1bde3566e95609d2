"""One answer on its way: its tokens, its pages, and how far it is computed."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ostro.engine.answer_text import AnswerText
from ostro.engine.completion import Timer
from ostro.engine.grammar import CompiledGrammar
from ostro.engine.grammar_state import MaskAhead
from ostro.engine.lookup import PromptLookup
from ostro.engine.prefix_tree import Node
from ostro.engine.request import Piece, PromptReport, Request
from ostro.engine.sampling import Sampler
from ostro.errors import OstroError
from ostro.model.step_options import RowOptions


class Grammar:
    """The form of one answer: its state, and the next mask, which is made ahead."""

    def __init__(self, compiled: CompiledGrammar) -> None:
        self._compiled = compiled
        self._begin()

    def allowed(self, drafts: list[int], written: Sequence[int]) -> list[int]:
        """As many of the ``drafts`` as may follow what was ``written``.

        A guess may lead where the grammar outgrows its limits, although the answer does not. Then
        nothing is guessed, and the answer goes on with a state that never looked there.
        """
        try:
            return drafts[: self.state.allows(drafts)]
        except OstroError:
            self._begin()
            for token_id in written:
                self.state.accept(token_id)
            return []

    def _begin(self) -> None:
        self.state = self._compiled.state()
        self.ahead = MaskAhead(self.state)


@dataclass(eq=False)
class Answer:
    """An answer to a request; pieces carry its number, ``choice``."""

    request: Request
    choice: int
    sampler: Sampler
    text: AnswerText
    limit: int
    """The most tokens that prompt and answer may have together."""
    tokens: list[int]
    """The prompt, then what was generated."""
    options: RowOptions | None = None
    """How the model computes its tokens, where it is not as usual. Keys and values depend on it."""
    grammar: Grammar | None = None
    """The form that it must have, and how much of it is there."""
    report: PromptReport | None = None
    """What was asked about the prompt, as it is read."""
    number: int = -1
    """Which of all answers it is, in order of arrival."""
    deadline: int = 0
    """Its turn: see :mod:`ostro.engine.scheduler`."""
    pages: list[int] = field(default_factory=list)
    computed: int = 0
    """Of how many tokens keys and values are in the pages."""
    known: int = 0
    """How many of those were known when its turn came."""
    node: Node | None = None
    """Where the prefix tree keeps the whole pages so far; None if it is to know nothing of them."""
    lookup: PromptLookup = field(init=False)
    drafts: list[int] = field(default_factory=list)
    """Guesses at the next tokens, to be checked in the next step."""
    timer: Timer = field(default_factory=Timer)
    pieces: deque[Piece] = field(default_factory=deque)
    """What came and was not fetched yet."""
    siblings: list["Answer"] = field(default_factory=list)
    """Other answers to the same request, which wait until this one has read the prompt."""
    error: Exception | None = None
    is_finished: bool = False

    def __post_init__(self) -> None:
        self.lookup = PromptLookup(self.tokens)

    @property
    def prompt_length(self) -> int:
        """Tokens of the prompt."""
        return len(self.request.prompt_ids)

    @property
    def may_be_known(self) -> int:
        """How many of its first tokens need not be computed if they are known.

        The last always is, since its logits are wanted; so are those of which something is to be
        told, and the one before them.
        """
        wanted = len(self.tokens) - 1
        return wanted if self.report is None else min(wanted, max(0, self.request.report_from - 1))

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end the answer."""
        return self.sampler.ends

    @property
    def remaining(self) -> int:
        """Tokens to compute before the next one can be chosen."""
        return len(self.tokens) - self.computed

    @property
    def generated(self) -> int:
        """Tokens of the answer so far."""
        return len(self.tokens) - self.prompt_length

    def take(self) -> Iterator[Piece]:
        """The pieces that came since the last time."""
        while self.pieces:
            yield self.pieces.popleft()

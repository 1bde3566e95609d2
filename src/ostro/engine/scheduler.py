"""Who computes how many tokens in the next step.

Answers that are being written come first, with one token each (and drafts), so that no stream waits
while a prompt is read: prompts share what is left of a step's budget, which is small while somebody
writes.

Prompts are read in the order of their deadlines: the number of prompt tokens that the engine had
read when a request came, plus the request's own. A short prompt therefore overtakes a long one, but
none waits for more tokens of later requests than it has itself.

When pages run out, unused ones of the prefix tree are evicted; then the answer that came last gives
up its pages and waits, to be computed again from its tokens. The oldest always gets through, since
the pool holds at least one context.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from ostro.config.plan import PREFILL_CHUNK
from ostro.engine.answer import Answer
from ostro.engine.pages import PagePool, pages_for
from ostro.engine.prefix_tree import Node, PrefixTree
from ostro.model import PAGE_SLOTS


@dataclass(frozen=True, kw_only=True)
class StepBudget:
    """How much one step may hold."""

    answers: int = 32
    """Answers that are computed at the same time."""
    tokens: int = PREFILL_CHUNK
    """Rows of a step that only reads prompts."""
    tokens_while_writing: int = 128
    """Rows of a step in which some answer waits for its next token."""


@dataclass(frozen=True)
class Part:
    """One answer's part of a step."""

    answer: Answer
    begin: int
    """How many tokens were computed before."""
    count: int
    """How many it computes, drafts included."""

    @property
    def end(self) -> int:
        """How many tokens are computed after it."""
        return self.begin + self.count

    @property
    def chooses(self) -> bool:
        """Whether the next token can be chosen after this step."""
        return self.end >= len(self.answer.tokens)

    @property
    def reads(self) -> bool:
        """Whether something is to be told of its tokens."""
        answer = self.answer
        is_told = self.begin < answer.prompt_length and self.end >= answer.request.report_from
        return answer.report is not None and is_told

    @property
    def num_logits(self) -> int:
        """Of how many of its last tokens logits are wanted."""
        if self.reads and self.answer.request.params.prompt_logprobs is not None:
            return self.count
        return 1 + self.end - len(self.answer.tokens) if self.chooses else 0

    @property
    def wants_routing(self) -> bool:
        """Whether the choice of experts is wanted."""
        request = self.answer.request
        return (self.reads and request.prompt_routing) or (self.chooses and request.routing)


class Scheduler:
    """Answers that wait, answers that run, and the pages that the running ones hold."""

    def __init__(
        self,
        pool: PagePool,
        tree: PrefixTree,
        budget: StepBudget,
        copy_page: Callable[[int, int], None],
    ) -> None:
        """``copy_page(source, target)`` copies keys and values of all layers."""
        self.pool, self.tree, self.budget = pool, tree, budget
        self.waiting: list[Answer] = []
        self.running: list[Answer] = []
        self.preemptions = 0
        self.prompt_tokens_read = 0
        self.prompt_tokens_known = 0
        """Tokens that were found in the prefix tree and not read."""
        self._copy_page = copy_page
        self._arrived = 0

    def add(self, answer: Answer) -> None:
        """Let a new answer wait for its turn."""
        answer.number = self._arrived
        self._arrived += 1
        answer.deadline = self.prompt_tokens_read + answer.prompt_length
        self._wait(answer)

    def add_sibling(self, answer: Answer, elder: Answer) -> None:
        """An answer to a prompt that ``elder`` has just computed; it begins with its pages."""
        self.add(answer)
        if len(self.running) < self.budget.answers:
            self.waiting.remove(answer)
            # Further pages hold the elder's guesses, which are nobody else's.
            answer.pages = elder.pages[: pages_for(elder.computed)]
            for page in answer.pages:
                self.pool.hold(page)
            answer.computed, answer.node = elder.computed, elder.node
            insort(self.running, answer, key=_arrival)

    def plan(self) -> list[Part]:
        """The next step; empty if there is nothing to do."""
        parts = [part for answer in [*self.running] if (part := self._write(answer))]
        limit = self.budget.tokens_while_writing if parts else self.budget.tokens
        return parts + self._read(limit - sum(part.count for part in parts))

    def commit(self, answer: Answer, computed: int) -> None:
        """Keys and values of the answer's first ``computed`` tokens are there now."""
        before = answer.computed // PAGE_SLOTS
        self.prompt_tokens_read += max(
            0, min(computed, answer.prompt_length) - min(answer.computed, answer.prompt_length)
        )
        answer.computed = computed
        for index in range(before, computed // PAGE_SLOTS):
            self._remember(answer, index)

    def finish(self, answer: Answer) -> None:
        """Give up an answer's place and pages; what was computed stays known."""
        if answer in self.waiting:
            self.waiting.remove(answer)
        elif answer in self.running:
            self._leave(answer)

    # ---- answers that are being written ----

    def _write(self, answer: Answer) -> Part | None:
        if answer.remaining != 1 or answer not in self.running:
            return None
        answer.drafts = answer.drafts[: self._spare_drafts(answer)]
        if not self._grow(answer):
            return None
        return Part(answer, answer.computed, 1 + len(answer.drafts))

    def _spare_drafts(self, answer: Answer) -> int:
        """Drafts that fit without taking a page from anybody who needs it."""
        if not answer.drafts or self.tree.make_room(1 + pages_for(len(answer.drafts))):
            return len(answer.drafts)
        return max(0, len(answer.pages) * PAGE_SLOTS - len(answer.tokens))

    def _grow(self, answer: Answer) -> bool:
        """Pages for the next tokens, none of them shared; False if the answer has to wait."""
        wanted = pages_for(len(answer.tokens) + len(answer.drafts))
        first = answer.computed // PAGE_SLOTS
        is_shared = first < len(answer.pages) and self.pool.holders(answer.pages[first]) > 1
        if not self._secure(wanted - len(answer.pages) + is_shared, answer):
            return False
        if is_shared and self.pool.holders(answer.pages[first]) > 1:
            self._copy_on_write(answer, first)
        answer.pages += [self.pool.take() for _ in range(wanted - len(answer.pages))]
        return True

    def _copy_on_write(self, answer: Answer, index: int) -> None:
        shared, own = answer.pages[index], self.pool.take()
        self._copy_page(shared, own)
        self.pool.release((shared,))
        answer.pages[index] = own

    def _secure(self, count: int, answer: Answer) -> bool:
        """Make ``count`` pages free, if need be at the cost of the answer that came last."""
        while not self.tree.make_room(count):
            last = self.running[-1]
            self._preempt(last)
            if last is answer:
                return False
        return True

    def _preempt(self, answer: Answer) -> None:
        self.preemptions += 1
        self._leave(answer)
        answer.computed, answer.node, answer.drafts = 0, None, []
        self._wait(answer)

    # ---- prompts ----

    def _read(self, budget: int) -> list[Part]:
        """Parts of at most ``budget`` tokens for the prompts whose turn it is."""
        parts: list[Part] = []
        claimed: set[tuple[Node, tuple[int, ...]]] = set()
        reading = sorted((a for a in self.running if a.remaining > 1), key=_deadline)
        while budget > 0 and (answer := self._next_reader(reading)):
            self._adopt(answer)
            if self._is_claimed(answer, claimed):
                continue
            count = _whole_pages(answer, min(answer.remaining, budget, _most_rows(answer)))
            parts.append(Part(answer, answer.computed, count))
            budget -= count
        return parts

    def _next_reader(self, reading: list[Answer]) -> Answer | None:
        """Whose prompt is read next: one of those that run, or the first who waits."""
        is_due = self.waiting and (
            not reading or _deadline(self.waiting[0]) < _deadline(reading[0])
        )
        if is_due and (admitted := self._admit()):
            return admitted
        return reading.pop(0) if reading else None

    def _admit(self) -> Answer | None:
        """Let the first who waits in, if there is a place and pages for all its tokens."""
        if not self.waiting or len(self.running) >= self.budget.answers:
            return None
        answer = self.waiting[0]
        if not self._find_pages(answer):
            return None
        del self.waiting[0]
        insort(self.running, answer, key=_arrival)
        return answer

    def _find_pages(self, answer: Answer) -> bool:
        """Known pages for the beginning of an answer's tokens, and free ones for the rest."""
        answer.node = self.tree.root(answer.options)
        match = self.tree.match(answer.tokens[: answer.may_be_known], answer.node)
        pages = [node.page for node in match.nodes]
        answer.node = match.nodes[-1] if match.nodes else answer.node
        partial, known = match.partial, match.length
        held = pages if partial is None else [*pages, partial.page]
        for page in held:
            self.pool.hold(page)
        fresh = pages_for(len(answer.tokens)) - len(pages)
        if not self.tree.make_room(fresh):
            self.pool.release(held)
            return False
        answer.pages = pages + [self.pool.take() for _ in range(fresh)]
        if partial is not None:
            self._copy_page(partial.page, answer.pages[len(pages)])
            self.pool.release((partial.page,))
        answer.computed = answer.known = known
        self.prompt_tokens_known += min(known, answer.prompt_length)
        return True

    def _adopt(self, answer: Answer) -> None:
        """Take pages that others have computed since the answer was let in."""
        if answer.node is None:
            return
        while (end := _page_end(answer)) <= answer.may_be_known:
            node = self.tree.next(answer.node, answer.tokens, end - PAGE_SLOTS)
            if node is None:
                return
            self._replace_page(answer, end // PAGE_SLOTS - 1, node.page)
            self.prompt_tokens_known += end - answer.computed
            answer.node, answer.computed, answer.known = node, end, end

    def _is_claimed(self, answer: Answer, claimed: set[tuple[Node, tuple[int, ...]]]) -> bool:
        """Whether the answer's next page is computed for somebody else in this step anyway."""
        end = _page_end(answer)
        if answer.node is None or end > len(answer.tokens):
            return False
        key = answer.node, tuple(answer.tokens[end - PAGE_SLOTS : end])
        if key in claimed:
            return end <= answer.may_be_known
        claimed.add(key)
        return False

    # ---- places and pages ----

    def _wait(self, answer: Answer) -> None:
        insort(self.waiting, answer, key=_deadline)

    def _leave(self, answer: Answer) -> None:
        if answer.node is not None:
            whole = answer.computed // PAGE_SLOTS
            rest = answer.tokens[whole * PAGE_SLOTS : answer.computed]
            if rest:
                self.tree.insert(answer.node, rest, answer.pages[whole])
        self.pool.release(answer.pages)
        answer.pages = []
        self.running.remove(answer)

    def _remember(self, answer: Answer, index: int) -> None:
        """Tell the prefix tree of a whole page, and use its page where it knew one already."""
        if answer.node is None:
            return
        tokens = answer.tokens[index * PAGE_SLOTS : (index + 1) * PAGE_SLOTS]
        answer.node = self.tree.insert(answer.node, tokens, answer.pages[index])
        self._replace_page(answer, index, answer.node.page)

    def _replace_page(self, answer: Answer, index: int, page: int) -> None:
        self.pool.hold(page)
        self.pool.release((answer.pages[index],))
        answer.pages[index] = page


# Logits of so many rows fit into the workspace that the memory plan knows of.
_MOST_LOGITS = 32

_arrival = attrgetter("number")
_deadline = attrgetter("deadline", "number")


def _page_end(answer: Answer) -> int:
    """Where the page ends that the answer computes next; it may know the page's beginning."""
    return (answer.computed // PAGE_SLOTS + 1) * PAGE_SLOTS


def _most_rows(answer: Answer) -> int:
    """How many tokens a part may have, on account of what is told of them."""
    if answer.report is None:
        return len(answer.tokens)
    # The row before the first token that is told of belongs to it.
    before = answer.request.report_from - 1 - answer.computed
    return max(before, _MOST_LOGITS)


def _whole_pages(answer: Answer, count: int) -> int:
    """At most ``count`` tokens; a chunk that does not reach the end stops between two pages."""
    over = (answer.computed + count) % PAGE_SLOTS
    return count - over if over < count < answer.remaining else count

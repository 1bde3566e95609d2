"""The engine's heart: requests go in, every step brings their next tokens.

It is synchronous and belongs to one thread. :class:`ostro.engine.llm.LLM` steps it while somebody
iterates; :class:`ostro.engine.engine.Engine` steps it in a thread of its own.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import torch

from ostro.config import WEIGHT_TYPES, kv_bytes_per_token
from ostro.config.arithmetic import expert_bytes, weight_bytes
from ostro.engine.answer import Answer, Grammar
from ostro.engine.answer_text import AnswerText
from ostro.engine.grammar import Grammars
from ostro.engine.pages import PagePool, pages_for
from ostro.engine.prefix_tree import PrefixTree
from ostro.engine.request import PromptReport, Request
from ostro.engine.routing_counts import RoutingCounts
from ostro.engine.runner import PartResult, Row, Runner
from ostro.engine.sampling import Sampler
from ostro.engine.scheduler import Part, Scheduler, StepBudget
from ostro.engine.speculation import Speculator
from ostro.engine.step_cost import WeightBytes
from ostro.engine.writer import Writer
from ostro.errors import OstroError
from ostro.model import PAGE_SLOTS, Mixtral, PagedKVCache
from ostro.model.step_options import row_options
from ostro.text.tokenizer import Tokenizer


class EngineCore:
    """A model, its tokenizer, one pool of pages, and the answers under way."""

    def __init__(
        self,
        model: Mixtral,
        tokenizer: Tokenizer,
        *,
        context: int,
        cache_tokens: int | None = None,
        cache_type: str | None = None,
        budget: StepBudget | None = None,
        speculate: bool = True,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """Make the pages.

        ``cache_tokens`` of keys and values are kept for all answers together, at least one context
        (the default). With ``speculate``, guesses at the next tokens are checked where that pays.
        ``lock`` is held while the model computes.
        """
        self._lock = lock or nullcontext()
        self.model, self.tokenizer, self.context = model, tokenizer, context
        self.cache_type = WEIGHT_TYPES[cache_type or model.cache_type]
        # One more, so that a whole context can be computed from a page that is only partly wanted.
        num_pages = pages_for(max(cache_tokens or 0, context)) + 1
        self.cache = PagedKVCache(
            model.geometry,
            model.kernels,
            num_pages=num_pages,
            kind=self.cache_type.name,
            device=model.device,
        )
        self.pool = PagePool(num_pages)
        self.tree = PrefixTree(self.pool)
        self._grammars = Grammars(tokenizer, model.geometry.vocab_size)
        # Masks are made beside the model's step, of what is known before it.
        self._mask_maker = ThreadPoolExecutor(1, thread_name_prefix="ostro-mask")
        self.scheduler = Scheduler(
            self.pool, self.tree, budget or StepBudget(), self.cache.copy_page
        )
        self.runner, self.writer = Runner(model, self.cache), Writer(model.kernels)
        self.speculator = Speculator(_weight_bytes(model)) if speculate else None
        g = model.geometry
        self.routing_counts = RoutingCounts(g.num_layers, g.num_experts) if g.is_sparse else None

    @property
    def cache_bytes(self) -> int:
        """Bytes of keys and values in use, those of the prefix tree included."""
        used = self.pool.size - self.pool.num_free
        return used * PAGE_SLOTS * kv_bytes_per_token(self.model.geometry, self.cache_type)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self.scheduler.running and not self.scheduler.waiting

    def add(self, request: Request) -> list[Answer]:
        """Take a request in; its answers get their pieces in the steps to come."""
        answers = self.prepare(request)
        self.enter(answers)
        return answers

    def prepare(self, request: Request, first: int = 0) -> list[Answer]:
        """The answers of a request, not begun, numbered from ``first``. Any thread may call this.

        A request that cannot be served is an :class:`~ostro.errors.OstroError`.
        """
        self._check(request)
        request.check()
        answers = [self._answer(request, choice, first) for choice in range(request.params.n)]
        answers[0].siblings = answers[1:]
        return answers

    def enter(self, answers: Sequence[Answer]) -> None:
        """Begin with what :meth:`prepare` made, perhaps of several requests."""
        for before, answer in pairwise([None, *answers]):
            assert answer is not None
            if before is None or before.request is not answer.request:
                self.scheduler.add(answer)

    def cancel(self, answers: Iterable[Answer]) -> None:
        """Nobody wants these any more: their pages are free at once."""
        unwanted = [answer for answer in answers if not answer.is_finished]
        for answer in unwanted:
            self._finish(answer)
        for answer in unwanted:
            heirs = _unfinished(answer.siblings)
            answer.siblings = []
            if heirs:  # They waited for this one to read the prompt.
                heirs[0].siblings = heirs[1:]
                self.scheduler.add(heirs[0])

    def reset(self) -> None:
        """Forget all answers, and what was computed: for whoever no longer trusts the books."""
        self.pool = PagePool(self.pool.size)
        self.tree = PrefixTree(self.pool)
        budget = self.scheduler.budget
        self.scheduler = Scheduler(self.pool, self.tree, budget, self.cache.copy_page)

    @torch.inference_mode()
    def step(self) -> list[Answer]:
        """Compute the next step; those answers that got pieces, or an error."""
        failed = self._propose()
        parts = self.scheduler.plan()
        if not parts:
            assert self.is_idle, "answers wait, and none can go on"
            return failed
        with self._lock:
            return failed + self._run(parts)

    def _propose(self) -> list[Answer]:
        """Guess next tokens, unless a prompt is read: then every row is worth more to it.

        Returns the answers that failed over it.
        """
        running = self.scheduler.running
        if self.speculator is None or self.scheduler.waiting:
            return []
        if any(answer.remaining > 1 for answer in running):
            return []
        self.speculator.propose(running)
        guessed = [answer for answer in running if answer.drafts and answer.grammar is not None]
        return [failed for answer in guessed for failed in self._keep_allowed(answer)]

    def _keep_allowed(self, answer: Answer) -> list[Answer]:
        """Of an answer's guesses keep those that its grammar allows."""
        assert answer.grammar is not None
        try:
            written = answer.tokens[answer.prompt_length :]
            answer.drafts = answer.grammar.allowed(answer.drafts, written)
        except Exception as error:
            return self._fail(answer, error)
        return []

    def _run(self, parts: Sequence[Part]) -> list[Answer]:
        """Compute the parts together; those answers that got something.

        Where that fails they are computed one by one, to find out whose fault it is.
        """
        counts = self.routing_counts
        is_counted = counts is not None and counts.is_due
        for part in parts:
            if part.chooses and part.answer.grammar is not None:
                part.answer.grammar.ahead.start(self._mask_maker)
        try:
            result = self.runner.run(parts, keep_routing=is_counted)
        except Exception as error:
            if len(parts) > 1:
                return [answer for part in parts for answer in self._run([part])]
            return self._fail(parts[0].answer, error)
        touched = [answer for part in result.parts for answer in self._advance(part)]
        # What was steered says nothing of the model.
        is_usual = all(part.answer.options is None for part in parts)
        chosen = result.chosen_LTK if is_counted and is_usual else None
        if counts is not None:
            counts.observe(chosen)
        if self.speculator is not None:
            first = parts[0]
            right = slice(0, first.answer.computed - first.begin)  # Without drafts that were wrong.
            self.speculator.observe(result.num_rows, result.seconds, chosen, right)
        return touched

    def _advance(self, result: PartResult) -> list[Answer]:
        """Choose the part's next tokens; the answers that got something."""
        part, answer = result.part, result.part.answer
        if part.reads:
            try:
                self.writer.read(result)
            except Exception as error:
                return self._fail(answer, error)
        if not part.chooses:
            self.scheduler.commit(answer, part.end)
            return []
        drafts, answer.drafts = answer.drafts, []
        rows = result.choosing(1 + len(drafts))
        self.scheduler.commit(answer, len(answer.tokens))
        siblings, answer.siblings = _unfinished(answer.siblings), []
        for sibling in siblings:
            self.scheduler.add_sibling(sibling, answer)
        touched = [answer, *siblings]
        for one in touched:
            self._choose(one, rows[0])
        for draft, row in zip(drafts, rows[1:], strict=True):
            if answer.is_finished or answer.tokens[-1] != draft:
                break
            self.scheduler.commit(answer, len(answer.tokens))
            self._choose(answer, row)
        if self.speculator is not None:
            self.speculator.checked += len(drafts)
            self.speculator.right += answer.computed - part.end + len(drafts)
        return touched

    def _choose(self, answer: Answer, row: Row) -> None:
        """Choose one token; a mistake ends this answer and no other."""
        try:
            piece = self.writer.write(answer, row)
        except Exception as error:
            self._fail(answer, error)
            return
        if self.speculator is not None:
            self.speculator.chosen(answer)
        if piece.finish_reason:
            self._finish(answer)

    # ---- beginning and end ----

    def _answer(self, request: Request, choice: int, first: int) -> Answer:
        room = self.context - len(request.prompt_ids)
        model, params = self.model, request.params
        ends = params.ends(self.tokenizer.eos_ids)
        adapter = None if request.adapter is None else model.adapters.get(request.adapter)
        sampler = Sampler(
            params,
            model.kernels,
            choice=choice,
            prompt_length=len(request.prompt_ids),
            ends=ends,
        )
        return Answer(
            request,
            first + choice,
            options=row_options(model.geometry, request.steering, adapter),
            grammar=self._grammar(request),
            report=PromptReport() if request.reports and choice == 0 else None,
            sampler=sampler,
            text=AnswerText(self.tokenizer, params.stop, mid_text=request.mid_text),
            limit=len(request.prompt_ids) + min(room, params.max_tokens or room),
            tokens=list(request.prompt_ids),
        )

    def _grammar(self, request: Request) -> Grammar | None:
        if request.output_format is None:
            return None
        return Grammar(self._grammars.get(request.output_format, mid_text=request.mid_text))

    def _check(self, request: Request) -> None:
        ids, size = request.prompt_ids, self.model.geometry.vocab_size
        if not ids:
            raise OstroError("there is nothing to read: the prompt has no tokens")
        if len(ids) >= self.context:
            raise OstroError(
                f"the prompt has {len(ids)} tokens and the context holds {self.context}, "
                "which leaves no room for an answer; shorten it or give a larger --context"
            )
        if min(ids) < 0 or max(ids) >= size:
            bad = next(token for token in ids if not 0 <= token < size)
            raise OstroError(f"token id {bad} is not in the vocabulary of {size}")
        request.params.check_vocabulary(size)
        if (request.routing or request.prompt_routing) and not self.model.geometry.is_sparse:
            raise OstroError("this model is dense and has no router; leave routing out")

    def _fail(self, answer: Answer, error: Exception) -> list[Answer]:
        """End an answer, and those that wait for it to read their prompt; all of them."""
        failed = [answer, *_unfinished(answer.siblings)]
        for one in failed:
            one.error = error
            self._finish(one)
        return failed

    def _finish(self, answer: Answer) -> None:
        answer.is_finished = True
        self.scheduler.finish(answer)


def _unfinished(answers: Iterable[Answer]) -> list[Answer]:
    return [answer for answer in answers if not answer.is_finished]


def _weight_bytes(model: Mixtral) -> WeightBytes:
    """What a step reads of a model's weights; only the proportion matters."""
    g = model.geometry
    kind = WEIGHT_TYPES["F16"]
    one, count = expert_bytes(g, kind), g.num_layers * g.num_experts
    return WeightBytes(weight_bytes(g, kind) - one * count, one, count)

"""lm-eval's requests, answered by the engine.

Texts become tokens as in lm-eval's own backend for Hugging Face models, so that both score the
same: spaces at the end of a context go to the continuation; context and continuation are encoded
together and cut where the context alone ends; BOS stands in front where the model wants one, and
in front of a continuation without a context in any case; what is too long loses its beginning.
One thing differs: text such as ``</s>`` stays text.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.evaluation.asking import finished
from ostro.evaluation.likelihood import Continuation, Likelihood, likelihoods
from ostro.runtime.extras import require_extra
from ostro.runtime.progress import Progress

EXTRA = "evaluate"
"""The package's optional dependencies that bring lm-eval."""
_MOST_TOKENS = 256
"""What lm-eval lets a model write where a task says nothing."""
_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_OPTIONS = {"until", "do_sample", "temperature", "top_p", "top_k", *_LENGTHS}


@dataclass(frozen=True)
class Scored:
    """A context and a continuation in tokens."""

    continuation: Continuation
    cut: int
    """Tokens at the beginning that the context had no room for."""


@dataclass(frozen=True)
class Written:
    """A prompt in tokens, and how it is to be continued."""

    request: Request
    cut: int
    """As in :class:`Scored`."""


class EngineHarness:
    """A model that takes what lm-eval asks; nothing here needs lm-eval itself."""

    def __init__(self, llm: LLM, progress: Progress) -> None:
        self._llm, self._progress = llm, progress

    @property
    def max_length(self) -> int:
        """Tokens that the model reads before it judges the last one."""
        # The engine wants room for that one, and for the token that ends a request.
        return self._llm.context - 2

    @property
    def prefix_token(self) -> int:
        """What stands before a text that follows nothing: BOS, or EOS where there is none."""
        tokenizer = self._llm.tokenizer
        token = tokenizer.eos_id if tokenizer.bos_id is None else tokenizer.bos_id
        if token is None:
            raise OstroError(f"{self._llm.name} has neither BOS nor EOS, which lm-eval needs")
        return token

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, with BOS where the model wants one."""
        return self._llm.encode(text)

    def scored(self, context: str, continuation: str) -> Scored:
        """What is to be read to judge ``continuation``."""
        before, after = self._pair(context, continuation)
        ids = before + after
        cut = max(0, len(ids) - self.max_length - 1)
        if len(after) > self.max_length:
            raise OstroError(
                f"an answer to judge has {len(after)} tokens and the context holds "
                f"{self._llm.context}; give a larger --context"
            )
        return Scored(Continuation(tuple(ids[cut:]), len(after)), cut)

    def written(self, context: str, options: Mapping[str, Any], seed: int, n: int = 1) -> Written:
        """What is to be read to continue ``context`` with lm-eval's generation options."""
        params = sampling(options, seed, n)
        assert params.max_tokens is not None
        room = self.max_length - params.max_tokens
        if room < 1:
            raise OstroError(
                f"an answer may have {params.max_tokens} tokens and the context holds "
                f"{self._llm.context}; give a larger --context"
            )
        ids = self.encode(context)
        request = Request(prompt_ids=ids[-room:], params=params, mid_text=True)
        return Written(request, max(0, len(ids) - room))

    def score(
        self, asked: Sequence[Scored], label: str = "scoring"
    ) -> Iterator[tuple[int, Likelihood]]:
        """The number of each continuation with its likelihood, as they are done."""
        return likelihoods(self._llm, [one.continuation for one in asked], self._progress, label)

    def write(
        self, asked: Sequence[Written], label: str = "answering"
    ) -> Iterator[tuple[int, list[str]]]:
        """The number of each prompt with its answers, as they are done."""
        # Neighbours in this order share the most.
        order = sorted(
            range(len(asked)), key=lambda number: tuple(asked[number].request.prompt_ids)
        )
        requests = [asked[number].request for number in order]
        for place, answers in finished(self._llm, requests, self._progress, label):
            yield order[place], [self._llm.gather(one, one.take()).text for one in answers]

    def _pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        if not context:
            ids = self._llm.tokenizer.encode(continuation)
            same = bool(ids) and ids[0] == self.prefix_token
            return (ids[:1], ids[1:]) if same else ([self.prefix_token], ids)
        bare = context.rstrip()
        whole = self.encode(context + continuation)
        # A merge over the boundary may leave nothing after it; the last token is judged then.
        boundary = min(len(self.encode(bare)), len(whole) - 1)
        return (whole[:boundary] or [self.prefix_token]), whole[boundary:]


def sampling(options: Mapping[str, Any], seed: int, n: int = 1) -> SamplingParams:
    """lm-eval's generation options as the engine knows them; an unknown one is refused."""
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise OstroError(f"a task asks for {unknown[0]!r}, which ostro does not do")
    lengths = [options[name] for name in _LENGTHS if options.get(name) is not None]
    until = options.get("until") or ()
    stops = (until,) if isinstance(until, str) else tuple(until)
    samples = options.get("do_sample")
    temperature = options.get("temperature", 1.0 if samples else 0.0)
    return SamplingParams(
        max_tokens=lengths[0] if lengths else _MOST_TOKENS,
        temperature=0.0 if samples is False else temperature,
        top_p=options.get("top_p", 1.0),
        top_k=options.get("top_k", 0),
        stop=tuple(text for text in stops if text),
        seed=seed,
        n=n,
    )


def lm_eval_model(llm: LLM, progress: Progress, seed: int = 0) -> Any:
    """An ``lm_eval.api.model.LM`` whose requests go through the engine.

    For all that lm-eval's own evaluator can do: ``lm_eval.simple_evaluate(model=...)``. Sampled
    answers differ by their place among the requests.
    """
    base: Any = require_extra("lm_eval.api.model", EXTRA).LM
    harness = EngineHarness(llm, progress)

    class EngineLM(base):  # type: ignore[misc]
        """The engine behind lm-eval's interface."""

        def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
            asked = [harness.scored(*one.args) for one in requests]
            found = _in_order(harness.score(asked), len(asked))
            return [(one.logprob, one.is_greedy) for one in found]

        def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
            windows = [list(_windows(harness, *one.args)) for one in requests]
            asked = [window for group in windows for window in group]
            found = iter(_in_order(harness.score(asked), len(asked)))
            return [sum(next(found).logprob for _ in group) for group in windows]

        def generate_until(self, requests: Sequence[Any]) -> list[str]:
            asked = [
                harness.written(one.args[0], one.args[1], seed + number)
                for number, one in enumerate(requests)
            ]
            return [text for (text,) in _in_order(harness.write(asked), len(asked))]

    return EngineLM()


def _windows(harness: EngineHarness, text: str) -> Iterator[Scored]:
    """Pieces of a text, each of its tokens judged once, with as much before it as has room."""
    utils: Any = require_extra("lm_eval.utils", EXTRA)
    windows = utils.get_rolling_token_windows(
        token_list=harness.encode(text),
        prefix_token=harness.prefix_token,
        max_seq_len=harness.max_length,
        context_len=1,
    )
    for before, after in map(utils.make_disjoint_window, windows):
        yield Scored(Continuation((*before, *after), len(after)), 0)


def _in_order(found: Iterable[tuple[int, Any]], count: int) -> list[Any]:
    by_number = dict(found)
    return [by_number[number] for number in range(count)]

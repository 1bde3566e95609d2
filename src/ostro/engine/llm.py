"""The object that :func:`ostro.load` returns: a model and its tokenizer, ready to answer."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ostro.engine.generate import Completion, Piece, Timer, complete, generate
from ostro.engine.sampling import SamplingParams
from ostro.engine.session import Session
from ostro.errors import OstroError
from ostro.model import Mixtral
from ostro.runtime.settings import Settings
from ostro.text.messages import Message, parse_messages
from ostro.text.raw_prompt import encode_raw
from ostro.text.safe_prompt import with_safe_prompt
from ostro.text.tokenizer import Tokenizer
from ostro.text.tools import AUTO, Tool, ToolChoice
from ostro.weights.expert_pool import PoolMetrics

Messages = Sequence[Message | Mapping[str, Any]]


class LLM:
    """A language model. One conversation at a time: calls reuse the cache of the one before."""

    def __init__(
        self,
        model: Mixtral,
        tokenizer: Tokenizer | None,
        *,
        name: str,
        settings: Settings,
        context: int,
        experts: PoolMetrics | None = None,
    ) -> None:
        self.experts = experts
        """What the pool of experts did; None where all experts are in memory."""
        self.model, self.name, self.settings, self.context = model, name, settings, context
        self._tokenizer = tokenizer
        self._session = Session(model, context)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer; a model that came without one only gives :meth:`logits`."""
        if self._tokenizer is None:
            raise OstroError(
                f"{self.name} came without a tokenizer, so it only gives logits; "
                "put tokenizer.json or tokenizer.model beside its weights"
            )
        return self._tokenizer

    @property
    def has_tokenizer(self) -> bool:
        """Whether text goes in and out, or only token ids."""
        return self._tokenizer is not None

    @property
    def cache_bytes(self) -> int:
        """Bytes of keys and values in use."""
        return self._session.cache_bytes

    def chat(self, messages: Messages, *, safe_prompt: bool = False, **sampling: Any) -> Completion:
        """Answer a conversation. ``sampling`` are the fields of :class:`SamplingParams`.

        Where the last message is the assistant's with ``prefix``, the text begins with it.
        """
        parsed = parse_messages(messages)
        ids = self.encode_chat(parsed, safe_prompt=safe_prompt)
        prefix = parsed[-1].content if parsed[-1].prefix else ""
        completion = self._complete(ids, sampling, mid_text=bool(prefix))
        return replace(completion, text=prefix + completion.text)

    def generate(self, text: str, *, raw: bool = False, **sampling: Any) -> Completion:
        """Continue ``text``; with ``raw``, ``<s>`` and ``</s>`` in it are BOS and EOS."""
        return self._complete(self.encode(text, raw=raw), sampling, mid_text=not raw)

    def stream(
        self,
        prompt: str | Messages,
        *,
        raw: bool = False,
        safe_prompt: bool = False,
        timer: Timer | None = None,
        **sampling: Any,
    ) -> Iterator[Piece]:
        """Like :meth:`generate` (a text) or :meth:`chat` (messages), piece by piece."""
        if isinstance(prompt, str):
            ids, mid_text = self.encode(prompt, raw=raw), not raw
        else:
            messages = parse_messages(prompt)
            ids = self.encode_chat(messages, safe_prompt=safe_prompt)
            mid_text = messages[-1].prefix
        return self._generate(ids, _params(sampling), timer or Timer(), mid_text=mid_text)

    def logits(self, token_ids: Sequence[int]) -> Tensor:
        """Float32 logits ``[T, V]``: row t tells what follows token t."""
        return Session(self.model, max(len(token_ids), 1)).feed(token_ids, all_logits=True)

    def measure_speed(self, tokens: int = 8) -> float:
        """Decoding speed here and now, in tokens a second, from a few tokens after a short text."""
        session = Session(self.model, 64)
        ids = list(range(16))
        session.feed(ids)
        session.feed(ids[:1])  # The first single token is slower: buffers are made.
        start = time.perf_counter()
        for _ in range(tokens):
            session.feed(ids[:1])
        return tokens / (time.perf_counter() - start)

    def encode(self, text: str, *, raw: bool = False) -> list[int]:
        """Token ids of a plain or raw prompt, with BOS where the model wants one."""
        if raw:
            return encode_raw(self.tokenizer, text)
        ids = self.tokenizer.encode(text)
        bos = self.tokenizer.bos_id
        return [bos, *ids] if self.tokenizer.adds_bos and bos is not None else ids

    def encode_chat(
        self,
        messages: Sequence[Message],
        *,
        safe_prompt: bool = False,
        tools: Sequence[Tool] = (),
        tool_choice: ToolChoice = AUTO,
    ) -> list[int]:
        """Token ids of a conversation up to the answer; the model is shown ``tools``."""
        if safe_prompt:
            messages = with_safe_prompt(messages)
        return self.tokenizer.encode_chat(messages, tools, tool_choice)

    def _generate(
        self, ids: Sequence[int], params: SamplingParams, timer: Timer, *, mid_text: bool
    ) -> Iterator[Piece]:
        return generate(self._session, self.tokenizer, ids, params, timer, mid_text=mid_text)

    def _complete(
        self, ids: Sequence[int], sampling: Mapping[str, Any], *, mid_text: bool
    ) -> Completion:
        timer = Timer()
        return complete(
            self._generate(ids, _params(sampling), timer, mid_text=mid_text),
            timer,
            prompt_tokens=len(ids),
            eos=self.tokenizer.eos_ids,
            model=self.name,
        )


def _params(sampling: Mapping[str, Any]) -> SamplingParams:
    """Sampling parameters from keyword arguments; an unknown one is an error."""
    known = SamplingParams.__dataclass_fields__
    unknown = sorted(set(sampling) - set(known))
    if unknown:
        raise OstroError(f"unknown option {unknown[0]!r}; known: {', '.join(known)}")
    values = dict(sampling)
    stop = values.get("stop")
    if stop is not None:
        values["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    else:
        values.pop("stop", None)
    return SamplingParams(**values)

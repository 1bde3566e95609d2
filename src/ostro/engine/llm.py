"""The object that :func:`ostro.load` returns: a model and its tokenizer, ready to answer."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from ostro.config import WEIGHT_TYPES, WeightType
from ostro.engine.answer import Answer
from ostro.engine.completion import Completion, Timer, complete
from ostro.engine.core import EngineCore
from ostro.engine.output_format import OutputFormat
from ostro.engine.params import SamplingParams
from ostro.engine.request import Piece, Request
from ostro.engine.scheduler import StepBudget
from ostro.engine.session import Session
from ostro.errors import OstroError
from ostro.model import Mixtral
from ostro.model.steering import Steering, parse_steering
from ostro.runtime.progress import Progress, TerminalProgress
from ostro.runtime.settings import Settings
from ostro.text.messages import Message, parse_messages
from ostro.text.raw_prompt import encode_raw
from ostro.text.safe_prompt import with_safe_prompt
from ostro.text.tokenizer import Tokenizer
from ostro.text.tools import AUTO, Tool, ToolChoice
from ostro.weights.adapters import read_adapter
from ostro.weights.expert_pool import PoolMetrics

Messages = Sequence[Message | Mapping[str, Any]]


@dataclass(frozen=True)
class CacheSize:
    """What is kept of keys and values: in which type, and of how many tokens."""

    type: WeightType
    tokens: int


class LLM:
    """A language model. Later calls reuse what earlier ones computed of the same beginning."""

    def __init__(
        self,
        model: Mixtral,
        tokenizer: Tokenizer | None,
        *,
        name: str,
        settings: Settings,
        context: int,
        experts: PoolMetrics | None = None,
        cache: CacheSize | None = None,
    ) -> None:
        self.cache = cache or CacheSize(WEIGHT_TYPES[model.cache_type], context)
        """What is kept of keys and values."""
        self.experts = experts
        """What the pool of experts did; None where all experts are in memory."""
        self.model, self.name, self.settings, self.context = model, name, settings, context
        self._tokenizer = tokenizer
        self.lock = threading.Lock()
        """Held while the model computes: the kernels take one call at a time."""

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

    @cached_property
    def core(self) -> EngineCore:
        """What turns requests into tokens; made when it is first wanted."""
        return self.new_core()

    def new_core(self, budget: StepBudget | None = None) -> EngineCore:
        """A core with pages of its own, as many as the memory plan allows."""
        return EngineCore(
            self.model,
            self.tokenizer,
            context=self.context,
            cache_tokens=self.cache.tokens,
            cache_type=self.cache.type.name,
            budget=budget,
            lock=self.lock,
        )

    @property
    def cache_bytes(self) -> int:
        """Bytes of keys and values in use."""
        return self.core.cache_bytes if self.has_tokenizer else 0

    def chat(self, messages: Messages, **options: Any) -> Completion:
        """Answer a conversation. ``options`` are those of :meth:`request`.

        Where the last message is the assistant's with ``prefix``, the text begins with it.
        """
        parsed = parse_messages(messages)
        completion = self._complete(self.request(parsed, **options))
        prefix = parsed[-1].content if parsed[-1].prefix else ""
        return replace(completion, text=prefix + completion.text)

    def generate(self, text: str, **options: Any) -> Completion:
        """Continue ``text``. ``options`` are those of :meth:`request`."""
        return self._complete(self.request(text, **options))

    def batch(
        self,
        prompts: Sequence[str | Messages | Request],
        *,
        progress: Progress | None = None,
        **options: Any,
    ) -> list[Completion]:
        """Answer many prompts at once, each as :meth:`request` understands it.

        The answers come in the order of the prompts, and where ``n`` are asked for, all choices of
        a prompt one after another. Each is what it would be alone.
        """
        progress = TerminalProgress() if progress is None else progress
        requests = [
            prompt if isinstance(prompt, Request) else self.request(prompt, **options)
            for prompt in prompts
        ]
        answers = [answer for one in requests for answer in self.core.prepare(one)]
        try:
            self.core.enter(answers)
            with progress.task("answering", len(answers), "items") as advance:
                while not all(answer.is_finished for answer in answers):
                    advance(sum(answer.is_finished for answer in self.core.step()))
        finally:
            self.core.cancel(answers)
        return [self.gather(answer, answer.take()) for answer in answers]

    def stream(
        self,
        prompt: str | Messages | Request,
        *,
        timer: Timer | None = None,
        **options: Any,
    ) -> Iterator[Piece]:
        """The answer to ``prompt``, as :meth:`request` understands it, piece by piece."""
        request = prompt if isinstance(prompt, Request) else self.request(prompt, **options)
        return self._stream(request, timer or Timer())

    def request(
        self,
        prompt: str | Messages,
        *,
        raw: bool = False,
        safe_prompt: bool = False,
        routing: bool = False,
        prompt_routing: bool = False,
        steering: Steering | Mapping[str, Any] | None = None,
        adapter: str | None = None,
        output_format: OutputFormat | None = None,
        **sampling: Any,
    ) -> Request:
        """A text to continue, or messages to answer, as the engine takes it.

        With ``raw``, ``<s>`` and ``</s>`` in a text are BOS and EOS. ``routing`` and
        ``prompt_routing`` ask which experts the tokens took, and ``steering`` says which they
        should (:func:`ostro.model.steering.parse_steering` tells the form of a mapping).
        ``adapter`` names one that :meth:`add_adapter` read. ``output_format`` is the form that the
        answer must have (:mod:`ostro.engine.output_format`).
        ``sampling`` are the fields of :class:`SamplingParams`.
        """
        if isinstance(prompt, str):
            ids, mid_text = self.encode(prompt, raw=raw), not raw
        else:
            messages = parse_messages(prompt)
            ids = self.encode_chat(messages, safe_prompt=safe_prompt)
            mid_text = messages[-1].prefix
        if isinstance(steering, Mapping):
            steering = parse_steering(steering)
        return Request(
            prompt_ids=ids,
            params=SamplingParams.of(**sampling),
            mid_text=mid_text,
            routing=routing,
            prompt_routing=prompt_routing,
            steering=steering,
            adapter=adapter,
            output_format=output_format,
        )

    def add_adapter(self, folder: str | Path, name: str | None = None) -> str:
        """Read a LoRA adapter in PEFT's layout; requests may then name it. Gives its name.

        Requests with different adapters, and with none, are computed together.
        """
        path = Path(folder).expanduser()
        geometry, device = self.model.geometry, self.model.device
        adapter = read_adapter(path, geometry, name=name, device=device)
        self.model.adapters.add(adapter)
        return adapter.name

    def gather(self, answer: Answer, pieces: Iterable[Piece]) -> Completion:
        """The whole of an answer, from its pieces among ``pieces``."""
        if answer.error is not None:
            raise answer.error
        return complete(
            (piece for piece in pieces if piece.choice == answer.choice),
            answer.timer,
            prompt_tokens=answer.prompt_length,
            eos=answer.ends,
            model=self.name,
        )

    def logits(self, token_ids: Sequence[int]) -> Tensor:
        """Float32 logits ``[T, V]``: row t tells what follows token t."""
        with self.lock:
            return Session(self.model, max(len(token_ids), 1)).feed(token_ids, all_logits=True)

    def measure_speed(self, tokens: int = 8) -> float:
        """Decoding speed here and now, in tokens a second, from a few tokens after a short text."""
        session = Session(self.model, 64)
        ids = list(range(16))
        with self.lock:
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

    def _stream(self, request: Request, timer: Timer) -> Iterator[Piece]:
        if request.params.n != 1:
            raise OstroError("n > 1 gives several answers; ask for them with batch")
        (answer,) = self.core.prepare(request)
        answer.timer = timer
        self.core.enter([answer])
        try:
            while not answer.is_finished:
                self.core.step()
                yield from answer.take()
        finally:
            self.core.cancel([answer])
        if answer.error is not None:
            raise answer.error

    def _complete(self, request: Request) -> Completion:
        timer = Timer()
        return complete(
            self._stream(request, timer),
            timer,
            prompt_tokens=len(request.prompt_ids),
            eos=request.params.ends(self.tokenizer.eos_ids),
            model=self.name,
        )

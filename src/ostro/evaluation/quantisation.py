"""What quantising cost: a model beside its quantised self, on the same text.

Both read the text in the same windows. At every token but a window's last they predict what comes
next; with P the full model's probabilities and Q the quantised one's,

- perplexity is exp of the mean of -ln P(next token), or of -ln Q;
- the divergence of a token is KL(P || Q) = sum P (ln P - ln Q), in nats;
- they agree where both find the same next token likeliest;
- a token's experts stay where its set of K experts in a layer is the same in both.
"""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.engine.llm import LLM
from ostro.engine.session import Session
from ostro.errors import OstroError
from ostro.evaluation.text_windows import text_windows
from ostro.model.routing import Routing, kept_routing
from ostro.runtime.progress import Progress

WINDOW = 512
"""Tokens that are read together unless somebody says otherwise."""
_STEP = 256


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was found."""

    full: str
    quantised: str
    tokens: int
    """Tokens that were predicted."""
    window: int
    full_perplexity: float
    quantised_perplexity: float
    divergence: float
    """Mean over the tokens, in nats."""
    divergence_error: float
    """Standard error of that mean."""
    median_divergence: float
    agreement: float
    """Share of tokens, as are the following."""
    same_experts: tuple[float, ...]
    """Layer by layer; empty for a dense model."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"same_experts": list(self.same_experts)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Comparison":
        """What :meth:`to_dict` gave."""
        return cls(**{**values, "same_experts": tuple(values["same_experts"])})


def compare(full: LLM, quantised: LLM, text: str, window: int, progress: Progress) -> Comparison:
    """Read ``text`` in windows of so many tokens with both models, which are in memory at once."""
    require_one_model(*((llm.name, llm.model.geometry) for llm in (full, quantised)))
    windows = _windows(full, quantised, text, window)
    tally = _Tally(full.model.geometry.num_layers if full.model.geometry.is_sparse else 0)
    with ExitStack() as stack:
        readers = [
            _Reader(llm, stack.enter_context(kept_routing(llm.model)), window)
            for llm in (full, quantised)
        ]
        total = sum(len(ids) - 1 for ids in windows)
        advance = stack.enter_context(progress.task("comparing", total, "items"))
        for ids in windows:
            for reader in readers:
                reader.start()
            for start in range(0, len(ids) - 1, _STEP):
                part = ids[start : min(start + _STEP, len(ids) - 1)]
                targets_T = torch.tensor(ids[start + 1 : start + 1 + len(part)])
                tally.add(targets_T, *(reader.read(part) for reader in readers))
                advance(len(part))
    return tally.comparison(full.name, quantised.name, window)


@dataclass(frozen=True)
class _Step:
    """What one model says to some tokens."""

    log_p_TV: Tensor
    chosen: list[Tensor]
    """Experts ``[T, K]`` of every layer, in the order of their numbers."""


class _Reader:
    """One model, reading windows."""

    def __init__(self, llm: LLM, routing: Routing, window: int) -> None:
        self._llm, self._routing, self._window = llm, routing, window
        self.start()

    def start(self) -> None:
        """Begin a window."""
        # Steps of one chunk: the routing that is kept is that of all tokens in it.
        self._session = Session(self._llm.model, self._window, chunk=_STEP)

    def read(self, ids: list[int]) -> _Step:
        logits = self._session.feed(ids, all_logits=True).cpu().double()
        chosen = [experts_TK.cpu().sort(dim=-1).values for experts_TK in self._routing.chosen()]
        return _Step(logits.log_softmax(-1), chosen)


class _Tally:
    """Sums over tokens."""

    def __init__(self, num_layers: int) -> None:
        self._losses = [0.0, 0.0]
        self._divergences: list[Tensor] = []
        self._agreed = 0
        self._stayed = [0] * num_layers

    def add(self, targets_T: Tensor, full: _Step, quantised: _Step) -> None:
        for index, step in enumerate((full, quantised)):
            self._losses[index] -= step.log_p_TV.gather(1, targets_T[:, None]).sum().item()
        p_TV, q_TV = full.log_p_TV, quantised.log_p_TV
        self._divergences.append((p_TV.exp() * (p_TV - q_TV)).sum(-1))
        self._agreed += int((p_TV.argmax(-1) == q_TV.argmax(-1)).sum())
        for layer, (before, after) in enumerate(zip(full.chosen, quantised.chosen, strict=True)):
            self._stayed[layer] += int((before == after).all(-1).sum())

    def comparison(self, full: str, quantised: str, window: int) -> Comparison:
        divergences = torch.cat(self._divergences)
        count = len(divergences)
        deviation = divergences.std(correction=0).item()
        return Comparison(
            full=full,
            quantised=quantised,
            tokens=count,
            window=window,
            full_perplexity=math.exp(self._losses[0] / count),
            quantised_perplexity=math.exp(self._losses[1] / count),
            divergence=divergences.mean().item(),
            divergence_error=deviation / math.sqrt(count),
            median_divergence=divergences.median().item(),
            agreement=self._agreed / count,
            same_experts=tuple(stayed / count for stayed in self._stayed),
        )


def require_one_model(full: tuple[str, Geometry], quantised: tuple[str, Geometry]) -> None:
    """Refuse two models, each a name and a geometry, that cannot be one and the same."""
    shapes = [_shape(geometry) for _, geometry in (full, quantised)]
    if shapes[0] != shapes[1]:
        raise OstroError(
            f"these are not one model: {full[0]} has {shapes[0]}, {quantised[0]} {shapes[1]}"
        )


def _shape(geometry: Geometry) -> str:
    g = geometry
    experts = f" of {g.num_experts} experts, {g.top_k} a token" if g.is_sparse else ""
    return f"{g.vocab_size} tokens and {g.num_layers} layers{experts}"


def _windows(full: LLM, quantised: LLM, text: str, size: int) -> list[list[int]]:
    """The text's tokens in windows of at most ``size``, each begun as a text of its own is."""
    ids = full.encode(text)
    if quantised.has_tokenizer and quantised.encode(text) != ids:
        raise OstroError(f"{full.name} and {quantised.name} cut the text into different tokens")
    beginning = full.encode("")
    if size - len(beginning) < 2 or len(ids) < 2:
        raise OstroError("there is nothing to predict: text and window need two tokens at least")
    return text_windows(ids, beginning, size)

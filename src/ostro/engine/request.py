"""What is asked of the engine, and what it gives back, token by token."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from torch import Tensor

from ostro.engine.logprobs import TokenLogprobs
from ostro.engine.output_format import OutputFormat
from ostro.engine.params import SamplingParams
from ostro.errors import OstroError
from ostro.model.steering import Steering

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One prompt, to be answered ``params.n`` times."""

    prompt_ids: Sequence[int]
    params: SamplingParams = field(default_factory=SamplingParams)
    mid_text: bool = False
    """Whether an answer continues a text, so that a space in front of it stays."""
    routing: bool = False
    """Whether to tell which experts chose each token of the answers."""
    prompt_routing: bool = False
    """Whether to tell which experts read each token of the prompt."""
    report_from: int = 0
    """The first token of the prompt that is to be told of, where something is asked about it."""
    steering: Steering | None = None
    """What is wanted of the router."""
    output_format: OutputFormat | None = None
    """What form the answers must have."""
    adapter: str | None = None
    """The adapter that its tokens are computed with, by name."""

    def check(self) -> None:
        """Refuse what makes no sense together."""
        params = self.params
        if self.output_format is None:
            return
        # Each of these could end an answer in the midst of its form, or keep it from ending.
        cuts = {"stop": params.stop, "stop_token_ids": params.stop_token_ids}
        others = {"min_tokens": params.min_tokens, "ignore_eos": params.ignore_eos}
        for name, value in (cuts | others).items():
            if value:
                raise OstroError(f"{name} does not go with an output format; leave one of them out")

    @property
    def reports(self) -> bool:
        """Whether something is asked about the tokens of the prompt."""
        return self.prompt_routing or self.params.prompt_logprobs is not None


@dataclass(frozen=True, eq=False)
class TokenRouting:
    """The experts that one row of a step chose, best first, and their weights, layer by layer."""

    experts_LK: Tensor
    """Expert -1 stands in slots that the row did not use."""
    weights_LK: Tensor

    def to_dict(self) -> dict[str, Any]:
        """Plain values: for each layer the experts, and their weights."""
        used = [[expert for expert in row if expert >= 0] for row in self.experts_LK.tolist()]
        weights = self.weights_LK.tolist()
        return {
            "experts": used,
            "weights": [row[: len(experts)] for row, experts in zip(weights, used, strict=True)],
        }


@dataclass
class PromptReport:
    """What was asked about the tokens of a prompt."""

    logprobs: list[TokenLogprobs] = field(default_factory=list)
    """From the second token of the prompt on, since the first follows nothing."""
    routing: list[TokenRouting] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "logprobs": [asdict(logprobs) for logprobs in self.logprobs],
            "routing": [routing.to_dict() for routing in self.routing],
        }


@dataclass(frozen=True)
class Piece:
    """What one token brought: whole characters, perhaps none yet."""

    text: str
    token_id: int
    finish_reason: FinishReason | None = None
    choice: int = 0
    """Which of the request's answers this belongs to."""
    logprobs: TokenLogprobs | None = None
    routing: TokenRouting | None = None
    """Of the step that chose the token: it read the token before."""
    prompt: PromptReport | None = None
    """With the first piece of the first answer, if something was asked about the prompt."""

"""Options that several sub-commands share, and the small objects they become."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostro.errors import OstroError

if TYPE_CHECKING:  # It would import PyTorch before a command is known.
    from ostro.model.steering import Steering

MaxTokens = Annotated[
    int | None, typer.Option(min=1, help="Most tokens to generate [default: until EOS or context].")
]
Temperature = Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")]
TopP = Annotated[float, typer.Option(min=0, max=1, help="Keep the likeliest up to this sum.")]
TopK = Annotated[int, typer.Option(min=0, help="Keep this many; 0 keeps all.")]
MinP = Annotated[float, typer.Option(min=0, max=1, help="Keep this share of the likeliest.")]
RepetitionPenalty = Annotated[float, typer.Option(help="Over 1 avoids what was said before.")]
Penalty = Annotated[
    float,
    typer.Option(min=-2, max=2, help="Over 0 avoids what the answer said, as in OpenAI's API."),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Makes sampling repeatable.")]
Stop = Annotated[list[str] | None, typer.Option(help="End before this text; may be repeated.")]
SteeringJson = Annotated[
    str | None,
    typer.Option("--steering", help='Steer the router: JSON such as {"force": [3]}, or @FILE.'),
]
Routing = Annotated[bool, typer.Option("--routing", help="With --json, tell each token's experts.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Compute threads [default: all cores].")]
Context = Annotated[
    int | None, typer.Option(min=1, help="Tokens of context [default: the model's limit].")
]
Memory = Annotated[
    str | None,
    typer.Option(help="Cap on the process, such as 8GiB; experts beyond it stay on disk."),
]
CacheType = Annotated[
    str | None,
    typer.Option(help="Keep keys and values in F32, F16, BF16 or Q8_0 [default: as the weights]."),
]
RopeScaling = Annotated[
    str | None,
    typer.Option(
        "--rope-scaling",
        help="Read FACTOR times as far: yarn:4, linear:4, ntk:4, or JSON as in config.json.",
    ),
]
ComputeType = Annotated[str | None, typer.Option("--type", help="Compute in F32, BF16 or F16.")]
WeightTypeOption = Annotated[
    str | None, typer.Option("--type", help="A weight type, such as BF16 or Q4_0.")
]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def check_routing(routing: bool, *, as_json: bool) -> None:
    """Refuse ``--routing`` where nothing shows it."""
    if routing and not as_json:
        raise OstroError("--routing adds to the JSON document; give --json as well")


@dataclass(frozen=True)
class Sampling:
    """How to choose tokens and experts, as given on the command line."""

    max_tokens: int | None
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    seed: int | None
    stop: list[str]
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    steering: "Steering | None" = None
    routing: bool = False

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the engine."""
        return dict(vars(self))


@dataclass(frozen=True)
class Running:
    """Where and in what precision to compute."""

    threads: int | None
    context: int | None
    memory: str | None
    kind: str | None
    device: str
    cache_type: str | None = None
    rope_scaling: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for ``ostro.load``."""
        return {
            "rope_scaling": self.rope_scaling,
            "cache_type": self.cache_type,
            "threads": self.threads,
            "context": self.context,
            "memory": self.memory,
            "dtype": self.kind,
            "device": self.device,
        }

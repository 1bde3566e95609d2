"""Options that several sub-commands share, and the groups in which they come.

:func:`ostro.cli.option_groups.grouped` makes options of a group's fields.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ostro.errors import OstroError

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
MaxConcurrency = Annotated[int, typer.Option(min=1, help="Answers computed at once.")]
ServedTemperature = Annotated[
    float, typer.Option(min=0, max=2, help="For requests that name none.")
]
ServedTokens = Annotated[
    int, typer.Option(min=1, help="Most tokens of an answer where a request names none.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def check_routing(routing: bool, *, as_json: bool) -> None:
    """Refuse ``--routing`` where nothing shows it."""
    if routing and not as_json:
        raise OstroError("--routing adds to the JSON document; give --json as well")


@dataclass(frozen=True)
class Sampling:
    """How to choose tokens and experts."""

    max_tokens: MaxTokens = None
    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    top_k: TopK = 0
    min_p: MinP = 0.0
    repetition_penalty: RepetitionPenalty = 1.0
    presence_penalty: Penalty = 0.0
    frequency_penalty: Penalty = 0.0
    seed: Seed = None
    stop: Stop = None
    steering: SteeringJson = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the engine; steering that can't be read is an OstroError."""
        from ostro.cli.inputs import read_steering

        return vars(self) | {"stop": self.stop or [], "steering": read_steering(self.steering)}


@dataclass(frozen=True)
class ToldSampling(Sampling):
    """The same, and whether each token's experts are told."""

    routing: Routing = False


@dataclass(frozen=True)
class Precision:
    """In what precision to compute, and how far to read: what results depend on."""

    context: Context = None
    cache_type: CacheType = None
    rope_scaling: RopeScaling = None
    kind: ComputeType = None
    device: Device = "cpu"


@dataclass(frozen=True)
class Running(Precision):
    """Where and in what precision to compute."""

    threads: Threads = None
    memory: Memory = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for ``ostro.load``."""
        values = dict(vars(self))
        return values | {"dtype": values.pop("kind")}


@dataclass(frozen=True)
class Serving:
    """How answers are computed together, and what holds for requests that don't say."""

    max_concurrency: MaxConcurrency = 32
    temperature: ServedTemperature = 0.0
    max_tokens: ServedTokens = 1024

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the server's options."""
        values = dict(vars(self))
        return values | {"concurrency": values.pop("max_concurrency")}

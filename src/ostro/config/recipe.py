"""Recipes: everything that decides a training run, as frozen dataclasses read from TOML.

What each number should be stands in the files of ``recipes/``, with its source; defaults here are
the common ones. The resolved recipe is stored in every checkpoint.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ostro.config.geometry import Geometry
from ostro.config.strict_tables import parse_table, parse_toml, with_changes
from ostro.errors import OstroError

Task = Literal["pretrain", "sft", "dpo"]


@dataclass(frozen=True, kw_only=True)
class Start:
    """``[model]``: where the weights come from."""

    path: str = ""
    """A model's name, folder or file; or empty, for new weights of ``geometry``."""
    geometry: Geometry | None = None
    tokenizer: str = ""
    """The folder of the tokenizer that the data were prepared with; empty: that of ``path``."""
    experts: int = 0
    """Upcycle a dense model to so many experts; 0: it stays as it is."""
    top_k: int = 2
    """Experts a token uses after upcycling."""
    routers: Literal["random", "clusters"] = "random"
    """How an upcycled model's routers begin: at random, or telling as many kinds of the data's
    texts apart as there are experts, so that each learns from a kind of its own."""

    def __post_init__(self) -> None:
        if bool(self.path) == (self.geometry is not None):
            raise OstroError("[model] wants either path, or geometry for new weights")
        if self.geometry is not None and not self.tokenizer:
            raise OstroError("[model] geometry needs a tokenizer: the folder that has one")
        if self.geometry is not None and self.experts:
            raise OstroError("[model] experts upcycles the model of path; geometry has num_experts")
        if self.routers == "clusters" and not self.experts:
            raise OstroError('[model] routers = "clusters" is for upcycling; set experts')
        _at_least("[model] experts", self.experts, 0)
        _at_least("[model] top_k", self.top_k, 1)


@dataclass(frozen=True, kw_only=True)
class Data:
    """``[data]``: what is read, and how much of it makes a step."""

    folder: str
    """As ``ostro data prepare`` wrote it: ``train``, and ``validation`` where there is one."""
    length: int = 1024
    """Tokens of a sample at most."""
    batch: int = 32
    """Samples of an optimizer step, over all ranks."""
    micro_batch: int = 1
    """Samples of one forward and backward pass on one rank."""
    packed: bool = True
    """Whether short conversations share a sample."""

    def __post_init__(self) -> None:
        _at_least("[data] length", self.length, 2)
        _at_least("[data] batch", self.batch, 1)
        _at_least("[data] micro_batch", self.micro_batch, 1)


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """``[optimizer]``: AdamW (Loshchilov and Hutter, 2019)."""

    lr: float
    """The highest learning rate."""
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.1
    """For matrices; norms have none."""
    clip: float = 1.0
    """Gradients are scaled down to this norm; 0: never."""

    def __post_init__(self) -> None:
        _above("[optimizer] lr", self.lr, 0)
        _above("[optimizer] eps", self.eps, 0)
        _within("[optimizer] beta1", self.beta1, 0, 1)
        _within("[optimizer] beta2", self.beta2, 0, 1)
        _at_least("[optimizer] weight_decay", self.weight_decay, 0)
        _at_least("[optimizer] clip", self.clip, 0)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """``[schedule]``: how long, and the learning rate on the way."""

    kind: Literal["cosine", "wsd", "linear", "constant"] = "cosine"
    """``wsd``: warmup, stable, decay; linear in its last part."""
    steps: int = 0
    """Optimizer steps; 0: as ``epochs`` say."""
    epochs: float = 0.0
    """Times the data are read; 0: as ``steps`` say."""
    warmup: float = 0.0
    """Share of the steps in which the rate rises to its highest."""
    decay: float = 0.2
    """``wsd``: share of the steps in which it falls at the end."""
    final: float = 0.1
    """The last rate as a share of the highest."""

    def __post_init__(self) -> None:
        if (self.steps > 0) == (self.epochs > 0):
            raise OstroError("[schedule] wants either steps or epochs above 0")
        _at_least("[schedule] steps", self.steps, 0)
        _within("[schedule] warmup", self.warmup, 0, 1)
        _within("[schedule] decay", self.decay, 0, 1)
        _within("[schedule] final", self.final, 0, 1)


@dataclass(frozen=True, kw_only=True)
class Router:
    """``[router]``: what keeps experts in use (:mod:`ostro.objectives.router`)."""

    balance: float = 0.0
    """Weight of the balance loss, which is 1 when balanced."""
    memory: float = 0.0
    """What is balanced: with 0 each micro-batch by itself, and an expert can't have a kind of text
    for itself; else all steps so far, each counting this much less than the next one."""
    z: float = 0.0
    """Weight of the z-loss."""

    def __post_init__(self) -> None:
        _at_least("[router] balance", self.balance, 0)
        _at_least("[router] z", self.z, 0)
        if not 0 <= self.memory < 1:
            raise OstroError(f"[router] memory must be at least 0 and below 1, not {self.memory}")


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """``[distillation]``: learn a parent's probabilities beside the tokens, or in their place."""

    parent: str = ""
    """A model's name, folder or file; empty: nothing of the kind."""
    data: str = ""
    """Folder of the same records prepared in the parent's own template (``ostro data prepare`` with
    the parent's tokenizer); empty: the parent reads what the model reads. Where it has but the
    first records, of the first files, the parent has no say of the others."""
    weight: float = 0.5
    """The share of the parent's loss; the tokens' has the rest. 1: only the parent."""
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.data and not self.parent:
            raise OstroError("[distillation] data is what a parent reads; name the parent too")
        _within("[distillation] weight", self.weight, 0, 1)
        _above("[distillation] temperature", self.temperature, 0)


@dataclass(frozen=True, kw_only=True)
class PreferenceOptions:
    """``[preference]``: which loss over pairs, and how strong."""

    kind: Literal["sigmoid", "ipo"] = "sigmoid"
    beta: float = 0.1
    """How dear it is to leave the reference model."""
    length_normalised: bool = False
    """Whether a log probability is divided by its answer's tokens. IPO always does."""
    chosen_nll: float = 0.0
    """The share of the chosen answer's own loss for each token: it keeps its probability from
    falling along with the rejected one's (RPO; Pang et al., 2024)."""
    reference: Literal["stored", "adapter_off"] = "stored"
    """The reference model's log probabilities: computed once, before the first step, or at every
    step by the same model without its adapter."""

    def __post_init__(self) -> None:
        if self.kind not in ("sigmoid", "ipo"):
            raise OstroError(f"[preference] kind must be sigmoid or ipo, not {self.kind!r}")
        _above("[preference] beta", self.beta, 0)
        _at_least("[preference] chosen_nll", self.chosen_nll, 0)


@dataclass(frozen=True, kw_only=True)
class LoRA:
    """``[lora]``: train low-rank additions in place of the weights (Hu et al., 2021)."""

    rank: int = 0
    """0: the weights themselves are trained."""
    alpha: float = 16.0
    """The addition's scale is alpha / rank."""
    attention: bool = True
    experts: bool = True
    router: bool = False
    """Whether the routers are trained as well: themselves, in float32, since they are tiny."""
    path: str = ""
    """An adapter in PEFT's layout to go on with; it says rank, alpha and what is adapted, and the
    recipe must say the same. Empty: a new one, which adds nothing at first."""
    quantised: bool = False
    """QLoRA (Dettmers et al., 2023): the weights stay in the blocks of their GGUF file and are
    dequantised layer by layer."""

    def __post_init__(self) -> None:
        _at_least("[lora] rank", self.rank, 0)
        _above("[lora] alpha", self.alpha, 0)
        if self.rank and not (self.attention or self.experts):
            raise OstroError("[lora] adapts neither attention nor experts; say which")
        for name in ("quantised", "router", "path"):
            if getattr(self, name) and not self.rank:
                raise OstroError(f"[lora] {name} means nothing without a rank")


@dataclass(frozen=True, kw_only=True)
class Precision:
    """``[precision]``: of the computation, and what is traded for memory or speed."""

    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """With bfloat16, the optimizer keeps float32 weights."""
    recompute: bool = False
    """Compute each layer's activations again in the backward pass instead of keeping them."""
    compile: bool = False
    """Let torch.compile fuse what stands between the products."""


@dataclass(frozen=True, kw_only=True)
class Log:
    """``[log]``: what is written down."""

    every: int = 10
    """Optimizer steps between two lines."""
    tensorboard: bool = False

    def __post_init__(self) -> None:
        _at_least("[log] every", self.every, 1)


@dataclass(frozen=True, kw_only=True)
class Validation:
    """``[validation]``: the loss on data that are not trained on."""

    every: int = 0
    """Optimizer steps between two measurements; 0: only at the end."""
    samples: int = 256
    """How many are read at most."""

    def __post_init__(self) -> None:
        _at_least("[validation] every", self.every, 0)
        _at_least("[validation] samples", self.samples, 1)


@dataclass(frozen=True, kw_only=True)
class CheckpointRecipe:
    """``[checkpoint]``: from where a run can go on."""

    every: int = 500
    """Optimizer steps between two; one is written at the end in any case."""
    minutes: float = 0.0
    """Minutes after which one is written even so; 0: never for that."""
    keep_last: int = 2
    keep_best: int = 0
    """Those of the lowest validation loss, beside the last ones."""

    def __post_init__(self) -> None:
        _at_least("[checkpoint] every", self.every, 1)
        _at_least("[checkpoint] minutes", self.minutes, 0)
        _at_least("[checkpoint] keep_last", self.keep_last, 1)
        _at_least("[checkpoint] keep_best", self.keep_best, 0)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """``[failure]``: what happens when a loss is not finite, or jumps."""

    action: Literal["stop", "skip"] = "stop"
    """Stop with the batch saved, or leave the batch out; it is saved then too."""
    spike: float = 0.0
    """A loss so many times the median of the last 32 is a jump; 0: none is."""
    most_skipped: int = 10
    """After so many skipped batches in a run it stops all the same."""

    def __post_init__(self) -> None:
        if self.spike:
            _above("[failure] spike", self.spike, 1)
        _at_least("[failure] most_skipped", self.most_skipped, 0)


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """``[parallel]``: how the ranks of ``torchrun`` share the model."""

    experts: int = 1
    """Ranks that share out the experts; the tokens travel to them. Parameters, gradients and
    moments are spread over all ranks in any case (FSDP2)."""

    def __post_init__(self) -> None:
        _at_least("[parallel] experts", self.experts, 1)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run."""

    task: Task
    model: Start
    data: Data
    optimizer: Optimizer
    schedule: Schedule
    router: Router = field(default_factory=Router)
    distillation: Distillation = field(default_factory=Distillation)
    preference: PreferenceOptions = field(default_factory=PreferenceOptions)
    lora: LoRA = field(default_factory=LoRA)
    precision: Precision = field(default_factory=Precision)
    validation: Validation = field(default_factory=Validation)
    log: Log = field(default_factory=Log)
    checkpoint: CheckpointRecipe = field(default_factory=CheckpointRecipe)
    failure: Failure = field(default_factory=Failure)
    parallel: Parallel = field(default_factory=Parallel)
    seed: int = 0
    device: Literal["cpu", "cuda"] = "cpu"

    def __post_init__(self) -> None:
        if self.distillation.parent and self.task == "dpo":
            raise OstroError("[distillation] is for pretrain and sft; task is dpo")
        if self.distillation.data and self.task != "sft":
            raise OstroError(
                f"[distillation] data is for sft, whose chat templates differ; task is {self.task}"
            )
        if self.task != "dpo" and self.preference != PreferenceOptions():
            raise OstroError(f"[preference] is for dpo; task is {self.task}")
        if self.preference.reference == "adapter_off" and not self.lora.rank:
            raise OstroError('[preference] reference = "adapter_off" needs [lora] rank')
        if self.preference.reference == "adapter_off" and (self.lora.router or self.lora.path):
            raise OstroError(
                '[preference] reference = "adapter_off" is the model without its adapter, which a '
                'run with [lora] router or path does not begin with; use "stored"'
            )
        if self.model.routers == "clusters" and self.lora.path:
            raise OstroError("[model] routers: those of the adapter in [lora] path are kept")
        if self.model.routers == "clusters" and self.lora.rank and not self.lora.router:
            raise OstroError('[model] routers = "clusters" beside an adapter needs lora.router')
        if self.data.batch % self.data.micro_batch:
            raise OstroError("[data] batch must be a multiple of micro_batch")


def parse_recipe(
    values: Mapping[str, Any], task: Task, where: str, changes: Sequence[str] = ()
) -> Recipe:
    """A recipe from a table and the changes to it that were asked for; ``where`` names it."""
    table = with_changes(values, changes)
    given = table.setdefault("task", task)
    if given != task:
        raise OstroError(f"{where} is a recipe for {given}, not for {task}")
    data = table.get("data", {})
    if isinstance(data, dict) and "folder" not in data:
        raise OstroError(
            f"{where}: data.folder is missing; say --set data.folder=FOLDER, which `ostro data "
            "prepare` wrote"
        )
    return parse_table(Recipe, table, where)


def read_recipe(path: Path, task: Task, changes: Sequence[str] = ()) -> Recipe:
    """A recipe from a TOML file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OstroError(f"{path}: cannot read the recipe ({error})") from None
    return parse_recipe(parse_toml(text, str(path)), task, str(path), changes)


def _at_least(name: str, value: float, least: float) -> None:
    if not least <= value < math.inf:
        raise OstroError(f"{name} must be a number of at least {least}, not {value}")


def _above(name: str, value: float, bound: float) -> None:
    if not bound < value < math.inf:
        raise OstroError(f"{name} must be a number above {bound}, not {value}")


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise OstroError(f"{name} must be from {least} to {most}, not {value}")

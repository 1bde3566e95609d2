"""PEFT's ``adapter_config.json``: what it says of the mathematics, read strictly, and written."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostro.errors import CheckpointError
from ostro.kernels.lora import LowRank
from ostro.weights.fields import Fields

# Settings of training, of where a model came from, or of how an adapter began.
_WITHOUT_EFFECT = (
    "base_model_name_or_path",
    "revision",
    "auto_mapping",
    "task_type",
    "inference_mode",
    "lora_dropout",
    "loftq_config",
    "eva_config",
    "corda_config",
    "lora_ga_config",
    "velora_config",
    "qalora_group_size",
    "megatron_core",
    "ensure_weight_tying",
    # Which matrices are adapted is said by the tensors that are there.
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "target_parameters",
)
# Modules that are stored whole: Mixtral's router is called gate.
_WHOLE = ("gate",)
# Ways to begin that leave the model's own weights as they were.
_BEGINNINGS = (True, False, "gaussian", "eva", "orthogonal")
# What is not plain LoRA; each is off where it has this value.
_OFF: Mapping[str, Any] = {
    "bias": "none",
    "fan_in_fan_out": False,
    "use_dora": False,
    "use_qalora": False,
    "lora_bias": False,
}
_ABSENT = (
    "trainable_token_indices",
    "layer_replication",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "megatron_config",
    "use_bdlora",
)


@dataclass(frozen=True)
class PeftSettings:
    """What the configuration says of every adapted matrix."""

    source: str
    """The file, for messages."""
    rank: int
    alpha: float
    root: bool
    """Whether the scale is alpha / sqrt(r) in place of alpha / r."""
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    targets: tuple[str, ...]
    """Ends of the names of adapted modules, where the configuration lists them."""
    stores_routers: bool
    """Whether the routers are in the file too, whole."""
    stacks_outputs_last: bool
    """Whether a PEFT wrote it that is known to be 0.19 or later, which stacks experts' B so."""

    def rank_of(self, module: str) -> int:
        """The rank of what is added to a module."""
        rank: int = _by_pattern(self.rank_pattern, module, self.rank)
        return rank

    def scale_of(self, module: str) -> float:
        """What B A is multiplied by."""
        rank = self.rank_of(module)
        alpha: float = _by_pattern(self.alpha_pattern, module, self.alpha)
        return alpha / (math.sqrt(rank) if self.root else rank)


def peft_settings(values: Mapping[str, Any], source: str) -> PeftSettings:
    """Read a configuration. What would change the mathematics and is unknown here is refused."""
    fields = Fields(values, source)
    kind = fields.get("peft_type")
    if kind != "LORA":
        raise CheckpointError(f"{source}: peft_type is {kind!r}; ostro reads LORA adapters")
    for key, off in _OFF.items():
        fields.expect(key, off)
    for key in _ABSENT:
        if fields.get(key):
            raise CheckpointError(f"{source}: {key} = {values[key]!r} is not supported")
    fields.expect("init_lora_weights", *_BEGINNINGS)
    fields.ignore(_WITHOUT_EFFECT)
    targets = fields.get("target_modules", [])
    whole = fields.get("modules_to_save") or []
    if tuple(whole) not in ((), _WHOLE):
        raise CheckpointError(f"{source}: modules_to_save = {whole!r} is not supported")
    settings = PeftSettings(
        source,
        fields.integer("r"),
        fields.number("lora_alpha"),
        fields.flag("use_rslora", False),
        _pattern(fields, "rank_pattern"),
        _pattern(fields, "alpha_pattern"),
        tuple(targets) if isinstance(targets, list) else (),
        bool(whole),
        _is_since_0_19(fields.get("peft_version")),
    )
    fields.finish()
    for key, rank in (("r", settings.rank), *settings.rank_pattern.items()):
        if type(rank) is not int or rank < 1:
            raise CheckpointError(f"{source}: the rank {key} must be 1 or more, not {rank!r}")
    return settings


def _is_since_0_19(version: Any) -> bool:
    match = re.match(r"(\d+)\.(\d+)", str(version))
    return match is not None and (int(match[1]), int(match[2])) >= (0, 19)


def _pattern(fields: Fields, key: str) -> Mapping[str, Any]:
    table = fields.table(key)
    if table is None:
        return {}
    for name in table.values:
        table.number(name)
        try:
            re.compile(name)
        except re.error as error:
            raise CheckpointError(f"{table.source}: {name!r} is no pattern ({error})") from error
    return table.values


def _by_pattern(pattern: Mapping[str, Any], module: str, default: Any) -> Any:
    """PEFT's rule: the first key that the end of the name matches, from a dot on."""
    for key, value in pattern.items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return default


def peft_config(
    additions: Mapping[str, LowRank], modules: Mapping[str, int], *, stores_routers: bool
) -> dict[str, Any]:
    """The configuration for what is added to each module by name.

    ``modules`` are all adaptable modules of the model: how many have the same last name.
    """
    ranks = {module: len(addition.a_RI) for module, addition in additions.items()}
    alphas = {module: _whole(x.scale * ranks[module]) for module, x in additions.items()}
    rank = Counter(ranks.values()).most_common(1)[0][0]
    alpha = Counter(alphas.values()).most_common(1)[0][0]
    here = Counter(module.rpartition(".")[2] for module in additions)
    whole = {leaf for leaf, count in here.items() if modules[leaf] == count}
    single = [module for module in additions if module.rpartition(".")[2] not in whole]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {module: r for module, r in ranks.items() if r != rank},
        "alpha_pattern": {module: a for module, a in alphas.items() if a != alpha},
        "target_modules": [*sorted(whole), *single],
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "use_dora": False,
        "modules_to_save": list(_WHOLE) if stores_routers else None,
    }


def _whole(value: float) -> float:
    """A whole number where that is meant: PEFT writes alpha as one."""
    nearest = round(value)
    return nearest if math.isclose(value, nearest, rel_tol=1e-9) else value

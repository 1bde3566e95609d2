"""How much memory a training run takes: known before a weight is touched.

What belongs to weights is exact. Activations are an estimate from what each layer keeps for its
backward pass; attention's scores count for nothing, since no implementation in use keeps them.
"""

from dataclasses import dataclass

from ostro.config.arithmetic import count_parameters, weight_bytes
from ostro.config.geometry import Geometry
from ostro.config.recipe import Recipe
from ostro.config.weight_types import WEIGHT_TYPES, WeightType

_CHUNK_ROWS = 512  # Of logits: ostro.objectives.language.CHUNK_ROWS.
_FLOAT = 4


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Bytes on each rank."""

    weights: int
    """In the compute dtype, or as they are stored where an adapter is trained beside them."""
    masters: int
    """Float32 weights of the optimizer, where the model's are others."""
    gradients: int
    moments: int
    parent: int
    """Of distillation."""
    activations: int
    """An estimate, of one micro-batch."""

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, name) for name in self.__dataclass_fields__)


def training_plan(
    geometry: Geometry,
    recipe: Recipe,
    *,
    stored: WeightType,
    adapter: int = 0,
    parent: Geometry | None = None,
    ranks: int = 1,
) -> TrainingPlan:
    """The plan of a run. ``adapter`` is how many numbers one has; 0: the weights are trained.

    ``stored`` is the type of the weights in their file, in which QLoRA leaves them. With several
    ranks all but activations is shared, except beside an adapter.
    """
    size = 2 if recipe.precision.dtype == "bfloat16" else _FLOAT
    count, share = count_parameters(geometry).total, ranks
    trained = adapter or count
    if adapter:
        kind = stored if recipe.lora.quantised else WEIGHT_TYPES["BF16" if size == 2 else "F32"]
        weights, share = weight_bytes(geometry, kind) + size * adapter, 1
    else:
        weights = size * count
    return TrainingPlan(
        weights=weights // share,
        masters=_FLOAT * trained // share if size < _FLOAT else 0,
        gradients=_FLOAT * trained // share,
        moments=2 * _FLOAT * trained // share,
        parent=0 if parent is None else size * count_parameters(parent).total,
        activations=_activations(geometry, recipe, size),
    )


def _activations(geometry: Geometry, recipe: Recipe, size: int) -> int:
    g = geometry
    rows = recipe.data.length * recipe.data.micro_batch * (2 if recipe.task == "dpo" else 1)
    experts = max(g.top_k, 1)
    # Norms and their inputs, query, key and value before and after rotation, what attention gave.
    attention = 4 * g.dim + 2 * g.query_dim + 3 * g.kv_dim + g.query_dim
    # Sorted rows, gate, up, their product twice, outputs and their sum.
    feed_forward = experts * (2 * g.dim + 4 * g.ffn_dim) + g.dim
    layer = rows * (attention + feed_forward) * size
    if recipe.precision.recompute or recipe.lora.quantised:
        kept = g.num_layers * rows * g.dim * size + 2 * layer
    else:
        kept = g.num_layers * layer
    logits = 3 * min(_CHUNK_ROWS, rows) * g.vocab_size * _FLOAT
    return kept + logits

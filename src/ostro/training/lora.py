"""Low-rank adapters as parameters: for attention, and for all experts of a layer at once.

Experts lie stacked in the model, and so do their adapters: A is ``[E, R, in]``, B ``[E, out, R]``.
Libraries that adapt modules by name pass stacked experts over without a word; here the number of
parameters is checked against what the geometry says.
"""

import math

import torch
from torch import Tensor, nn

from ostro.config import Geometry
from ostro.config.recipe import LoRA
from ostro.kernels.lora import ExpertLowRank, LowRank
from ostro.model.lora import Adapter, LayerAdapter, Projection

_PROJECTIONS: tuple[Projection, ...] = ("query", "key", "value", "output")
_EXPERT_PARTS = ("gate", "up", "down")


class LoRAParameters(nn.Module):
    """An adapter that is trained. As it begins it adds nothing: B is 0."""

    def __init__(self, geometry: Geometry, recipe: LoRA, seed: int) -> None:
        super().__init__()
        self._geometry, self._scale = geometry, recipe.alpha / recipe.rank
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleList(
            _LayerParameters(geometry, recipe, generator) for _ in range(geometry.num_layers)
        )
        count = sum(parameter.numel() for parameter in self.parameters())
        assert count == lora_parameters(geometry, recipe), "an adapter that lacks a part"

    def layer(self, index: int) -> LayerAdapter:
        """What is added to a layer now, with gradients to the parameters."""
        parameters = self.layers[index]
        assert isinstance(parameters, _LayerParameters)
        return parameters.adapter(self._geometry, self._scale)

    def adapter(self, name: str) -> Adapter:
        """The adapter as it is now, to be served or written: float32 copies on the CPU."""
        with torch.no_grad():
            layers = [self.layer(index) for index in range(self._geometry.num_layers)]
            return Adapter(name, tuple(_copied(layer) for layer in layers))


class _LayerParameters(nn.Module):
    """Pairs A and B by the name of their matrix."""

    def __init__(self, geometry: Geometry, recipe: LoRA, generator: torch.Generator) -> None:
        super().__init__()
        for name, shape in _shapes(geometry, recipe).items():
            *experts, rows, columns = shape
            a = torch.empty(*experts, recipe.rank, columns)
            # Kaiming's bound for the square root of 5, as Hu et al.'s own code has it.
            bound = 1 / math.sqrt(columns)
            nn.init.uniform_(a, -bound, bound, generator=generator)
            self.register_parameter(f"{name}_a", nn.Parameter(a))
            b = torch.zeros(*experts, rows, recipe.rank)
            self.register_parameter(f"{name}_b", nn.Parameter(b))

    def adapter(self, geometry: Geometry, scale: float) -> LayerAdapter:
        def pair(name: str, expert: int | None = None) -> LowRank | None:
            a, b = getattr(self, f"{name}_a", None), getattr(self, f"{name}_b", None)
            if a is None or b is None:
                return None
            return LowRank(a, b, scale) if expert is None else LowRank(a[expert], b[expert], scale)

        numbers = range(geometry.num_experts) if geometry.is_sparse else [None]
        experts = tuple(
            ExpertLowRank(*(pair(part, number) for part in _EXPERT_PARTS)) for number in numbers
        )
        return LayerAdapter(experts, *(pair(name) for name in _PROJECTIONS))


def lora_parameters(geometry: Geometry, recipe: LoRA) -> int:
    """How many numbers an adapter of this recipe has."""
    layer = sum(
        math.prod(experts) * recipe.rank * (rows + columns)
        for *experts, rows, columns in _shapes(geometry, recipe).values()
    )
    return geometry.num_layers * layer


def _shapes(geometry: Geometry, recipe: LoRA) -> dict[str, tuple[int, ...]]:
    """The adapted matrices of a layer: ``[out, in]``, those of experts with E before."""
    g = geometry
    found: dict[str, tuple[int, ...]] = {}
    if recipe.attention:
        found |= {"query": (g.query_dim, g.dim), "output": (g.dim, g.query_dim)}
        found |= {"key": (g.kv_dim, g.dim), "value": (g.kv_dim, g.dim)}
    if recipe.experts:
        experts = (g.num_experts,) if g.is_sparse else ()
        found |= dict.fromkeys(("gate", "up"), (*experts, g.ffn_dim, g.dim))
        found["down"] = (*experts, g.dim, g.ffn_dim)
    return found


def _copied(layer: LayerAdapter) -> LayerAdapter:
    def pair(addition: LowRank | None) -> LowRank | None:
        if addition is None:
            return None
        return LowRank(_float(addition.a_RI), _float(addition.b_OR), addition.scale)

    experts = tuple(
        ExpertLowRank(pair(expert.gate), pair(expert.up), pair(expert.down))
        for expert in layer.experts
    )
    return LayerAdapter(
        experts, pair(layer.query), pair(layer.key), pair(layer.value), pair(layer.output)
    )


def _float(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True)

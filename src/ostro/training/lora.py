"""Low-rank adapters as parameters: for attention, and for all experts of a layer at once.

Experts lie stacked in the model, and so do their adapters: A is ``[E, R, in]``, B ``[E, out, R]``.
Libraries that adapt modules by name pass stacked experts over without a word; here the number of
parameters is checked against what the geometry says.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ostro.config import Geometry
from ostro.config.recipe import LoRA
from ostro.errors import OstroError
from ostro.kernels.lora import ExpertLowRank, LowRank
from ostro.model import Mixtral
from ostro.model.lora import Adapter, LayerAdapter, Projection
from ostro.model.mixtral import MixtureOfExperts
from ostro.weights.load import put_parameter

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

    def go_on_with(self, adapter: Adapter) -> None:
        """Begin with what ``adapter`` adds; what it lacks of the recipe's parts adds nothing yet.

        What the recipe lacks, or has of another rank or scale, is an OstroError.
        """
        with torch.no_grad():
            for parameters, given in zip(self.layers, adapter.layers, strict=True):
                assert isinstance(parameters, _LayerParameters)
                parameters.go_on_with(given, self._scale, adapter.name)

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

    def go_on_with(self, given: LayerAdapter, scale: float, name: str) -> None:
        there = dict(_given(given))
        own = {full.rpartition("_")[0] for full, _ in self.named_parameters()}
        if not set(there) <= own:
            raise OstroError(
                f"[lora] adapter {name} adapts {', '.join(sorted(there))}, and the recipe only "
                f"{', '.join(sorted(own))}; set lora.attention and lora.experts"
            )
        for matrix, (a, b, its_scale) in there.items():
            parameter = self.get_parameter(f"{matrix}_a")
            if a.shape != parameter.shape or not math.isclose(its_scale, scale, rel_tol=1e-6):
                rank = a.shape[-2]
                raise OstroError(
                    f"[lora] adapter {name} has rank {rank} and alpha {its_scale * rank:g} for "
                    f"{matrix}; set lora.rank and lora.alpha to them"
                )
            parameter.copy_(a)
            self.get_parameter(f"{matrix}_b").copy_(b)

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


def set_routers(model: Mixtral, routers: Sequence[Tensor], *, trained: bool) -> None:
    """Give the layers these routers ``[E, D]``, or copies of their own where there are none.

    Copies, since a loaded weight may lie in its file's pages.
    """
    for index, block in enumerate(model.blocks()):
        mixture = block.feed_forward
        if not isinstance(mixture, MixtureOfExperts):
            raise OstroError("[lora] router: the model is dense and has none")
        own_ED = mixture.router_ED.detach()
        router_ED = routers[index].to(own_ED.device) if routers else own_ED.clone()
        put_parameter(mixture, "router_ED", router_ED, requires_grad=trained)


def lora_parameters(geometry: Geometry, recipe: LoRA) -> int:
    """How many numbers are trained by this recipe."""
    layer = sum(
        math.prod(experts) * recipe.rank * (rows + columns)
        for *experts, rows, columns in _shapes(geometry, recipe).values()
    )
    if recipe.router:
        layer += geometry.num_experts * geometry.dim
    return geometry.num_layers * layer


def _given(layer: LayerAdapter) -> Iterator[tuple[str, tuple[Tensor, Tensor, float]]]:
    """What an adapter has for a layer: A and B, those of experts stacked, and their scale."""
    for name in _PROJECTIONS:
        addition: LowRank | None = getattr(layer, name)
        if addition is not None:
            yield name, (addition.a_RI, addition.b_OR, addition.scale)
    for part in _EXPERT_PARTS:
        found = [getattr(expert, part) for expert in layer.experts]
        additions: list[LowRank] = [addition for addition in found if addition is not None]
        if not additions:
            continue
        if len(additions) != len(found) or len({len(x.a_RI) for x in additions}) > 1:
            raise OstroError(
                f"[lora] an adapter whose experts differ in {part} can't be gone on with"
            )
        a, b = (torch.stack([getattr(x, name) for x in additions]) for name in ("a_RI", "b_OR"))
        # A dense layer's only expert is not stacked.
        alone = len(found) == 1
        yield part, (a[0] if alone else a, b[0] if alone else b, additions[0].scale)


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

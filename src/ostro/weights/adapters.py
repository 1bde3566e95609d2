"""Adapters in PEFT's layout: ``adapter_config.json`` beside ``adapter_model.safetensors``.

Names are those of Hugging Face's modules. Experts come one by one, as Mixtral is published
(``block_sparse_moe.experts.3.w1``), or stacked, as PEFT adapts transformers' fused parameters: A of
all experts one below another ``[E * r, in]``, and B ``[out, r * E]`` whose columns of one rank, one
an expert, stand together. What ostro writes has experts one by one. Routers are not added to: they
are there whole, in float32, or not at all (``modules_to_save``).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.errors import CheckpointError, OstroError
from ostro.kernels.lora import ExpertLowRank, LowRank
from ostro.model.lora import Adapter, LayerAdapter
from ostro.runtime.files import whole_directory
from ostro.runtime.json_files import read_table
from ostro.weights.checkpoint import check_finite
from ostro.weights.layouts import HF
from ostro.weights.peft_config import PeftSettings, peft_config, peft_settings
from ostro.weights.quantise import dense_tensor
from ostro.weights.safetensors_files import SafetensorsFiles
from ostro.weights.safetensors_writer import Shard, write_shard
from ostro.weights.slots import Slot, slot_shape, slots
from ostro.weights.stored import TensorInfo

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_ADAPTABLE = ("query", "key", "value", "output", "gate", "up", "down")
_PREFIX = "base_model.model."
_TENSOR = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
# Two parameters of one module are wrapped one around the other, in either order.
_STACKED = re.compile(r"model\.layers\.(\d+)\.mlp\.experts(\.base_layer)?")
_ROUTER = re.compile(r".*\.(block_sparse_moe|mlp)\.gate")
_WHOLE_ROUTER = re.compile(
    r"base_model\.model\.model\.layers\.(\d+)\.(block_sparse_moe|mlp)\.gate\.weight"
)


def read_adapter(
    folder: Path,
    geometry: Geometry,
    name: str | None = None,
    device: torch.device | None = None,
) -> Adapter:
    """Read the adapter in ``folder`` for a model of this geometry; its name is by default ours.

    Every tensor is used, every setting known, every shape that of the model: all else is an error.
    """
    settings = peft_settings(read_table(folder / _CONFIG), str(folder / _CONFIG))
    reader = _Reader(_files(folder), settings, geometry, device or torch.device("cpu"))
    found = _adapter(name or folder.name, reader.additions(), geometry)
    return replace(found, routers=reader.routers())


def write_adapter(
    adapter: Adapter, geometry: Geometry, folder: Path, dtype: torch.dtype = torch.float32
) -> None:
    """Write an adapter for PEFT, and for :func:`read_adapter`; ``folder`` must not exist yet.

    ``dtype`` is that of the additions; routers stay in float32.

    PEFT 0.21 on transformers 5, which stacks what it reads, finds additions to experts only where
    gate, up and down of all experts have some.
    """
    modules, by_slot = _modules(geometry), additions_of(adapter, geometry)
    additions = {module: by_slot[slot] for module, slot in modules.items() if slot in by_slot}
    if not additions:
        raise OstroError(f"adapter {adapter.name!r} adds nothing; there is nothing to write")
    tensors = {
        f"{_PREFIX}{module}.lora_{letter}.weight": tensor.to(dtype)
        for module, addition in additions.items()
        for letter, tensor in (("A", addition.a_RI), ("B", addition.b_OR))
    }
    for number, router_ED in enumerate(adapter.routers):
        tensors[f"{_PREFIX}{HF.place(geometry, Slot('router', number)).tensor}"] = router_ED
    leaves = Counter(module.rpartition(".")[2] for module in modules)
    with whole_directory(folder) as temporary:
        _write_tensors(temporary / _WEIGHTS, tensors)
        config = peft_config(additions, leaves, stores_routers=bool(adapter.routers))
        text = json.dumps(config, indent=2)
        (temporary / _CONFIG).write_text(text + "\n")


def additions_of(adapter: Adapter, geometry: Geometry) -> dict[Slot, LowRank]:
    """What an adapter adds to a model of this geometry, matrix by matrix."""
    found: dict[Slot, LowRank | None] = {}
    for number, layer in enumerate(adapter.layers):
        for kind in ("query", "key", "value", "output"):
            found[Slot(kind, number)] = getattr(layer, kind)
        for place, expert in zip(_places(geometry), layer.experts, strict=True):
            found[Slot("gate", number, place)] = expert.gate
            found[Slot("up", number, place)] = expert.up
            found[Slot("down", number, place)] = expert.down
    return {slot: addition for slot, addition in found.items() if addition is not None}


def _places(geometry: Geometry) -> Iterable[int]:
    """The experts' numbers as slots have them."""
    return range(geometry.num_experts) if geometry.is_sparse else (-1,)


def _files(folder: Path) -> SafetensorsFiles:
    path = folder / _WEIGHTS
    if not path.is_file():
        other = folder / "adapter_model.bin"
        hint = "; ostro reads no pickles, so save it as safetensors" if other.exists() else ""
        raise CheckpointError(f"{folder}: there is no {_WEIGHTS}{hint}")
    return SafetensorsFiles([path])


def _modules(geometry: Geometry) -> dict[str, Slot]:
    """The adaptable matrices by their module's name."""
    return {
        HF.place(geometry, slot).tensor.removesuffix(".weight"): slot
        for slot in slots(geometry)
        if slot.kind in _ADAPTABLE
    }


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    stored = {name: dense_tensor(tensor.detach().cpu()) for name, tensor in tensors.items()}
    infos = {name: TensorInfo(s.type, s.shape, str(path)) for name, s in stored.items()}
    write_shard(path, Shard(path.name, infos), stored.values())


def _adapter(name: str, additions: Mapping[Slot, LowRank], geometry: Geometry) -> Adapter:
    def expert(layer: int, place: int) -> ExpertLowRank:
        gate, up, down = (
            additions.get(Slot(kind, layer, place)) for kind in ("gate", "up", "down")
        )
        return ExpertLowRank(gate, up, down)

    def layer(number: int) -> LayerAdapter:
        query, key, value, output = (
            additions.get(Slot(kind, number)) for kind in ("query", "key", "value", "output")
        )
        experts = tuple(expert(number, place) for place in _places(geometry))
        return LayerAdapter(experts, query, key, value, output)

    return Adapter(name, tuple(layer(number) for number in range(geometry.num_layers)))


class _Reader:
    """The tensors of one file, and what they add to which matrix."""

    def __init__(
        self,
        files: SafetensorsFiles,
        settings: PeftSettings,
        geometry: Geometry,
        device: torch.device,
    ) -> None:
        self._files, self._settings = files, settings
        self._geometry, self._device = geometry, device
        self._modules = _modules(geometry)

    def additions(self) -> dict[Slot, LowRank]:
        found: dict[Slot, LowRank] = {}
        pairs = self._pairs()
        for module, (a, b) in pairs.items():
            stacked = _STACKED.fullmatch(module)
            if module in self._modules:
                parts = self._single(module, a, b)
            elif stacked and self._geometry.is_sparse:
                parts = self._stacked(module, int(stacked[1]), a, b)
            else:
                raise self._refused(module)
            for slot, addition in parts.items():
                if slot in found:
                    raise CheckpointError(f"{a}: {slot} is adapted twice")
                found[slot] = addition
        self._check_targets(pairs)
        return found

    def routers(self) -> tuple[Tensor, ...]:
        """The routers of all layers in order; none where the file has none."""
        if not self._settings.stores_routers:
            return ()
        names = {
            int(match[1]): name
            for name in self._files.infos
            if (match := _WHOLE_ROUTER.fullmatch(name))
        }
        if sorted(names) != list(range(self._geometry.num_layers)):
            raise CheckpointError(
                f"{self._settings.source}: modules_to_save promises the router of each of "
                f"{self._geometry.num_layers} layers, and there are {len(names)}"
            )
        shape = slot_shape(self._geometry, "router")
        for name in names.values():
            self._check_shape(name, shape)
        return tuple(self._tensor(names[layer]) for layer in sorted(names))

    def _pairs(self) -> dict[str, tuple[str, str]]:
        """The names of A and B of each module."""
        halves: dict[str, dict[str, str]] = {}
        for name, info in self._files.infos.items():
            if self._settings.stores_routers and _WHOLE_ROUTER.fullmatch(name):
                continue
            match = _TENSOR.fullmatch(name)
            if match is None:
                raise CheckpointError(f"{info.file}: unexpected tensor {name}")
            halves.setdefault(match[1], {})[match[2]] = name
        for module, half in halves.items():
            for letter in "AB":
                if letter not in half:
                    raise CheckpointError(
                        f"{self._settings.source}: {module} has no lora_{letter}; the adapter is "
                        "incomplete"
                    )
        if not halves:
            raise CheckpointError(f"{self._settings.source}: the adapter has no tensors")
        return {module: (half["A"], half["B"]) for module, half in sorted(halves.items())}

    def _single(self, module: str, a: str, b: str) -> dict[Slot, LowRank]:
        slot = self._modules[module]
        rows, columns = slot_shape(self._geometry, slot.kind)
        rank = self._settings.rank_of(module)
        self._check_shape(a, (rank, columns))
        self._check_shape(b, (rows, rank))
        return {slot: self._addition(module, self._tensor(a), self._tensor(b))}

    def _stacked(self, module: str, layer: int, a: str, b: str) -> dict[Slot, LowRank]:
        """Which parameter it is, its shapes say: gate and up ``[E, 2F, D]``, or down."""
        g = self._geometry
        if not 0 <= layer < g.num_layers:
            raise self._refused(module)
        a_shape, b_shape = self._files.infos[a].shape, self._files.infos[b].shape
        parameter: Literal["gate_up_proj", "down_proj"]
        # Before 0.19 PEFT exchanged inputs and outputs, which square matrices do not show.
        doubtful = g.dim in (g.ffn_dim, 2 * g.ffn_dim) and not self._settings.stacks_outputs_last
        if doubtful:
            raise CheckpointError(
                f"{self._settings.source}: stacked experts as PEFT 0.19 and later writes them are "
                "read, and this does not say so; save the adapter again with such a PEFT"
            )
        if (a_shape[-1], b_shape[0]) == (g.dim, 2 * g.ffn_dim):
            parameter = "gate_up_proj"
        elif (a_shape[-1], b_shape[0]) == (g.ffn_dim, g.dim):
            parameter = "down_proj"
        else:
            raise CheckpointError(
                f"{self._files.infos[a].file}: {module} has A {list(a_shape)} and B "
                f"{list(b_shape)}, which fit neither gate_up_proj nor down_proj of this model "
                "as PEFT 0.19 and later writes them; save the adapter again with such a PEFT"
            )
        name = f"{module.removesuffix('.base_layer')}.{parameter}"
        rank = self._settings.rank_of(name)
        self._check_shape(a, (g.num_experts * rank, a_shape[-1]))
        self._check_shape(b, (b_shape[0], g.num_experts * rank))
        a_ERI = self._tensor(a).unflatten(0, (g.num_experts, rank))
        b_ERO = self._tensor(b).unflatten(1, (rank, g.num_experts)).permute(2, 1, 0).contiguous()
        found: dict[Slot, LowRank] = {}
        for expert in range(g.num_experts):
            # B's rows of gate and of up, one below the other, share A.
            if parameter == "down_proj":
                parts = {Slot("down", layer, expert): b_ERO[expert].T}
            else:
                gate, up = b_ERO[expert].T.chunk(2)
                parts = {Slot("gate", layer, expert): gate, Slot("up", layer, expert): up}
            for slot, part in parts.items():
                found[slot] = self._addition(name, a_ERI[expert], part)
        return found

    def _addition(self, module: str, a_RI: Tensor, b_OR: Tensor) -> LowRank:
        return LowRank(a_RI, b_OR, self._settings.scale_of(module))

    def _tensor(self, name: str) -> Tensor:
        tensor = self._files.read(name).data.to(self._device, torch.float32, copy=True)
        check_finite(tensor, f"{self._files.infos[name].file}: tensor {name}")
        return tensor

    def _check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        info = self._files.infos[name]
        if info.shape != shape:
            raise CheckpointError(
                f"{info.file}: tensor {name} has the shape {list(info.shape)}, but this model and "
                f"the ranks of {_CONFIG} say {list(shape)}"
            )

    def _check_targets(self, modules: Iterable[str]) -> None:
        """Refuse a configuration that promises matrices of which there are no tensors."""
        for target in self._settings.targets:
            if not any(module == target or module.endswith(f".{target}") for module in modules):
                raise CheckpointError(
                    f"{self._settings.source}: target_modules names {target}, and no tensor is its"
                )

    def _refused(self, module: str) -> CheckpointError:
        file = next(iter(self._files.infos.values())).file
        if _ROUTER.fullmatch(module):
            return CheckpointError(
                f"{file}: adapts the router ({module}) by low rank, and it must be exact; train it "
                "whole (modules_to_save) or not at all"
            )
        return CheckpointError(
            f"{file}: adapts {module}, which is no matrix of attention or of an expert of this "
            "model"
        )

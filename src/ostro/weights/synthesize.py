"""Models of any geometry with random weights, made straight in quantised form.

Only for measuring speed: such a model says nothing. A pool of random blocks is made once for each
width of rows, and every slot is a window into it, so that 46.7 B parameters take 32 MiB and are
never held in full precision. Scales are drawn such that a matrix's numbers have the variance
1 / columns: the normalised input of a product then gives an output of about unit variance, and
activations stay finite through any number of layers.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ostro.config import PRESETS, Geometry, WeightType
from ostro.config.weight_types import fitting_type
from ostro.errors import OstroError
from ostro.runtime.progress import Progress
from ostro.text.vocabulary import Vocabulary
from ostro.weights.convert import Written, write_model
from ostro.weights.layouts import GGUF
from ostro.weights.quantise import dense_tensor, to_dense
from ostro.weights.slots import EXACT_KINDS, Slot, slot_shape, slots
from ostro.weights.stored import DTYPE_OF_TYPE, StoredTensor
from ostro.weights.synthetic_vocabulary import synthetic_vocabulary
from ostro.weights.tokenizer_files import TokenizerFiles

# At most this, which is made in a fraction of a second, and no more than some matrices' worth.
_POOL_BYTES = 32 << 20
_POOL_MATRICES = 16
_SAMPLE_BLOCKS = 4096


@dataclass(frozen=True)
class _Scales:
    """Where a block keeps its float16 scale, and its minimum where the type has one.

    ``minimum`` times the scale, as the block's minimum, centres its numbers on zero.
    """

    scale_at: int
    minimum_at: int | None = None
    minimum: float = 0.0


_SCALES: Mapping[str, _Scales] = MappingProxyType(
    {
        "Q4_0": _Scales(0),
        "Q5_0": _Scales(0),
        "Q8_0": _Scales(0),
        "IQ4_NL": _Scales(0),
        # number = scale * code + minimum, with codes of 0 to 15 (31).
        "Q4_1": _Scales(0, 2, -7.5),
        "Q5_1": _Scales(0, 2, -15.5),
        # number = scale * s * code - minimum * m, with small integers s and m of equal range.
        "Q2_K": _Scales(80, 82, 1.5),
        "Q4_K": _Scales(0, 2, 7.5),
        "Q5_K": _Scales(0, 2, 15.5),
        "Q3_K": _Scales(108),
        "Q6_K": _Scales(208),
    }
)

SYNTHETIC_TYPES = (*DTYPE_OF_TYPE, *_SCALES)


@dataclass(frozen=True)
class Synthetic:
    """A model of ``geometry`` whose numbers follow from ``seed`` alone.

    A matrix whose rows are not whole blocks of ``matrix_type`` gets what
    :func:`~ostro.config.weight_types.fitting_type` says; norms are ones and routers random, both
    F32. Every call for a slot gives the same numbers.
    """

    geometry: Geometry
    matrix_type: WeightType
    seed: int = 0
    _pools: dict[int, StoredTensor] = field(default_factory=dict, repr=False, compare=False)

    @property
    def vocabulary(self) -> Vocabulary:
        """Pieces that no text was read for; other engines refuse a file without any."""
        return synthetic_vocabulary(self.geometry.vocab_size)

    def read(self, slot: Slot) -> StoredTensor:
        """A window into the pool: nothing is copied, whatever the size of the slot."""
        shape = slot_shape(self.geometry, slot.kind)
        if slot.kind in EXACT_KINDS:
            return self._exact(slot, shape)
        rows, columns = shape
        pool = self._pool(columns)
        block = 1 if pool.type.is_dense else pool.type.block_bytes
        row_blocks, pool_blocks = columns // pool.type.block_size, pool.data.shape[0] // block
        # Where the pool is smaller than the slot its rows overlap, each a few blocks further on.
        step = max(1, min(row_blocks, (pool_blocks // 2 - row_blocks) // rows))
        room = pool_blocks - (rows - 1) * step - row_blocks
        assert room > 0, "the pool is made large enough for the longest matrix"
        # A generator a slot: no slot depends on which were read before.
        start = random.Random(f"{self.seed} {slot}").randrange(room)
        window = pool.data.as_strided(
            (rows, row_blocks * block), (step * block, 1), storage_offset=start * block
        )
        return StoredTensor(pool.type, window)

    def file_of(self, slot: Slot) -> str:
        """There is no file."""
        return f"the synthetic {slot}"

    def _exact(self, slot: Slot, shape: tuple[int, ...]) -> StoredTensor:
        if slot.kind != "router":
            return dense_tensor(torch.ones(shape))
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + slot.layer)
        return dense_tensor(torch.randn(shape, generator=generator) * shape[-1] ** -0.5)

    def _pool(self, columns: int) -> StoredTensor:
        if columns not in self._pools:
            kind = fitting_type(self.matrix_type, columns)
            shapes = [slot_shape(self.geometry, slot.kind) for slot in slots(self.geometry)]
            rows = max(shape[0] for shape in shapes if shape[-1] == columns)
            most = _POOL_MATRICES * rows * kind.row_bytes(columns)
            self._pools[columns] = _random_pool(kind, columns, min(most, _POOL_BYTES), self.seed)
        return self._pools[columns]


def synthetic(
    preset: str,
    kind: WeightType,
    *,
    layers: int | None = None,
    context: int | None = None,
    seed: int = 0,
) -> Synthetic:
    """A source with the geometry ``preset``, or with fewer (or more) layers, or more context."""
    if preset not in PRESETS:
        raise OstroError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
    if kind.name not in SYNTHETIC_TYPES:
        raise OstroError(f"cannot synthesise {kind.name}; use one of {', '.join(SYNTHETIC_TYPES)}")
    geometry = PRESETS[preset]
    if layers is not None:
        geometry = replace(geometry, num_layers=layers)
    if context is not None:
        geometry = replace(geometry, context_length=context)
    return Synthetic(geometry, kind, seed)


def write_synthetic(source: Synthetic, path: Path, *, name: str, progress: Progress) -> Written:
    """Write ``source`` as a GGUF file, whole or not at all."""
    return write_model(
        source,
        TokenizerFiles(None),
        path,
        layout=GGUF,
        kind=None,
        progress=progress,
        name=name,
    )


def _random_pool(kind: WeightType, columns: int, size: int, seed: int) -> StoredTensor:
    """``size`` bytes of random blocks in one row, whose numbers have the variance 1 / columns."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + columns)
    deviation, count = columns**-0.5, size // kind.block_bytes
    if kind.is_dense:
        numbers = torch.randn(count, generator=generator) * deviation
        return StoredTensor(kind, numbers.to(DTYPE_OF_TYPE[kind.name]))
    shape = (count, kind.block_bytes)
    blocks = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    # Signs alternate at random, since codes such as Q4_0's -8 to 7 are not centred on zero, and
    # scales vary, since those of a real model do.
    signs = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    scales = signs * (torch.rand(count, generator=generator) + 0.5)
    _set_scales(blocks, kind, scales)
    sample = StoredTensor(kind, blocks[:_SAMPLE_BLOCKS].reshape(1, -1))
    unit = float(to_dense(sample, torch.float32).std())
    _set_scales(blocks, kind, scales * (deviation / unit))
    return StoredTensor(kind, blocks.flatten())


def _set_scales(blocks: Tensor, kind: WeightType, scales: Tensor) -> None:
    """Put a float16 scale, and the minimum that belongs to it, into each block."""
    fields = _SCALES[kind.name]
    _set_float16(blocks, fields.scale_at, scales)
    if fields.minimum_at is not None:
        _set_float16(blocks, fields.minimum_at, scales * fields.minimum)


def _set_float16(blocks: Tensor, at: int, values: Tensor) -> None:
    blocks[:, at : at + 2] = values.to(torch.float16)[:, None].view(torch.uint8)

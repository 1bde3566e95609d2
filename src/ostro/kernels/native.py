"""The native kernels: threads and scratch memory, and the operations on packed matrices.

Coarse calls, about two a layer, run from descriptors that are made once, when a model is loaded.
Activations are float32 and are changed in place. The PyTorch lines that each call stands for are in
:mod:`ostro.model`, beside the place where it is called.
"""

import ctypes
import weakref
from collections.abc import Callable, Sequence
from ctypes import byref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostro.config import RopeScaling
from ostro.errors import OstroError
from ostro.kernels.attention import Span
from ostro.kernels.dispatch import Kernels
from ostro.kernels.library import NativeLibrary
from ostro.kernels.native_rows import NativeAdapters, NativeSteering
from ostro.kernels.rope import lengthened, rope_frequencies
from ostro.kernels.structures import AttentionLayer, Expert, ExpertsLayer, Matrix, Pages, Step

# GGUF's numbers for the types that are computed as they are stored.
TYPE_NUMBERS = {
    "F32": 0,
    "F16": 1,
    "Q4_0": 2,
    "Q4_1": 3,
    "Q5_0": 6,
    "Q5_1": 7,
    "Q8_0": 8,
    "Q2_K": 10,
    "Q3_K": 11,
    "Q4_K": 12,
    "Q5_K": 13,
    "Q6_K": 14,
    "IQ4_NL": 20,
    "BF16": 30,
}

ExpertArray = ctypes.Array[Expert]
"""A layer's experts, as the native kernels read them."""

# Fetch the experts of a layer whose numbers are set; afterwards their descriptors have data.
Fetch = Callable[[Sequence[int]], None]


class NativeContext:
    """Threads and scratch memory of the native kernels. One call at a time."""

    def __init__(self, library: NativeLibrary, threads: int, instruction_set: str = "") -> None:
        """``instruction_set`` is ``avx2``, ``avx512``, or empty for the best there is."""
        self._functions: Any = library.functions
        self._handle = self._functions.ostro_context_create(threads, instruction_set.encode())
        if not self._handle:
            raise OstroError(f"this processor cannot run the {instruction_set or 'native'} kernels")
        self._frequencies: dict[tuple[int, float, RopeScaling | None], Tensor] = {}
        weakref.finalize(self, self._functions.ostro_context_destroy, self._handle)

    @property
    def instruction_set(self) -> str:
        """What the kernels use of this processor."""
        name: bytes = self._functions.ostro_instruction_set(self._handle)
        return name.decode()

    def packed_bytes(self, kind: str, rows: int, columns: int) -> int:
        """Bytes of a matrix in packed form."""
        return int(self._functions.ostro_packed_bytes(TYPE_NUMBERS[kind], rows, columns))

    def pack(self, kind: str, source: Tensor, rows: int, columns: int, target: int) -> None:
        """Pack GGUF rows (any contiguous tensor of their bytes) to the address ``target``."""
        assert source.is_contiguous()
        self._functions.ostro_pack(
            self._handle, TYPE_NUMBERS[kind], source.data_ptr(), rows, columns, target
        )

    def quantise(self, kind: str, source: Tensor, target: Tensor) -> int:
        """Rows of float32 into GGUF's blocks; what ``native/quantise/quantise.h`` returns."""
        columns = source.shape[-1]
        return int(
            self._functions.ostro_quantise(
                self._handle,
                TYPE_NUMBERS[kind],
                source.data_ptr(),
                target.data_ptr(),
                source.numel() // columns,
                columns,
            )
        )

    def checksum(self, address: int, count: int) -> int:
        """A checksum of ``count`` bytes, 64 bits."""
        return int(self._functions.ostro_checksum(self._handle, address, count))

    def read_rows(self, matrix: Matrix, rows_T: Tensor) -> Tensor:
        """Rows of a packed matrix as float32 ``[T, columns]``; ``rows_T`` is int64."""
        out = torch.empty((rows_T.numel(), matrix.columns))
        self._functions.ostro_read_rows(
            self._handle, byref(matrix), rows_T.data_ptr(), rows_T.numel(), out.data_ptr()
        )
        return out

    def linear(self, x_TI: Tensor, matrix: Matrix) -> Tensor:
        """``[T, in]`` to ``[T, out]``, both float32."""
        x_TI = x_TI.contiguous()
        out = torch.empty((x_TI.shape[0], matrix.rows))
        code = self._functions.ostro_linear(
            self._handle, byref(matrix), x_TI.shape[0], x_TI.data_ptr(), out.data_ptr()
        )
        _check_memory(code)
        return out

    def attention_layer(
        self,
        layer: AttentionLayer,
        x_TD: Tensor,
        step: "NativeStep",
        pages: Pages,
        adapters: NativeAdapters | None = None,
    ) -> None:
        """X += attention(norm(x)), in place; the step's keys and values go into ``pages``."""
        code = self._functions.ostro_attention_layer(
            self._handle,
            byref(layer),
            byref(step.struct),
            byref(pages),
            _reference(adapters),
            x_TD.data_ptr(),
        )
        _check_memory(code)

    def experts_layer(
        self,
        layer: "PackedExperts",
        x_TD: Tensor,
        steering: NativeSteering | None = None,
        adapters: NativeAdapters | None = None,
    ) -> None:
        """X += mixture(norm(x)), in place. Experts that are not in memory are fetched first."""
        rows, address = x_TD.shape[0], x_TD.data_ptr()
        call = self._functions.ostro_experts_layer
        missing = layer.missing
        what = byref(layer.struct), rows, _reference(steering), _reference(adapters)
        chosen, weights = layer.routing_buffers(rows, steering)
        while code := call(self._handle, *what, address, chosen, weights, missing):
            _check_memory(code)
            absent = [expert for expert, flag in enumerate(missing) if flag]
            ctypes.memset(missing, 0, len(missing))
            layer.fetch(absent)

    def route(
        self, layer: "PackedExperts", x_TD: Tensor, steering: NativeSteering | None = None
    ) -> list[int]:
        """The experts that a layer would choose for any of the rows, in ascending order."""
        rows = x_TD.shape[0]
        chosen = torch.empty((rows, layer.slots(steering)), dtype=torch.int32)
        code = self._functions.ostro_route(
            self._handle,
            byref(layer.struct),
            rows,
            _reference(steering),
            x_TD.data_ptr(),
            chosen.data_ptr(),
        )
        _check_memory(code)
        return sorted(set(chosen.flatten().tolist()) - {-1})

    def head(self, norm_D: Tensor, eps: float, matrix: Matrix, x_TD: Tensor) -> Tensor:
        """Logits ``[T, V]`` of the final norm and the head."""
        logits = torch.empty((x_TD.shape[0], matrix.rows))
        code = self._functions.ostro_head(
            self._handle,
            norm_D.data_ptr(),
            eps,
            byref(matrix),
            x_TD.shape[0],
            x_TD.data_ptr(),
            logits.data_ptr(),
        )
        _check_memory(code)
        return logits

    def rope_angles(
        self,
        positions_T: Tensor,
        head_dim: int,
        theta: float,
        scaling: RopeScaling | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As :func:`ostro.kernels.rope.rope_angles`."""
        frequencies = self._frequencies.get((head_dim, theta, scaling))
        if frequencies is None:
            frequencies = rope_frequencies(head_dim, theta, scaling)
            self._frequencies[head_dim, theta, scaling] = frequencies
        rows, pairs = positions_T.numel(), head_dim // 2
        cos_T, sin_T = torch.empty((2, rows, 1, pairs))
        self._functions.ostro_rope_angles(
            self._handle,
            rows,
            positions_T.data_ptr(),
            pairs,
            frequencies.data_ptr(),
            cos_T.data_ptr(),
            sin_T.data_ptr(),
        )
        return lengthened(cos_T, sin_T, scaling)

    def summarise(self, logits_V: Tensor, temperature: float = 1.0) -> tuple[int, float]:
        """As :func:`ostro.kernels.vocabulary.summarise`."""
        where, log_sum = ctypes.c_int64(), ctypes.c_double()
        logits_V = logits_V.contiguous()
        count, address = logits_V.numel(), logits_V.data_ptr()
        code = self._functions.ostro_summarise(
            self._handle, count, address, temperature, byref(where), byref(log_sum)
        )
        _check_memory(code)
        return where.value, log_sum.value

    def largest(self, logits_V: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """As :func:`ostro.kernels.vocabulary.largest`."""
        count = min(count, logits_V.numel())
        values, tokens = torch.empty(count), torch.empty(count, dtype=torch.int64)
        logits_V = logits_V.contiguous()
        code = self._functions.ostro_largest(
            self._handle,
            logits_V.numel(),
            logits_V.data_ptr(),
            count,
            values.data_ptr(),
            tokens.data_ptr(),
        )
        _check_memory(code)
        return values, tokens

    def kernels(self) -> Kernels:
        """The table for a packed model: PyTorch's operations, and these where there are some."""
        return Kernels(
            name=self.instruction_set,
            rope_angles=self.rope_angles,
            summarise=self.summarise,
            largest=self.largest,
        )


class PackedExperts:
    """One layer's experts: the descriptor, and how to fetch experts that are not in memory."""

    def __init__(self, struct: ExpertsLayer, experts: ExpertArray, fetch: Fetch) -> None:
        self.struct, self.experts, self.fetch = struct, experts, fetch
        self.missing = (ctypes.c_uint8 * struct.num_experts)()
        self.routing: tuple[Tensor, Tensor] | None = None
        """Chosen experts and weights ``[T, K]`` of the last step, if :attr:`keeps_routing`."""
        self.keeps_routing = False

    def slots(self, steering: NativeSteering | None) -> int:
        """K of a step."""
        top_k: int = self.struct.top_k
        return top_k if steering is None else steering.slots

    def routing_buffers(
        self, rows: int, steering: NativeSteering | None
    ) -> tuple[int | None, int | None]:
        """Addresses for the router's choices, where somebody wants to see them."""
        if not self.keeps_routing:
            return None, None
        shape = (rows, self.slots(steering))
        self.routing = torch.empty(shape, dtype=torch.int32), torch.empty(shape)
        return self.routing[0].data_ptr(), self.routing[1].data_ptr()


@dataclass(frozen=True)
class NativeStep:
    """A step's descriptor, with the tensors that it points into."""

    struct: Step
    held: tuple[Any, ...]


def native_step(spans: Sequence[Span], cos_T: Tensor, sin_T: Tensor) -> NativeStep:
    """Describe a step whose spans' rows follow one another from 0."""
    count = len(spans)
    starts = (ctypes.c_int64 * (count + 1))(*(span.rows.start for span in spans), 0)
    starts[count] = spans[-1].rows.stop
    lengths = (ctypes.c_int64 * count)(*(span.length for span in spans))
    tables = (ctypes.c_void_p * count)(*(span.pages.data_ptr() for span in spans))
    cos_T, sin_T = cos_T.contiguous(), sin_T.contiguous()
    struct = Step(
        starts[count],
        count,
        ctypes.addressof(starts),
        ctypes.addressof(lengths),
        ctypes.addressof(tables),
        cos_T.data_ptr(),
        sin_T.data_ptr(),
    )
    return NativeStep(struct, (starts, lengths, tables, cos_T, sin_T, tuple(spans)))


def _reference(wanted: NativeSteering | NativeAdapters | None) -> Any:
    return None if wanted is None else byref(wanted.struct)


def _check_memory(code: int) -> None:
    if code < 0:
        raise OstroError("memory ran short for a step's activations; give a smaller --context")

"""Every native kernel beside its PyTorch twin, in turn: microseconds a call.

    .venv/bin/python benchmarks/kernels.py [--only NAME]... [--json] [--geometry PRESET]

A twin computes on what a model holds where the native kernels do not run: F16 in place of quantised
weights, so it reads more bytes. A matrix of a few megabytes stays in the caches, where a model's
does not; products of one row are therefore taken with several matrices in turn.
"""

import argparse
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from types import MappingProxyType

import torch
import torch.nn.functional as F

from kernel_parts import EPS, Attention, Mixture, Packed, source
from machine import describe, threads_to_use
from ostro.config import PRESETS, Geometry
from ostro.kernels.library import NoLibrary, load_library
from ostro.kernels.native import TYPE_NUMBERS, NativeContext
from ostro.kernels.native_rows import native_steering
from ostro.kernels.rms_norm import rms_norm
from ostro.kernels.rope import rope_angles
from ostro.kernels.vocabulary import largest, summarise
from ostro.weights.slots import Slot
from results import Result, compare, print_results
from timing import Call, seconds_of

ROWS = (1, 8, 128)
# Together these are more than the caches hold.
_COLD_BYTES = 96 << 20
_MOST_MATRICES = 64
# How many tokens the sampler looks at first.
_LIKELIEST = 256
_LAYER_TYPES = ("Q4_0", "Q8_0", "Q3_K", "Q4_K")
_CACHE_TYPES = ("F32", "F16", "BF16", "Q8_0")


@dataclass(frozen=True)
class Bench:
    """What all kernels are measured with."""

    context: NativeContext
    geometry: Geometry
    rounds: int
    rows: tuple[int, ...] = ROWS
    types: tuple[str, ...] = tuple(TYPE_NUMBERS)
    length: int = 2048
    """Tokens in the cache that attention reads."""

    def compare(self, name: str, native: Call, twin: Call, twin_name: str) -> Result:
        """One kernel beside its twin."""
        seconds = seconds_of({"native": native, "twin": twin}, self.rounds)
        return compare(
            name,
            ostro=1e6 * seconds["native"],
            peer=1e6 * seconds["twin"],
            peer_name=twin_name,
            goal=1.0,
            unit="us",
            smaller_is_better=True,
        )


def products(bench: Bench) -> Iterator[Result]:
    """``linear`` for every type: an expert's gate."""
    for kind in bench.types:
        matrices, dense = _cold(bench, kind)
        for rows in bench.rows:
            x_TI = torch.randn(rows, bench.geometry.dim)
            x_twin = x_TI.to(dense[0].dtype)
            packed, numbers = cycle(matrices), cycle(dense)
            yield bench.compare(
                f"linear {kind} {rows}",
                lambda x=x_TI, turn=packed: bench.context.linear(x, next(turn).matrix),
                lambda x=x_twin, turn=numbers: F.linear(x, next(turn)),
                f"F.linear {_name(dense[0].dtype)}",
            )


def experts(bench: Bench) -> Iterator[Result]:
    """``experts_layer``: norm, router, all experts, and their sum."""
    if not bench.geometry.is_sparse:
        return
    for kind in _LAYER_TYPES:
        if kind in bench.types:
            mixture = Mixture(bench.context, bench.geometry, kind)
            for rows in bench.rows:
                x_TD = mixture.even(rows)
                yield bench.compare(
                    f"experts {kind} {rows}",
                    lambda x=x_TD, layer=mixture: layer.run(x),
                    lambda x=x_TD, layer=mixture: layer.twin(x),
                    f"mix_experts {_name(mixture.dense[1].dtype)}",
                )


def steering(bench: Bench) -> Iterator[Result]:
    """``experts_layer`` where every other row has a rule of its own."""
    if not bench.geometry.is_sparse:
        return
    mixture = Mixture(bench.context, bench.geometry, "Q4_0")
    for rows in bench.rows:
        x_TD, rules = mixture.even(rows), mixture.rules(rows)
        native = native_steering(rules)
        yield bench.compare(
            f"steered experts Q4_0 {rows}",
            lambda x=x_TD, steering=native: mixture.run(x, steering),
            lambda x=x_TD, rules=rules: mixture.twin(x, rules),
            f"mix_experts {_name(mixture.dense[1].dtype)}",
        )


def adapters(bench: Bench) -> Iterator[Result]:
    """Both halves of a layer where every row has an adapter of rank 16 for all matrices."""
    layers = {"attention": Attention(bench.context, bench.geometry, "Q4_0", "F16", bench.length)}
    if bench.geometry.is_sparse:
        layers["experts"] = Mixture(bench.context, bench.geometry, "Q4_0")
    for name, layer in layers.items():
        for rows in bench.rows:
            x_TD = layer.even(rows) if isinstance(layer, Mixture) else layer.rows(rows)
            added = layer.adapted_rows(rows)
            yield bench.compare(
                f"adapted {name} Q4_0 {rows}",
                lambda x=x_TD, layer=layer, added=added: layer.run(x, adapters=added),
                lambda x=x_TD, layer=layer: layer.twin(x, adapter=layer.adapter),
                "adapted twins",
            )


def attention(bench: Bench) -> Iterator[Result]:
    """``attention_layer``: norm, projections, rotary embedding, attention over pages."""
    for kind in _CACHE_TYPES:
        layer = Attention(bench.context, bench.geometry, "Q4_0", kind, bench.length)
        for rows in sorted({1, bench.length // 4}):
            x_TD = layer.rows(rows)
            name = "decode" if rows == 1 else f"prefill {rows}"
            yield bench.compare(
                f"attention {name} of {bench.length}, cache {kind}",
                lambda x=x_TD, layer=layer: layer.run(x),
                lambda x=x_TD, layer=layer: layer.twin(x),
                "paged_attention",
            )


def head(bench: Bench) -> Iterator[Result]:
    """``head``: the final norm and the logits."""
    geometry, context = bench.geometry, bench.context
    slot = Slot("embedding" if geometry.tied_embeddings else "head")
    packed = Packed(context, source(geometry, "Q4_0").read(slot))
    norm, dense = torch.ones(geometry.dim), packed.dense()
    for rows in bench.rows:
        x_TD = torch.randn(rows, geometry.dim)
        yield bench.compare(
            f"head Q4_0 {rows}",
            lambda x=x_TD: context.head(norm, EPS, packed.matrix, x),
            lambda x=x_TD: F.linear(rms_norm(x, norm, EPS).to(dense.dtype), dense),
            f"F.linear {_name(dense.dtype)}",
        )


def vocabulary(bench: Bench) -> Iterator[Result]:
    """``summarise`` and ``largest``: what drawing a token looks at."""
    logits_V = torch.randn(bench.geometry.vocab_size) * 3
    yield bench.compare(
        "summarise",
        lambda: bench.context.summarise(logits_V, 0.7),
        lambda: summarise(logits_V, 0.7),
        "torch.logsumexp, argmax",
    )
    count = min(_LIKELIEST, len(logits_V))
    yield bench.compare(
        f"largest {count}",
        lambda: bench.context.largest(logits_V, count),
        lambda: largest(logits_V, count),
        "torch.sort",
    )


def rope(bench: Bench) -> Iterator[Result]:
    """``rope_angles``, once a step."""
    head_dim, theta = bench.geometry.head_dim, bench.geometry.rope_theta
    for rows in bench.rows:
        positions_T = torch.arange(rows) + 1000
        yield bench.compare(
            f"rope_angles {rows}",
            lambda positions=positions_T: bench.context.rope_angles(positions, head_dim, theta),
            lambda positions=positions_T: rope_angles(positions, head_dim, theta),
            "rope_angles",
        )


def memory(bench: Bench) -> Iterator[Result]:
    """``read_rows``, ``pack``, ``checksum``: embedding rows, and what preparing weights takes."""
    packed = Packed(bench.context, source(bench.geometry, "Q4_0").read(Slot("embedding")))
    dense, data = packed.dense(), packed.data.numpy()
    for rows in bench.rows:
        chosen_T = torch.randint(len(dense), (rows,))
        yield bench.compare(
            f"rows Q4_0 {rows}",
            lambda chosen=chosen_T: bench.context.read_rows(packed.matrix, chosen),
            lambda chosen=chosen_T: F.embedding(chosen, dense).float(),
            "F.embedding F16",
        )
    yield bench.compare("pack Q4_0", packed.pack, packed.dense, "dequantised to F16")
    yield bench.compare(
        "checksum",
        lambda: bench.context.checksum(packed.data.data_ptr(), data.size),
        lambda: zlib.crc32(data),
        "zlib.crc32",
    )


def _cold(bench: Bench, kind: str) -> tuple[list[Packed], list[torch.Tensor]]:
    """Matrices of the shape of an expert's gate, enough of them to find none in the caches."""
    geometry = bench.geometry
    weights = source(geometry, kind)
    first = Packed(bench.context, weights.read(Slot("gate", 0, 0 if geometry.is_sparse else -1)))
    # A copy has other addresses, which is all that the caches look at.
    more = _how_many(first.data) - 1
    copies = [first, *(Packed(bench.context, first.stored) for _ in range(more))]
    dense = first.dense()
    return copies, [dense, *(dense.clone() for _ in range(_how_many(dense) - 1))]


def _how_many(matrix: torch.Tensor) -> int:
    return min(_MOST_MATRICES, max(1, _COLD_BYTES // matrix.nbytes))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


KERNELS: Mapping[str, Callable[[Bench], Iterator[Result]]] = MappingProxyType(
    {
        "linear": products,
        "experts": experts,
        "steering": steering,
        "adapters": adapters,
        "attention": attention,
        "head": head,
        "vocabulary": vocabulary,
        "rope": rope,
        "memory": memory,
    }
)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Native kernels beside their PyTorch twins.")
    parser.add_argument("--only", action="append", choices=KERNELS, metavar="NAME")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--geometry", choices=PRESETS, default="mixtral-8x7b", metavar="PRESET")
    parser.add_argument("--type", action="append", choices=TYPE_NUMBERS, metavar="TYPE")
    parser.add_argument("--rounds", type=int, default=5, help="that count [default: 5]")
    arguments = parser.parse_args()
    library = load_library()
    if isinstance(library, NoLibrary):
        parser.error(library.notice)
    threads = threads_to_use()
    torch.set_num_threads(threads)
    context = NativeContext(library, threads)
    bench = Bench(
        context,
        PRESETS[arguments.geometry],
        arguments.rounds,
        types=tuple(arguments.type or TYPE_NUMBERS),
    )
    with torch.inference_mode():
        names = arguments.only or KERNELS
        results = [result for name in names for result in KERNELS[name](bench)]
    heading = f"{describe()}\n{context.instruction_set} kernels, geometry {arguments.geometry}"
    print_results(heading, results, json_wanted=arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

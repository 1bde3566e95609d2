"""Products of packed matrices: parity with float64, and bits that do not depend on neighbours."""

import pytest
import torch

from native_library import contexts, library
from random_blocks import TYPES, Packed

DENSE = ("F32", "F16", "BF16")


@pytest.fixture(scope="module")
def native():
    """A context for each instruction set of this processor, by name."""
    return contexts(threads=2)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("rows", [8, 13])
def test_packing_keeps_every_number(native, kind, rows) -> None:
    for context in native.values():
        packed = Packed(context, kind, rows, 512)
        order = torch.tensor([rows - 1, 0, 3, 3])
        assert torch.equal(context.read_rows(packed.matrix, order), packed.numbers[order])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(("rows", "columns"), [(24, 256), (13, 768), (1, 1280)])
def test_products_are_those_of_the_numbers(native, kind, rows, columns) -> None:
    context = native["avx2"]
    packed = Packed(context, kind, rows, columns)
    x = torch.randn(11, columns, generator=torch.Generator().manual_seed(1))
    expected = x.double() @ packed.numbers.double().T
    error = (context.linear(x, packed.matrix) - expected).norm() / expected.norm()
    # 8 bits a number: steps of max / 127, a block's largest of 256 being about three sigma.
    assert error < (1e-6 if kind in DENSE else 1.5e-2)
    if kind not in DENSE:
        assert error > 1e-4  # Else activations were not quantised, and nothing was tested.


@pytest.mark.parametrize("kind", TYPES)
def test_numbers_that_eight_bits_hold_exactly_give_exact_products(native, kind) -> None:
    # Integers up to 127 with 127 in every block: quantising loses nothing.
    x = torch.randint(-127, 128, (5, 512), generator=torch.Generator().manual_seed(2)).float()
    x[:, ::32] = 127
    for context in native.values():
        packed = Packed(context, kind, 16, 512)
        expected = x.double() @ packed.numbers.double().T
        error = (context.linear(x, packed.matrix) - expected).norm() / expected.norm()
        assert error < 1e-6


@pytest.mark.parametrize("kind", TYPES)
def test_a_row_has_the_same_bits_whatever_comes_with_it(kind) -> None:
    x = torch.randn(37, 512, generator=torch.Generator().manual_seed(3))
    results = []
    for threads in (1, 2, 5):
        for context in contexts(threads).values():
            packed = Packed(context, kind, 40, 512)
            for count in (37, 9, 5, 3, 1):
                parts = [context.linear(part, packed.matrix) for part in x.split(count)]
                results.append(torch.cat(parts))
    assert all(torch.equal(result, results[0]) for result in results[1:])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("place", [0, 20])
def test_a_huge_channel_disturbs_its_own_row_and_block_alone(native, kind, place) -> None:
    context = native["avx2"]
    packed = Packed(context, kind, 16, 512)
    x = torch.randn(21, 512, generator=torch.Generator().manual_seed(4))
    calm = context.linear(x, packed.matrix)
    huge = x.clone()
    huge[place, 300] *= 1000
    wild = context.linear(huge, packed.matrix)
    others = torch.arange(21) != place
    assert torch.equal(wild[others], calm[others])
    # What the other blocks of the row give is untouched: without the channel's block, equal rows.
    block = 256 if kind.endswith("_K") else 32
    start = 300 // block * block
    zeroed, calm_zeroed = huge[place : place + 1].clone(), x[place : place + 1].clone()
    zeroed[:, start : start + block] = calm_zeroed[:, start : start + block] = 0
    assert torch.equal(
        context.linear(zeroed, packed.matrix), context.linear(calm_zeroed, packed.matrix)
    )


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", [0.0, 1e-30, 1e30])
def test_extreme_activations(native, kind, value) -> None:
    for context in native.values():
        packed = Packed(context, kind, 9, 256)
        x = torch.full((2, 256), value)
        expected = x.double() @ packed.numbers.double().T
        found = context.linear(x, packed.matrix).double()
        assert torch.isfinite(found).all()
        assert (found - expected).abs().max() <= 1e-5 * value * packed.numbers.abs().sum(1).max()


def test_a_checksum_sees_every_byte_and_no_thread() -> None:
    data = torch.randint(0, 256, (3_000_001,), dtype=torch.uint8)
    sums = {c.checksum(data.data_ptr(), len(data)) for n in (1, 3) for c in contexts(n).values()}
    assert len(sums) == 1
    context = contexts(2)["avx2"]
    for place in (0, 31, 1 << 20, 2_999_999, 3_000_000):
        data[place] += 1
        sums.add(context.checksum(data.data_ptr(), len(data)))
    sums.add(context.checksum(data.data_ptr(), len(data) - 1))
    assert len(sums) == 7


def test_an_unknown_instruction_set_is_refused() -> None:
    from ostro.errors import OstroError
    from ostro.kernels.native import NativeContext

    with pytest.raises(OstroError, match="cannot run the neon kernels"):
        NativeContext(library(), 1, "neon")

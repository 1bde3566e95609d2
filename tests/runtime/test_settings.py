"""Device, dtype and threads: defaults and refusals."""

from collections.abc import Iterator

import pytest
import torch

from ostro.errors import OstroError
from ostro.runtime.settings import choose_settings, parse_dtype, usable_cores


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_defaults_are_the_cpu_bfloat16_and_every_core() -> None:
    settings = choose_settings()
    assert settings.device == torch.device("cpu")
    assert (settings.dtype, settings.type_name) == (torch.bfloat16, "BF16")
    assert settings.threads == usable_cores() == torch.get_num_threads()


def test_threads_are_set_for_the_process() -> None:
    assert choose_settings(threads=1).threads == torch.get_num_threads() == 1
    with pytest.raises(OstroError, match="threads must be 1 or more, not 0"):
        choose_settings(threads=0)


@pytest.mark.parametrize("name", ["float32", "F32", "f32", torch.float32])
def test_a_dtype_goes_by_several_names(name: str | torch.dtype) -> None:
    assert parse_dtype(name) is torch.float32


@pytest.mark.parametrize("name", ["int8", "Q4_0", "", torch.float64])
def test_other_dtypes_are_refused(name: str | torch.dtype) -> None:
    with pytest.raises(OstroError, match="is not supported; use float32, bfloat16 or float16"):
        parse_dtype(name)


def test_devices_that_cannot_be_used_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device, message in {
        "abacus": "unknown device 'abacus'",
        "meta": "device 'meta' is not supported",
        "cuda": "torch sees no NVIDIA GPU here",
    }.items():
        with pytest.raises(OstroError, match=message):
            choose_settings(device=device)

"""Sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostro.config import format_bytes, format_count, parse_bytes
from ostro.errors import OstroError


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1000", 1000),
        ("0", 0),
        ("7 B", 7),
        ("24G", 24 << 30),
        ("24g", 24 << 30),
        ("24GiB", 24 << 30),
        ("24GB", 24 * 10**9),
        ("1.5GB", 1_500_000_000),
        ("512 MiB", 512 << 20),
        (" 3k ", 3072),
        ("2TB", 2 * 10**12),
        ("0.5kb", 500),
    ],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    "text",
    ["", "G", "-1G", "1e9", "1.G", ".5G", "12iB", "12i", "12Gi", "1 GG", "1PB", "nan", "9" * 400],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(OstroError, match="as a size; write it as 24G"):
        parse_bytes(text)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_an_error(text: str) -> None:
    try:
        size = parse_bytes(text)
    except OstroError:
        return
    assert size >= 0


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (98_362_432, "98.4 MB"),
        (93_405_585_408, "93.4 GB"),
        (281_260_142_592, "281 GB"),
        (2.5e12, "2.5 TB"),
        (4e15, "4000 TB"),
    ],
)
def test_sizes_are_written_with_three_digits(count: float, text: str) -> None:
    assert format_bytes(count) == text


@given(st.integers(min_value=0, max_value=10**15))
def test_a_written_size_reads_back_within_half_a_percent(count: int) -> None:
    assert parse_bytes(format_bytes(count)) == pytest.approx(count, rel=5e-3, abs=0.5)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (12, "12"),
        (2500, "2.5 k"),
        (691_931_520, "692 M"),
        (46_702_792_704, "46.7 B"),
        (2e12, "2000 B"),
    ],
)
def test_parameters_are_written_as_papers_do(count: float, text: str) -> None:
    assert format_count(count) == text

"""The catalogue of published files: sizes that agree with the geometry, and the choice."""

import pytest

from ostro.config import PRESETS, weight_bytes
from ostro.errors import OstroError
from ostro.weights.catalogue import CATALOGUE, PublishedFile, choose, published
from ostro.weights.hub_files import split_hub_id

ALL = [file for files in CATALOGUE.values() for file in files]


def entry(size: int, perplexity: float | None = None) -> PublishedFile:
    return PublishedFile(
        model="m",
        preset="demo",
        hub_id="o/n",
        files=(f"{size}.gguf",),
        quantisation="Q4_0",
        bytes=size,
        perplexity=perplexity,
    )


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.pull_id)
def test_every_size_agrees_with_the_geometry(file: PublishedFile) -> None:
    expected = weight_bytes(PRESETS[file.preset], file.weight_type)
    # A mix spends more bits on some tensors than its name says, and a file has a header.
    most = 1.002 if file.quantisation in ("BF16", "Q6_K", "Q8_0") else 1.15
    assert 0.998 * expected < file.bytes < most * expected


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.pull_id)
def test_every_row_can_be_pulled(file: PublishedFile) -> None:
    repo, name = split_hub_id(file.pull_id)
    assert repo == file.hub_id
    assert (name,) == file.files[:1] or (name is None and not file.files)
    assert file.quantisation in "".join(file.files or ("BF16",))


def test_names_stand_for_the_instruct_models() -> None:
    models = {name: {file.model for file in published(name)} for name in CATALOGUE}
    assert models == {
        "mixtral": {"Mixtral-8x7B-Instruct-v0.1"},
        "mixtral-8x22b": {"Mixtral-8x22B-Instruct-v0.1"},
        "mistral": {"Mistral-7B-Instruct-v0.3"},
    }
    with pytest.raises(OstroError, match="known: mixtral, mixtral-8x22b, mistral"):
        published("gpt-2")


def test_files_come_smallest_first_and_more_bits_read_better() -> None:
    files = published("mixtral")
    assert [file.bytes for file in files] == sorted(file.bytes for file in files)
    assert files[-1].bytes == 93_405_585_408
    known = {file.quantisation: file.perplexity for file in files if file.perplexity is not None}
    order = [known[name] for name in ("Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")]
    assert order == sorted(order, reverse=True)


def test_the_largest_that_fits_is_chosen() -> None:
    files = [entry(10), entry(30), entry(20)]

    def twice(file: PublishedFile) -> int:
        return 2 * file.bytes

    assert choose(files, 59, twice) is files[2]
    assert choose(files, 60, twice) is files[1]
    assert choose(files, 19, twice) is None
    assert choose([], 100, twice) is None


def test_of_two_of_one_size_the_lower_perplexity_wins() -> None:
    files = [entry(10), entry(10, 5.0), entry(10, 4.0), entry(10, 4.5)]
    assert choose(files, 10, lambda file: file.bytes) is files[2]

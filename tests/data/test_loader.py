"""The loader: the same batches for any number of ranks, from any step on."""

import json

import pytest

from ostro.data.batch import Sample
from ostro.data.dataset import Dataset
from ostro.data.loader import Loader, LoaderOptions, ordered_samples
from ostro.errors import OstroError
from small_dataset import random_sequences, write_dataset

KINDS = ("documents", "conversations", "preferences")
STEPS = 12


@pytest.fixture(scope="module", params=KINDS)
def dataset(request, tmp_path_factory) -> Dataset:
    lengths = [2 + n % 9 for n in range(30)]
    folder = tmp_path_factory.mktemp("data") / "set"
    return write_dataset(folder, random_sequences(lengths), request.param)


def options(**changes) -> LoaderOptions:
    return LoaderOptions(**{"length": 10, "batch": 8, "seed": 3} | changes)


def plain(sample: Sample) -> tuple:
    tensors = (sample.tokens_T, sample.positions_T, sample.targets_T, sample.learned_T)
    return tuple(tuple(x.tolist()) for x in tensors), sample.lengths, sample.numbers


def batches(loader: Loader, steps: int = STEPS) -> list[list[tuple]]:
    return [[plain(sample) for sample in loader.next_batch()] for _ in range(steps)]


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("step", [0, 1, 3, 5, 11])
def test_ranks_and_resuming_change_nothing(dataset, ranks, step) -> None:
    expected = batches(Loader(dataset, options()))
    before = Loader(dataset, options(), rank=1, ranks=2)
    batches(before, step)
    state = json.loads(json.dumps(before.state()))
    parts = [
        batches(Loader(dataset, options(), rank=rank, ranks=ranks, state=state), STEPS - step)
        for rank in range(ranks)
    ]
    for number, batch in enumerate(expected[step:]):
        together = [None] * 8
        for rank in range(ranks):
            together[rank::ranks] = parts[rank][number]
        assert together == batch


def test_every_epoch_has_every_sample_once_in_an_order_of_its_own(dataset) -> None:
    loader = Loader(dataset, options(batch=1))
    size = loader.samples_per_epoch
    epochs = [[batch[0] for batch in batches(loader, size)] for _ in range(3)]
    assert size > 5
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    assert len(set(epochs[0])) == size
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert loader.epoch == 3.0


def test_a_batch_may_span_epochs(dataset) -> None:
    loader = Loader(dataset, options(batch=1))
    size = loader.samples_per_epoch
    row = [batch[0] for batch in batches(loader, 4 * size)]
    wide = Loader(dataset, options(batch=2 * size - 1))
    assert batches(wide, 2) == [row[: 2 * size - 1], row[2 * size - 1 : 4 * size - 2]]
    assert wide.epoch == pytest.approx(4 - 2 / size)


def test_the_seed_decides_the_order(dataset) -> None:
    first, again = batches(Loader(dataset, options())), batches(Loader(dataset, options()))
    assert first == again != batches(Loader(dataset, options(seed=4)))


def test_validation_reads_everything_once_in_order(dataset) -> None:
    samples = list(ordered_samples(dataset, options(packed=False)))
    first = [sample.numbers[0] for sample in samples]
    assert first == sorted(first)
    loader = Loader(dataset, options(packed=False, batch=1))
    epoch = [batch[0] for batch in batches(loader, loader.samples_per_epoch)]
    assert sorted(map(plain, samples)) == sorted(epoch)


def test_what_is_cut_and_dropped_is_counted(tmp_path) -> None:
    dataset = write_dataset(tmp_path / "set", random_sequences([4, 4, 4, 12]), "preferences")
    assert Loader(dataset, options()).dropped == 1
    dataset = write_dataset(tmp_path / "other", random_sequences([4, 4, 4, 12]))
    loader = Loader(dataset, options())
    assert (loader.cut, loader.dropped) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fingerprint": "f" * 64}, "another data set under the same name"),
        ({"length": 11}, "began with length = 11, and now it is 10"),
        ({"packed": False}, "began with packed = False, and now it is True"),
        ({"seed": 4}, "began with seed = 4"),
        ({"samples": -1}, "has consumed -1 samples"),
        ({"samples": "8"}, "the loader's state: samples must be a whole number"),
        ({"extra": 1}, "the loader's state: unknown key 'extra'"),
    ],
)
def test_a_state_of_other_samples_is_refused(dataset, changes, complaint) -> None:
    state = Loader(dataset, options()).state() | changes
    with pytest.raises(OstroError, match=complaint):
        Loader(dataset, options(), state=state)


def test_a_state_without_a_place_is_refused(dataset) -> None:
    state = Loader(dataset, options()).state()
    del state["samples"]
    with pytest.raises(OstroError, match="samples is missing"):
        Loader(dataset, options(), state=state)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"length": 1}, "length must be at least 2 tokens"),
        ({"batch": 0}, "batch must be at least 1 sample"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"batch": 9}, "a batch of 9 samples can't be shared by 2 ranks"),
    ],
)
def test_impossible_options_are_refused(dataset, changes, complaint) -> None:
    with pytest.raises(OstroError, match=complaint):
        Loader(dataset, options(**changes), ranks=2)

"""Batches without end, the same for any number of ranks, and resumable at every step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ostro.config.strict_tables import parse_table, to_table
from ostro.data.batch import Sample
from ostro.data.dataset import Dataset
from ostro.data.layout import Layout, build_layout
from ostro.data.sequences import Ids
from ostro.data.shuffle import permutation
from ostro.errors import OstroError


@dataclass(frozen=True, kw_only=True)
class LoaderOptions:
    """How samples are made, and how many make a step."""

    length: int
    """Rows of a sample at most; of a pair, each side's."""
    batch: int
    """Samples of an optimizer step, over all ranks."""
    seed: int = 0
    packed: bool = True
    """Whether conversations share samples."""

    def __post_init__(self) -> None:
        if self.length < 2:
            raise OstroError(f"length must be at least 2 tokens, not {self.length}")
        if self.batch < 1:
            raise OstroError(f"batch must be at least 1 sample, not {self.batch}")
        if self.seed < 0:
            raise OstroError(f"seed must be at least 0, not {self.seed}")


@dataclass(frozen=True, kw_only=True)
class LoaderState:
    """Where a loader stands: all that the samples to come depend on, but for ranks and batch."""

    fingerprint: str
    """The data set's."""
    length: int
    packed: bool
    seed: int
    samples: int
    """Consumed since the beginning, by all ranks together."""


class Loader:
    """One rank's part of every batch.

    Sample n of all is number n of an endless row of epochs, each in an order of its own. A batch
    takes the next ``batch`` of that row, and so may begin in one epoch and end in the next; rank r
    of R gets its samples r, r + R, ... Nothing depends on R but who reads what.
    """

    def __init__(
        self,
        dataset: Dataset,
        options: LoaderOptions,
        *,
        rank: int = 0,
        ranks: int = 1,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin, or go on where the loader was that gave ``state``, with whatever ranks.

        An OstroError if the data set has no samples of this length, if the batch can't be divided
        between the ranks, or if the state is that of another data set or of other samples.
        """
        assert 0 <= rank < ranks
        if options.batch % ranks:
            raise OstroError(f"a batch of {options.batch} samples can't be shared by {ranks} ranks")
        self._options, self._rank, self._ranks = options, rank, ranks
        self._fingerprint = dataset.fingerprint
        self._layout = _layout(dataset, options, seed=options.seed)
        self._samples = 0 if state is None else self._resumed(state)
        self._shuffled: tuple[int, Ids] | None = None

    @property
    def samples_per_epoch(self) -> int:
        """Samples of one pass over the data set, over all ranks."""
        return len(self._layout)

    @property
    def epoch(self) -> float:
        """Passes over the data set so far, such as 1.5."""
        return self._samples / self.samples_per_epoch

    @property
    def cut(self) -> int:
        """Sequences that lose their end in every epoch, because they are longer than a sample."""
        return self._layout.cut

    @property
    def dropped(self) -> int:
        """Conversations or pairs that are never read, because they are too long."""
        return self._layout.dropped

    def next_batch(self) -> list[Sample]:
        """This rank's samples of the next batch: ``batch / ranks`` of them."""
        start, self._samples = self._samples, self._samples + self._options.batch
        return [self._sample(n) for n in range(start + self._rank, self._samples, self._ranks)]

    def state(self) -> dict[str, Any]:
        """For JSON: what a loader of any number of ranks goes on from."""
        return to_table(self._state(self._samples))

    def _sample(self, number: int) -> Sample:
        """Sample ``number`` of the endless row. Numbers come in ascending order."""
        epoch, place = divmod(number, self.samples_per_epoch)
        if self._shuffled is None or self._shuffled[0] != epoch:
            # The seed alone is how conversations were shuffled before they were packed.
            order = permutation(self.samples_per_epoch, self._options.seed, epoch + 1)
            self._shuffled = epoch, order
        return self._layout[int(self._shuffled[1][place])]

    def _state(self, samples: int) -> LoaderState:
        return LoaderState(
            fingerprint=self._fingerprint,
            length=self._options.length,
            packed=self._options.packed,
            seed=self._options.seed,
            samples=samples,
        )

    def _resumed(self, values: Mapping[str, Any]) -> int:
        """The samples that were consumed, if the state's row of samples is this one."""
        state = parse_table(LoaderState, values, "the loader's state")
        own = self._state(state.samples)
        if state.fingerprint != own.fingerprint:
            raise OstroError("the run began with other data: another data set under the same name")
        for name, value in to_table(state).items():
            if value != getattr(own, name):
                raise OstroError(
                    f"the run began with {name} = {value}, and now it is {getattr(own, name)};"
                    " its samples would not be the same"
                )
        if state.samples < 0:
            raise OstroError(f"the loader's state has consumed {state.samples} samples")
        return state.samples


def ordered_samples(dataset: Dataset, options: LoaderOptions) -> Iterator[Sample]:
    """All samples once, in the data set's own order: for validation."""
    layout = _layout(dataset, options, seed=None)
    return (layout[number] for number in range(len(layout)))


def shuffled_samples(dataset: Dataset, options: LoaderOptions) -> Iterator[Sample]:
    """All samples once, in the order of training's first epoch."""
    loader = Loader(dataset, replace(options, batch=1))
    return (loader.next_batch()[0] for _ in range(loader.samples_per_epoch))


def _layout(dataset: Dataset, options: LoaderOptions, *, seed: int | None) -> Layout:
    layout = build_layout(dataset, options.length, packed=options.packed, seed=seed)
    if not len(layout):
        raise OstroError(
            f"no {dataset.kind} of this data set make a sample of {options.length} tokens;"
            f" {'use a smaller' if dataset.kind == 'documents' else 'use a greater'} length"
        )
    return layout

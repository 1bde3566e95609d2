"""Documents in windows: every token once, and no row that looks into another document."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.data.loader import LoaderOptions, ordered_samples
from ostro.data.sequences import TokenSequence
from ostro.errors import OstroError
from small_dataset import write_dataset


def options(length: int) -> LoaderOptions:
    return LoaderOptions(length=length, batch=1)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    length=st.integers(2, 9),
    shard=st.integers(1, 9),
)
def test_windows_cover_every_token_once_and_keep_documents_apart(
    tmp_path_factory, lengths, length, shard
) -> None:
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    total = sum(lengths)
    # A token's id is its place in the stream.
    documents = [
        TokenSequence.of(list(range(start, start + n)), learned_from=0)
        for start, n in zip(starts, lengths, strict=True)
    ]
    dataset = write_dataset(tmp_path_factory.mktemp("data") / "set", documents, "documents", shard)
    if total < length:
        with pytest.raises(OstroError, match="no documents of this data set make a sample"):
            ordered_samples(dataset, options(length))
        return
    samples = list(ordered_samples(dataset, options(length)))
    covered = [token for sample in samples for token in sample.tokens_T.tolist()]
    assert covered == list(range(total - total % length))
    owner = [number for number, n in enumerate(lengths) for _ in range(n)]
    for sample in samples:
        assert len(sample.tokens_T) == sum(sample.lengths) == length
        assert min(sample.lengths) > 0
        owners = [
            n for n, rows in zip(sample.numbers, sample.lengths, strict=True) for _ in range(rows)
        ]
        positions = [p for rows in sample.lengths for p in range(rows)]
        assert sample.positions_T.tolist() == positions
        for row, token in enumerate(sample.tokens_T.tolist()):
            assert owners[row] == owner[token]
            has_next = token + 1 < total and owner[token + 1] == owner[token]
            assert sample.learned_T[row] == has_next
            assert sample.targets_T[row] == (token + 1 if has_next else 0)

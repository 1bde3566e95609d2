"""A data set on disk: what was written comes back, whole, across shards, and readable by NumPy."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.data.dataset import open_dataset
from ostro.data.sequences import TokenSequence
from ostro.errors import OstroError
from small_dataset import random_sequences, write_dataset


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=12), shard=st.integers(1, 9))
def test_what_was_written_comes_back_whatever_the_shards(tmp_path_factory, lengths, shard) -> None:
    sequences = random_sequences(lengths)
    folder = tmp_path_factory.mktemp("data") / "set"
    dataset = write_dataset(folder, sequences, shard_tokens=shard)
    assert dataset.lengths.tolist() == lengths
    assert len(dataset) == len(lengths)
    for number, sequence in enumerate(sequences):
        ids, learned = dataset.sequence(number)
        assert (ids.dtype, learned.dtype) == (np.int64, np.bool_)
        assert ids.tolist() == sequence.ids.tolist()
        assert learned.tolist() == sequence.learned.tolist()
    stream = np.concatenate([sequence.ids for sequence in sequences])
    for start in range(0, len(stream), 5):
        assert dataset.tokens(start, len(stream)).tolist() == stream[start:].tolist()
    assert dataset.tokens(1, 1).tolist() == []


def test_documents_learn_all_but_the_first_token_of_each(tmp_path) -> None:
    sequences = [TokenSequence.of([5] * n, learned_from=0) for n in (1, 3, 2)]
    dataset = write_dataset(tmp_path / "set", sequences, kind="documents", shard_tokens=4)
    assert dataset.learned(0, 6).tolist() == [False, False, True, True, False, True]
    assert dataset.learned(2, 5).tolist() == [True, True, False]
    assert dataset.manifest.learned_tokens == 3
    assert not list((tmp_path / "set").glob("learned-*"))


@pytest.mark.parametrize(
    ("vocab_size", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)], ids=str
)
def test_numpy_alone_reads_the_files(tmp_path, vocab_size, dtype) -> None:
    last = TokenSequence.of([1, vocab_size - 1], learned_from=1)
    write_dataset(tmp_path / "set", [last], vocab_size=vocab_size)
    tokens = np.load(tmp_path / "set" / "tokens-00000.npy", mmap_mode="r", allow_pickle=False)
    assert tokens.dtype == dtype
    assert tokens.tolist() == [1, vocab_size - 1]
    ends = np.load(tmp_path / "set" / "ends-00000.npy", mmap_mode="r", allow_pickle=False)
    assert (ends.dtype, ends.tolist()) == (np.int64, [2])
    learned = np.load(tmp_path / "set" / "learned-00000.npy", mmap_mode="r", allow_pickle=False)
    assert (learned.dtype, learned.tolist()) == (np.bool_, [False, True])


def test_only_what_is_read_is_loaded(tmp_path) -> None:
    dataset = write_dataset(tmp_path / "set", random_sequences([20, 20]))
    assert all(isinstance(shard, np.memmap) for shard in dataset._tokens)


def change_manifest(folder: Path, **changes: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def replace_array(folder: Path, name: str, values: list, dtype: type) -> None:
    np.save(folder / name, np.array(values, dtype))


DAMAGES = {
    "format 2, and this ostro reads 1": lambda f: change_manifest(f, format=2),
    "unknown key 'extra'": lambda f: change_manifest(f, extra=1),
    "tokens must be a whole number": lambda f: change_manifest(f, tokens="many"),
    "kind must be one of": lambda f: change_manifest(f, kind="poems"),
    "its fingerprint does not fit": lambda f: change_manifest(f, tokenizer_hash="1" * 64),
    "its counts don't agree": lambda f: change_manifest(f, sequences=5),
    "not readable as JSON": lambda f: (f / "dataset.json").write_text("{"),
    "it has no dataset.json": lambda f: (f / "dataset.json").unlink(),
    "tokens-00000.npy: not readable": lambda f: (f / "tokens-00000.npy").unlink(),
    "learned-00001.npy: not readable": lambda f: (f / "learned-00001.npy").write_bytes(b"x"),
    r"holds uint32 \[7\], and its manifest says uint16 \[7\]": lambda f: replace_array(
        f, "tokens-00000.npy", [0] * 7, np.uint32
    ),
    r"holds int64 \[3\], and its manifest says int64 \[1\]": lambda f: replace_array(
        f, "ends-00001.npy", [8, 9, 10], np.int64
    ),
    "counts don't agree": lambda f: replace_array(f, "ends-00001.npy", [9], np.int64),
}


@pytest.mark.parametrize("complaint", DAMAGES)
def test_what_is_damaged_is_named(tmp_path, complaint) -> None:
    write_dataset(tmp_path / "set", random_sequences([3, 7]))
    DAMAGES[complaint](tmp_path / "set")
    with pytest.raises(OstroError, match=complaint):
        open_dataset(tmp_path / "set")


def test_a_cut_file_is_named(tmp_path) -> None:
    write_dataset(tmp_path / "set", random_sequences([3, 7]))
    path = tmp_path / "set" / "tokens-00000.npy"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(OstroError, match=r"tokens-00000\.npy: not readable"):
        open_dataset(tmp_path / "set")


def test_the_folder_above_says_where_the_data_sets_are(tmp_path) -> None:
    write_dataset(tmp_path / "train", random_sequences([3]))
    with pytest.raises(OstroError, match=r"did you mean .*/train\?"):
        open_dataset(tmp_path)

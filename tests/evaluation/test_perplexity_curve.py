"""Perplexity over context lengths, against the model's own logits."""

import gzip
import json
import math
import re
from contextlib import contextmanager
from itertools import pairwise

import pytest
import torch

import ostro
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.long_context import perplexity_curve as module
from ostro.evaluation.long_context.curve import Curve
from ostro.evaluation.long_context.documents import (
    Document,
    benchmark_documents,
    own_documents,
    sampled,
)
from ostro.evaluation.long_context.perplexity_curve import PerplexityCurve
from ostro.evaluation.long_context.protocols import ByPosition, Paired, Sliding
from ostro.evaluation.report.contents import Plot, Table
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import SilentProgress
from tiny_chat import BOS, save_babbler, text_ids

SILENT = SilentProgress()
LENGTHS = (32, 64, 128)
TEXTS = [
    "".join(chr(97 + (number * step + number * number // 7) % 26) for number in range(300))
    for step in (3, 5, 11)
]
DOCUMENTS = tuple(Document(f"d{number}", text) for number, text in enumerate(TEXTS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_babbler(tmp_path_factory.mktemp("models") / "m")


@pytest.fixture(scope="module")
def llm(folder):
    return ostro.load(folder, progress=SILENT)


@pytest.fixture(scope="module")
def llm_of_torch(folder):
    return ostro.load(folder, progress=SILENT, dtype="float32")


def subject_of(llm) -> Subject:
    return Subject("tiny", "key", llm.model.geometry, llm.context, lambda: llm)


def unloadable(context: int = 512) -> Subject:
    def load():
        raise AssertionError("there is no need of the model")

    return Subject("tiny", "key", None, context, load)


def losses(llm, ids: list[int]) -> list[float]:
    """Of each token but the first, from one reading of all."""
    log_p = llm.logits(ids).double().log_softmax(-1)
    return [-log_p[at, token].item() for at, token in enumerate(ids[1:])]


def tail(llm, text: str, end: int, length: int, scored: int) -> list[float]:
    """Losses of the last tokens of BOS and ``length - 1`` bytes."""
    return losses(llm, [BOS, *text_ids(text[end - length + 1 : end])])[-scored:]


def by_paired(llm, text: str, length: int) -> list[float]:
    # Thirds of 300 bytes, the first moved to where 127 bytes precede its end.
    return [loss for end in (127, 200) for loss in tail(llm, text, end, length, 16)]


def by_sliding(llm, text: str, length: int) -> list[float]:
    ends = range(length - 1, 128, 16)
    return [loss for end in ends for loss in tail(llm, text, end, length, 16)]


def by_position(llm, text: str, length: int) -> list[float]:
    before = {32: 1, 64: 32, 128: 64}[length]
    return losses(llm, [BOS, *text_ids(text[:127])])[before - 1 : length - 1]


PROTOCOLS = [
    (Paired(targets=16, blocks=2), by_paired, {32: 32, 64: 32, 128: 32}),
    (Sliding(stride=16), by_sliding, {32: 7 * 16, 64: 5 * 16, 128: 16}),
    (ByPosition(), by_position, {32: 31, 64: 32, 128: 64}),
]


@pytest.mark.parametrize("kernels", ["llm", "llm_of_torch"])
@pytest.mark.parametrize(("protocol", "expected", "counts"), PROTOCOLS)
def test_it_is_that_of_the_logits(request, tmp_path, kernels, protocol, expected, counts) -> None:
    llm = request.getfixturevalue(kernels)
    curve = PerplexityCurve(documents=DOCUMENTS, protocol=protocol, lengths=LENGTHS)
    found = curve.measure(subject_of(llm), Results(tmp_path), SILENT)
    curve_found = Curve(found)
    for length in LENGTHS:
        own = [expected(llm, text, length) for text in TEXTS]
        for document, wanted in zip(found["documents"], own, strict=True):
            score = document["scores"][str(length)]
            assert score["tokens"] == len(wanted) == counts[length]
            assert score["loss"] == pytest.approx(sum(wanted), rel=1e-4)
        mean = sum(map(sum, own)) / sum(map(len, own))
        assert curve_found.perplexity(length).value == pytest.approx(math.exp(mean), rel=1e-4)
        assert curve_found.tokens(length) == sum(map(len, own))


def test_errors_are_those_over_documents(llm, tmp_path) -> None:
    curve = PerplexityCurve(documents=DOCUMENTS, protocol=Paired(16, 2), lengths=(32, 64))
    found = Curve(curve.measure(subject_of(llm), Results(tmp_path), SILENT))
    means = torch.tensor(
        [[sum(by_paired_at(llm, text, n)) / 32 for n in (32, 64)] for text in TEXTS]
    )
    error = means[:, 0].std().item() / math.sqrt(3)
    perplexity = found.perplexity(32)
    assert perplexity.error == pytest.approx(perplexity.value * error, rel=1e-2)
    low, high = found.range(32).interval
    assert math.log(high / low) == pytest.approx(2 * 1.96 * error, rel=1e-2)
    changes = means[:, 1] - means[:, 0]
    (step,) = found.steps
    assert step.change.value == pytest.approx(changes.mean().item(), abs=1e-3)
    assert step.change.error == pytest.approx(changes.std().item() / math.sqrt(3), rel=2e-2)


def by_paired_at(llm, text: str, length: int) -> list[float]:
    # The longest length is 64: the first third is far enough from the beginning.
    return [loss for end in (100, 200) for loss in tail(llm, text, end, length, 16)]


def test_blocks_are_the_same_at_every_length_and_do_not_overlap() -> None:
    for blocks in (1, 2, 5):
        protocol, lengths = Paired(targets=16, blocks=blocks), (32, 64, 128)
        needed = protocol.needed(lengths)
        for count in (needed - 1, needed + 100, 10_000):
            passes = protocol.passes(lengths, count, 1)
            ends = {tuple(window.end for window in one.windows) for one in passes}
            assert len(ends) == 1
            (places,) = ends
            assert len(places) == blocks
            assert places[-1] <= count
            assert all(after - before >= 16 for before, after in pairwise(places))
            assert all(window.start >= 0 for one in passes for window in one.windows)


@pytest.mark.parametrize("protocol", [protocol for protocol, _, _ in PROTOCOLS])
def test_a_document_that_is_too_short_is_named_and_never_cut(llm, tmp_path, protocol) -> None:
    needed = protocol.needed(LENGTHS)
    just, short = TEXTS[0][: needed - 1], TEXTS[1][: needed - 2]
    documents = (Document("just", just), Document("short", short))
    curve = PerplexityCurve(documents=documents, protocol=protocol, lengths=LENGTHS)
    found = curve.measure(subject_of(llm), Results(tmp_path), SILENT)
    assert [one["id"] for one in found["documents"]] == ["just"]
    assert found["left_out"] == [{"id": "short", "tokens": needed - 1}]
    blocks = curve.section({"tiny": found}).blocks
    assert f"short ({needed - 1} tokens)" in blocks[-1]


def test_where_all_are_too_short_it_says_so(llm, tmp_path) -> None:
    # So many bytes might be tokens enough, if there were more tokens than bytes.
    document = Document("d", "x" * 122)
    curve = PerplexityCurve(documents=(document,), lengths=(64, 128), protocol=Paired(16))
    curve.check(subject_of(llm))
    with pytest.raises(OstroError, match=r"no document has the 128 tokens .* longest has 123"):
        curve.measure(subject_of(llm), Results(tmp_path), SILENT)


def test_what_was_measured_needs_no_model(llm, tmp_path) -> None:
    documents = (*DOCUMENTS, Document("short", "too short"))
    curve = PerplexityCurve(documents=documents, lengths=LENGTHS, protocol=Paired(16))
    found = curve.measure(subject_of(llm), Results(tmp_path), SILENT)
    assert curve.measure(unloadable(), Results(tmp_path), SILENT) == found
    other = PerplexityCurve(documents=documents, lengths=LENGTHS, protocol=Paired(15))
    with pytest.raises(AssertionError, match="no need"):
        other.measure(unloadable(), Results(tmp_path), SILENT)


@pytest.mark.parametrize("protocol", [protocol for protocol, _, _ in PROTOCOLS])
def test_after_a_kill_it_goes_on(llm, tmp_path, monkeypatch, protocol) -> None:
    curve = PerplexityCurve(documents=DOCUMENTS, lengths=LENGTHS, protocol=protocol)
    whole = curve.measure(subject_of(llm), Results(tmp_path / "whole"), SILENT)
    read, reads = module.read_losses, []

    def killed(*arguments):
        reads.append(1)
        if len(reads) == 3:
            raise KeyboardInterrupt
        return read(*arguments)

    monkeypatch.setattr(module, "read_losses", killed)
    results = Results(tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        curve.measure(subject_of(llm), results, SILENT)
    assert curve.measure(subject_of(llm), results, SILENT) == whole


@pytest.mark.parametrize("protocol", [protocol for protocol, _, _ in PROTOCOLS])
def test_the_bar_ends_where_the_reading_does(llm, tmp_path, protocol) -> None:
    watching = Watching()
    documents = (*DOCUMENTS, Document("short", "too short"))
    curve = PerplexityCurve(documents=documents, lengths=LENGTHS, protocol=protocol)
    curve.measure(subject_of(llm), Results(tmp_path), watching)
    assert watching.done == watching.total > 0


class Watching(SilentProgress):
    """Counts what it is told."""

    total = done = 0

    @contextmanager
    def task(self, label, total, unit):
        self.total = total
        yield self._advance

    def _advance(self, done: int) -> None:
        self.done += done


LONG = (Document("long", "x" * 3000),)


@pytest.mark.parametrize(
    ("options", "context", "message"),
    [
        ({"lengths": (512, 1024)}, 512, "tiny reads 512 tokens, which a length of 1024"),
        ({"lengths": (16, 32), "protocol": Paired(16)}, 512, "16 tokens is too short; .* 17"),
        ({}, 256, "lengths begin with 512"),
        ({"lengths": (512,), "documents": DOCUMENTS}, 512, "none of 3 documents has the 512"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_loading(options, context, message) -> None:
    with pytest.raises(OstroError, match=message):
        PerplexityCurve(**{"documents": LONG} | options).check(unloadable(context))


def test_lengths_are_powers_of_two_up_to_the_context(tmp_path) -> None:
    assert module.chosen_lengths(None, unloadable(512)) == (512,)
    assert module.chosen_lengths(None, unloadable(5000)) == (512, 1024, 2048, 4096)
    assert module.chosen_lengths((64, 32, 64), unloadable(512)) == (32, 64)


# ---- in words ----


def found_of(*documents: list[float], lengths: tuple[int, ...] = (512, 1024, 2048)) -> dict:
    """Of each document the mean losses at the lengths."""
    return {
        "lengths": list(lengths),
        "needed": lengths[-1],
        "left_out": [],
        "documents": [
            {
                "id": str(number),
                "scores": {
                    str(length): {"loss": 10 * loss, "tokens": 10}
                    for length, loss in zip(lengths, means, strict=True)
                },
            }
            for number, means in enumerate(documents)
        ],
    }


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (found_of([3.0, 2.5, 2.0], [4.0, 3.6, 3.0]), r"falls at every step, each time by more"),
        (
            found_of([3.0, 2.5, 2.0], [4.0, 3.6, 3.5], [4.0, 3.6, 3.6]),
            r"falls at every step, but by no more than the error \(95 %\) from 1024 to 2048",
        ),
        (
            found_of([3.0, 2.5, 2.9], [4.0, 3.6, 4.0]),
            r"does not fall throughout. It rises from 1024 to 2048, by more than",
        ),
        (
            found_of([3.0, 2.9, 2.0], [4.0, 4.2, 3.1]),
            r"does not fall throughout. From 512 to 1024 it does not fall \(within the error\)",
        ),
        (found_of([3.0, 2.5, 2.0]), "of one document no error can be told"),
        (found_of([3.0, 2.5, 2.6]), "more than chance is unknown"),
        (found_of([3.0], [4.0], lengths=(512,)), "one length only"),
    ],
)
def test_the_verdict_is_honest(found, verdict) -> None:
    assert re.search(verdict, Curve(found).verdict)


def test_the_section_has_curves_steps_and_the_published_values() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = {
        "a": found_of([3.0, 2.5, 2.0], [4.0, 3.6, 3.0]),
        "b": found_of([3.0, 2.9], lengths=(512, 4096)),
    }
    section = PerplexityCurve(documents=DOCUMENTS).section(found)
    assert section.name == "perplexity"
    assert "Paired" in section.protocol
    assert section.data == found
    json.dumps(section.data)
    files = [block.name for block in section.blocks if not isinstance(block, str)]
    assert len(set(files)) == len(files) == 4
    values, steps = (block for block in section.blocks if isinstance(block, Table))
    assert values.columns == ["model", "512", "1024", "2048", "4096"]
    assert [row[0].text for row in values.rows] == ["a", "b", "Mixtral 8x7B, published"]
    assert values.rows[0][1].number.value == pytest.approx(math.exp(3.5))
    assert values.rows[1][2].missing
    assert values.rows[2][1].number == 3.7
    assert values.rows[2][4].missing
    assert len(steps.rows) == 3
    assert [row[-1].text for row in steps.rows] == [
        "a clear fall",
        "a clear fall",
        "of one document",
    ]
    plot, change = (block for block in section.blocks if isinstance(block, Plot))
    assert {len(column) for column in plot.data.values()} == {5}
    falls = [0.0, math.expm1(-0.45), math.expm1(-1.0)]
    assert change.data["percent"][:3] == pytest.approx([100 * fall for fall in falls])
    assert change.data["low"][2:] == [pytest.approx(100 * falls[2]), None, None]
    change.draw(Figure())
    figure = Figure(figsize=plot.size)
    plot.draw(figure)
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    drawn = axes.lines[0].get_ydata()
    assert list(drawn) == pytest.approx([math.exp(mean) for mean in (3.5, 3.05, 2.5)])


# ---- documents ----


def test_documents_of_the_benchmark_data(tmp_path) -> None:
    records = [{"id": "a", "text": "x", "domain": "books"}, {"id": "b", "text": "y"}]
    data = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "longdoc_proofpile_like.jsonl.gz").write_bytes(gzip.compress(data.encode()))
    documents = benchmark_documents(BenchmarkData(tmp_path))
    assert documents == (
        Document("a", "x", "books"),
        Document("b", "y", "longdoc_proofpile_like"),
    )


def test_missing_benchmark_data_is_named(tmp_path) -> None:
    with pytest.raises(OstroError, match="has no longdoc_books"):
        benchmark_documents(BenchmarkData(tmp_path))


def test_documents_of_the_user(tmp_path) -> None:
    (tmp_path / "one.txt").write_text("a whole text\nof two lines")
    (tmp_path / "more.jsonl").write_text('{"text": "first"}\n{"id": "x", "text": "second"}\n')
    documents = own_documents([tmp_path / "one.txt", tmp_path / "more.jsonl"])
    assert documents == (
        Document("one.txt", "a whole text\nof two lines", "one.txt"),
        Document("more.jsonl:1", "first", "more.jsonl"),
        Document("x", "second", "more.jsonl"),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "whole"}\n{"text": \n', "bad.jsonl:2: not JSON"),
        ('{"title": "no text"}\n', "bad.jsonl:1: a document needs a 'text'"),
        ("", "holds no document"),
    ],
)
def test_a_file_that_cannot_be_read_whole_is_refused(tmp_path, content, message) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    with pytest.raises(OstroError, match=message):
        own_documents([path])


def test_a_limit_is_spread_over_groups() -> None:
    documents = [Document(str(n), f"text {n}", "ab"[n >= 8]) for n in range(10)]
    chosen = sampled(documents, 4, seed=0)
    assert [one.group for one in chosen].count("b") == 2
    assert chosen == sampled(documents, 4, seed=0)
    assert sampled(documents, None, seed=0) == tuple(documents)

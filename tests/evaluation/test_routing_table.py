"""Routing in a Parquet file and its summary, against a model that reads the same text at once."""

import json
import math
import sys
from collections import Counter
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import torch

import ostro
from ostro.engine.core import EngineCore
from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.evaluation import routed_tokens, routing_table
from ostro.evaluation.routed_tokens import text_requests
from ostro.evaluation.routing_summary import RoutingSummary, summarise
from ostro.evaluation.routing_table import record
from ostro.model.routing import kept_routing
from ostro.runtime.progress import SilentProgress
from tiny_chat import BOS, save_babbler, text_ids

SILENT = SilentProgress()
PROMPT = "a prompt of some length, é, longer than a page of 32 tokens"
BOTH = {"routing": True, "prompt_routing": True}
LAYERS, TOP_K = 3, 2
Row = dict[str, object]


@pytest.fixture(scope="module", params=[None, "float32"], ids=["native", "float32"])
def llm(request, tmp_path_factory) -> LLM:
    folder = save_babbler(tmp_path_factory.mktemp("models") / "babbler")
    return ostro.load(folder, context=120, dtype=request.param, progress=SILENT)


def at_once(llm: LLM, ids: list[int]) -> tuple[list, list]:
    """Experts and weights ``[T][L][K]`` of a text that is read in one pass."""
    with kept_routing(llm.model) as routing:
        llm.logits(ids)
        experts, weights = torch.stack(routing.chosen()), torch.stack(routing.weights())
        return experts.transpose(0, 1).tolist(), weights.transpose(0, 1).tolist()


def rows_of(path: Path) -> list[Row]:
    return pyarrow.parquet.read_table(path).to_pylist()


def expected(llm: LLM, ids: list[int], *, prompt: int, sequence: int = 0) -> list[Row]:
    """The rows of a sequence, whose first ``prompt`` tokens are the prompt, written out."""
    experts, weights = at_once(llm, ids)
    return [
        {
            "sequence": sequence,
            "position": position,
            "part": "prompt" if position < prompt else "answer",
            "token_id": token,
            "text": llm.tokenizer.token_bytes(token).decode(errors="replace"),
            "layer": layer,
            "slot": slot,
            "expert": experts[row][layer][slot],
            "weight": pytest.approx(weights[row][layer][slot], abs=1e-5),
        }
        for position, token in enumerate(ids)
        for row in [position if position < prompt else position - 1]
        for layer in range(LAYERS)
        for slot in range(TOP_K)
    ]


def test_the_file_holds_what_a_whole_text_chooses(llm: LLM, tmp_path) -> None:
    options = {"max_tokens": 6, "temperature": 1.0, "seed": 1}
    record(llm, [llm.request(PROMPT, **BOTH, **options)], tmp_path / "r.parquet", SILENT)
    answer = llm.generate(PROMPT, **options)
    ids = [*llm.encode(PROMPT), *answer.token_ids]
    found = rows_of(tmp_path / "r.parquet")
    assert found == expected(llm, ids, prompt=answer.prompt_tokens)
    assert {row["text"] for row in found if row["token_id"] == BOS} == {""}
    last, first = (
        [(row["expert"], row["weight"]) for row in found if row["position"] == position]
        for position in (answer.prompt_tokens - 1, answer.prompt_tokens)
    )
    assert last == first


def test_columns_and_what_the_file_says_of_itself(llm: LLM, tmp_path) -> None:
    steering = {"force": [1], "layers": {"2": {"top_k": 1}}}
    requests = [
        llm.request("a", max_tokens=1, n=2, routing=True),
        llm.request("b", max_tokens=1, routing=True),
        llm.request("c", max_tokens=1, routing=True, steering=steering),
        llm.request("d", max_tokens=1, routing=True, steering=steering),
    ]
    record(llm, requests, tmp_path / "r.parquet", SILENT)
    schema = pyarrow.parquet.read_schema(tmp_path / "r.parquet")
    assert {name: str(schema.field(name).type) for name in schema.names} == {
        "sequence": "int32",
        "position": "int32",
        "part": "string",
        "token_id": "int32",
        "text": "string",
        "layer": "int16",
        "slot": "int8",
        "expert": "int16",
        "weight": "float",
    }
    told = {key.decode(): value.decode() for key, value in schema.metadata.items()}
    assert (told["ostro.model"], told["ostro.version"]) == ("babbler", ostro.__version__)
    assert json.loads(told["ostro.geometry"]) == asdict(llm.model.geometry)
    assert json.loads(told["ostro.steering"]) == [
        {"from_sequence": 0, "steering": None},
        {"from_sequence": 3, "steering": steering},
    ]


def test_steering_is_seen_in_the_file_and_its_neighbours_are_as_alone(llm: LLM, tmp_path) -> None:
    steering = {"force": [5], "forbid": [0], "top_k": 3, "layers": {"1": {"top_k": 1}}}
    plain = llm.request(PROMPT, max_tokens=5, **BOTH)
    steered = llm.request(PROMPT, max_tokens=5, steering=steering, **BOTH)
    record(llm, [plain, steered, plain], tmp_path / "three.parquet", SILENT)
    record(llm, [plain], tmp_path / "one.parquet", SILENT)
    sequences = [
        [row for row in rows_of(tmp_path / "three.parquet") if row["sequence"] == number]
        for number in range(3)
    ]
    alone = rows_of(tmp_path / "one.parquet")
    assert [row["expert"] for row in alone] == [row["expert"] for row in sequences[0]]
    assert [row["expert"] for row in alone] == [row["expert"] for row in sequences[2]]
    slots = Counter((row["position"], row["layer"]) for row in sequences[1])
    assert {layer: count for (_, layer), count in slots.items()} == {0: 3, 1: 1, 2: 3}
    for layer in (0, 2):
        chosen = [(row["position"], row["expert"]) for row in sequences[1] if row["layer"] == layer]
        assert all((position, 5) in chosen for position, _ in chosen)
        assert not any(expert == 0 for _, expert in chosen)
    weights = [row["weight"] for row in sequences[1] if row["layer"] == 1]
    assert weights == [1.0] * len(weights)


@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_sequences_keep_their_order_whoever_finishes_first(
    llm: LLM, tmp_path, monkeypatch, chunk
) -> None:
    monkeypatch.setattr(routed_tokens, "_MOST_TOKENS", chunk)
    monkeypatch.setattr(routed_tokens, "_AT_ONCE", 2)
    monkeypatch.setattr(routing_table, "_ROWS", 50)
    lengths = [9, 2, 1, 5]
    requests = [llm.request("xyz", max_tokens=n, **BOTH) for n in lengths]
    record(llm, requests, tmp_path / "r.parquet", SILENT)
    ids = [*llm.encode("xyz"), *llm.generate("xyz", max_tokens=9).token_ids]
    whole = [
        row
        for number, length in enumerate(lengths)
        for row in expected(llm, ids[: 4 + length], prompt=4, sequence=number)
    ]
    assert rows_of(tmp_path / "r.parquet") == whole
    assert pyarrow.parquet.ParquetFile(tmp_path / "r.parquet").num_row_groups > 1


def test_each_answer_is_a_sequence_and_the_prompt_stands_with_the_first(llm: LLM, tmp_path) -> None:
    request = llm.request("xyz", n=2, temperature=1.0, seed=1, max_tokens=3, **BOTH)
    found = record(llm, [request], tmp_path / "r.parquet", SILENT)
    parts = {(row["sequence"], row["part"]) for row in rows_of(tmp_path / "r.parquet")}
    assert parts == {(0, "prompt"), (0, "answer"), (1, "answer")}
    assert (found.sequences, found.prompt_tokens, found.answer_tokens) == (2, 4, 6)
    assert found.rows == 4 + 2 + 2


def test_a_long_text_is_read_in_windows_and_answered_with_nothing(llm: LLM, tmp_path) -> None:
    text = "Begin the morning by saying to thyself. " * 8
    requests = text_requests(llm, text)
    record(llm, requests, tmp_path / "r.parquet", SILENT)
    body, room = text_ids(text), llm.context - 2
    windows = [[BOS, *body[start : start + room]] for start in range(0, len(body), room)]
    whole = [
        row
        for number, ids in enumerate(windows)
        for row in expected(llm, ids, prompt=len(ids), sequence=number)
    ]
    assert len(windows) == 3
    assert rows_of(tmp_path / "r.parquet") == whole
    (raw,) = text_requests(llm, "<s>ab", raw=True)
    assert raw.prompt_ids == [BOS, *text_ids("ab")]


def test_the_summary_is_that_of_its_formulas(llm: LLM, monkeypatch) -> None:
    monkeypatch.setattr(routed_tokens, "_MOST_TOKENS", 7)
    requests = [llm.request(text, max_tokens=6, **BOTH) for text in (PROMPT, "x")]
    found = summarise(llm, requests, SILENT)
    texts = [
        [*llm.encode(text), *llm.generate(text, max_tokens=6).token_ids][:-1]
        for text in (PROMPT, "x")
    ]
    read = [at_once(llm, ids) for ids in texts]
    assert found.rows == sum(map(len, texts))
    for layer, told in enumerate(found.layers):
        chosen = [row[layer] for experts, _ in read for row in experts]
        counts = Counter(expert for row in chosen for expert in row)
        shares = [counts[expert] / (TOP_K * len(chosen)) for expert in range(8)]
        assert told.shares == pytest.approx(shares)
        assert told.share_entropy == pytest.approx(-sum(p * math.log2(p) for p in shares if p))
        gates = [row[layer] for _, weights in read for row in weights]
        bits = [-sum(w * math.log2(w) for w in row if w) for row in gates]
        assert told.gate_entropy == pytest.approx(sum(bits) / len(bits), abs=1e-5)
        pairs = [
            before[layer][0] == after[layer][0]
            for experts, _ in read
            for before, after in pairwise(experts)
        ]
        assert told.first_repeats == pytest.approx(sum(pairs) / len(pairs))
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_one_row_repeats_nothing_and_weights_of_nothing_have_no_bits(llm: LLM) -> None:
    nothing = {"reweight": {str(expert): 0 for expert in range(8)}}
    request = llm.request("", raw=False, max_tokens=1, prompt_routing=True, steering=nothing)
    found = summarise(llm, [request], SILENT)
    assert [layer.first_repeats for layer in found.layers] == [None] * LAYERS
    assert [layer.gate_entropy for layer in found.layers] == [0] * LAYERS
    assert [layer.share_entropy for layer in found.layers] == [1] * LAYERS


def stops_after(steps: int, error: type[BaseException], monkeypatch) -> None:
    """Have the engine raise in the next step but so many."""
    step, count = EngineCore.step, 0

    def stopping(core):
        nonlocal count
        count += 1
        if count > steps:
            raise error
        return step(core)

    monkeypatch.setattr(EngineCore, "step", stopping)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_what_is_interrupted_leaves_nothing_and_the_engine_idle(
    llm: LLM, tmp_path, monkeypatch, error
) -> None:
    monkeypatch.setattr(routing_table, "_ROWS", 1)
    requests = [llm.request("xyz", max_tokens=n, **BOTH) for n in (2, 60)]
    (tmp_path / "r.parquet").write_text("old")
    with monkeypatch.context() as patch:
        stops_after(6, error, patch)
        with pytest.raises(error):
            record(llm, requests, tmp_path / "r.parquet", SILENT)
    assert [path.name for path in tmp_path.iterdir()] == ["r.parquet"]
    assert (tmp_path / "r.parquet").read_text() == "old"
    assert llm.core.is_idle


def test_a_disk_that_fills_is_told_and_leaves_nothing(llm: LLM, tmp_path, monkeypatch) -> None:
    def full(table) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(routing_table._Table, "flush", full)
    with pytest.raises(OstroError, match="No space left on device; nothing was left behind"):
        record(llm, [llm.request("x", max_tokens=1, **BOTH)], tmp_path / "r.parquet", SILENT)
    assert list(tmp_path.iterdir()) == []
    assert llm.core.is_idle


def test_without_pyarrow_one_line_says_what_to_install(llm: LLM, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    request = llm.request("x", max_tokens=1, **BOTH)
    with pytest.raises(OstroError, match=r"pip install 'ostro\[routing\]'"):
        record(llm, [request], tmp_path / "r.parquet", SILENT)
    assert isinstance(summarise(llm, [request], SILENT), RoutingSummary)


def test_what_has_no_routing_is_refused(llm: LLM, tmp_path) -> None:
    asked, unasked = llm.request("x", max_tokens=1, **BOTH), llm.request("x")
    for requests, message in (
        ([asked, unasked], "request 1 asks for no routing"),
        ([], "there is nothing to run"),
        ([llm.request("x" * 200, **BOTH)], "the prompt has 201 tokens and the context holds 120"),
    ):
        with pytest.raises(OstroError, match=message):
            record(llm, requests, tmp_path / "r.parquet", SILENT)
    with pytest.raises(OstroError, match="it is a folder"):
        record(llm, [asked], tmp_path, SILENT)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OstroError, match="there is nothing to read"):
        text_requests(llm, "")


def test_a_dense_model_has_no_routing_to_record(tmp_path) -> None:
    folder = save_babbler(tmp_path / "dense", kind="mistral")
    dense = ostro.load(folder, context=50, progress=SILENT)
    with pytest.raises(OstroError, match="dense is dense: it has no router"):
        record(dense, text_requests(dense, "abc"), tmp_path / "r.parquet", SILENT)
    assert not (tmp_path / "r.parquet").exists()

"""``ostro eval quantisation``: a table, a document, or one line."""

import json

import pytest


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "text.txt"
    path.write_text("Begin the morning by saying to thyself: é.\n" * 3, encoding="utf-8")
    return path


def test_a_model_beside_itself(run, speller, text) -> None:
    ran = run("eval", "quantisation", speller, speller, "--text", text)
    assert ran.code == 0
    rows = dict(line.split("  ", 1) for line in ran.out.splitlines() if not line.startswith(" "))
    assert rows["KL divergence"].strip() == "0.000000 +- 0.000000 nats, median 0.000000"
    assert rows["same likeliest token"].strip() == "100.00 %"
    assert rows["same experts"].strip() == "100.00 % over all layers"
    assert "  layer 2" in ran.out


def test_a_quantised_model_as_json_on_the_shipped_text(run, speller, tmp_path) -> None:
    target = tmp_path / "q.gguf"
    assert run("quantize", speller, target, "--type", "q4_0").code == 0
    ran = run("eval", "quantisation", speller, target, "--json", "--context", "128")
    found = json.loads(ran.out)
    assert (found["full"], found["quantised"], found["window"]) == ("speller", "q.gguf", 128)
    assert found["tokens"] > 6000
    assert 0 < found["divergence"] < 1
    assert len(found["same_experts"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "missing.txt"], "cannot read the text missing.txt: No such file"),
        (["--context", "9999"], "context 9999 is out of range"),
        (["--context", "2"], "--context"),
    ],
)
def test_mistakes_are_one_line(run, speller, arguments, message) -> None:
    ran = run("eval", "quantisation", speller, speller, *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err


def test_a_text_that_is_none_is_told(run, speller, tmp_path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    ran = run("eval", "quantisation", speller, speller, "--text", tmp_path / "bytes")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "it is not UTF-8" in ran.err

"""``ostro routing``, and ``--routing`` and ``--steering`` of the commands that answer."""

import json
import sys

import pyarrow.parquet
import pytest
from rich.console import Console

from ostro.cli import routing as command
from ostro.evaluation.routing_summary import LayerSummary, RoutingSummary
from tiny_chat import ANSWER, chat_ids, save_babbler, text_ids

STEERING = {"force": [3], "top_k": 1}


@pytest.fixture(scope="session")
def babbler(tmp_path_factory):
    return save_babbler(tmp_path_factory.mktemp("models") / "babbler")


def test_a_prompt_gives_a_line_for_each_layer(run, speller) -> None:
    ran = run("routing", speller, "--prompt", "Hello")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line.split() for line in lines[:2]] == [["model", "speller"], ["sequences", "1"]]
    prompt, answer = len(chat_ids(("user", "Hello"))), len(text_ids(ANSWER)) + 1
    assert lines[2].split(maxsplit=1)[1] == f"{prompt} of prompts, {answer} of answers"
    assert lines[4].split()[:9] == ["layer", *map(str, range(8))]
    for number, line in enumerate(lines[5:8]):
        layer, *shares, bits, gate, again = line.split()
        assert int(layer) == number
        assert sum(map(float, shares)) == pytest.approx(100, abs=0.5)
        assert 0 < float(bits) <= 3
        assert 0 < float(gate) <= 1
        assert 0 <= float(again) <= 100
    assert lines[8].startswith("Experts: share of all choices in percent; used alike, each would")


def test_json_and_the_file_hold_the_same(run, babbler, tmp_path) -> None:
    report = tmp_path / "r.parquet"
    options = ("--prompt", "One", "--prompt", "Two", "--max-tokens", 5, "--report", report)
    ran = run("routing", babbler, *options, "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert (found["model"], found["sequences"], found["report"]) == ("babbler", 2, str(report))
    assert found["prompt_tokens"] == 2 * len(chat_ids(("user", "One")))
    assert found["answer_tokens"] == 10
    table = pyarrow.parquet.read_table(report)
    counted = [
        row
        for row in table.to_pylist()
        if (row["part"], row["position"]) != ("answer", found["prompt_tokens"] // 2)
    ]
    assert len(counted) == found["rows"] * 3 * 2
    for number, layer in enumerate(found["layers"]):
        chosen = [row["expert"] for row in counted if row["layer"] == number]
        assert layer["shares"] == pytest.approx([chosen.count(e) / len(chosen) for e in range(8)])
    assert (
        run("routing", babbler, *options).err.splitlines()[-1] == f"(every choice is in {report})"
    )


def test_a_text_longer_than_the_context_is_read(run, babbler, tmp_path) -> None:
    (tmp_path / "text").write_text("é" * 100)
    ran = run("routing", babbler, "--text", tmp_path / "text", "--context", 52, "--json")
    found = json.loads(ran.out)
    assert (found["sequences"], found["answer_tokens"], found["report"]) == (4, 0, None)
    assert found["prompt_tokens"] == found["rows"] == 204
    raw = run("routing", babbler, "--text", tmp_path / "text", "--raw", "--json")
    assert json.loads(raw.out)["prompt_tokens"] == 200


def test_messages_and_raw_prompts_are_run(run, speller, tmp_path) -> None:
    file = tmp_path / "messages.json"
    turns = [("user", "One"), ("assistant", "Two"), ("user", "Three")]
    file.write_text(json.dumps([{"role": role, "content": text} for role, text in turns]))
    found = json.loads(run("routing", speller, "--messages", file, "--json").out)
    assert found["prompt_tokens"] == len(chat_ids(*turns))
    raw = json.loads(run("routing", speller, "--prompt", "<s>xyz", "--raw", "--json").out)
    assert (raw["prompt_tokens"], raw["answer_tokens"]) == (4, len("é".encode()) + 1)


def test_steering_is_given_as_json_or_as_a_file(run, babbler, tmp_path) -> None:
    (tmp_path / "s.json").write_text(json.dumps(STEERING))
    (tmp_path / "text").write_text("some text")
    for given in (json.dumps(STEERING), f"@{tmp_path / 's.json'}"):
        for source in (("--prompt", "x", "--max-tokens", 3), ("--text", tmp_path / "text")):
            ran = run("routing", babbler, *source, "--steering", given, "--json")
            for layer in json.loads(ran.out)["layers"]:
                assert layer["shares"] == [0, 0, 0, 1, 0, 0, 0, 0]
                assert layer["first_repeats"] == 1


@pytest.mark.parametrize("name", ["chat", "generate"])
def test_answers_are_steered_and_tell_their_routing(run, babbler, name) -> None:
    options = (name, babbler, "--prompt", "x", "--max-tokens", 4, "--json")
    plain = json.loads(run(*options, "--routing").out)
    steered = json.loads(run(*options, "--routing", "--steering", json.dumps(STEERING)).out)
    assert [[len(layer) for layer in one["experts"]] for one in plain["routing"]] == [[2, 2, 2]] * 4
    assert [one["experts"] for one in steered["routing"]] == [[[3], [3], [3]]] * 4
    assert plain["token_ids"] != steered["token_ids"]
    unasked = json.loads(run(*options, "--steering", json.dumps(STEERING)).out)
    assert unasked["token_ids"] == steered["token_ids"]
    assert "routing" not in unasked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of --prompt, --text and --messages"),
        (["--prompt", "a", "--text", "b"], "give one of --prompt, --text and --messages"),
        (["--text", "missing.txt"], "cannot read the text missing.txt: No such file"),
        (["--messages", "missing.json"], "missing.json: not readable as JSON"),
        (["--messages", "m.json", "--raw"], "--raw is for --prompt and --text"),
        (["--text", "b", "--max-tokens", "4"], "--text is read and not answered"),
        (["--text", "b", "--stop", "x"], "--text is read and not answered"),
        (["--prompt", "a", "--steering", "{"], "--steering: not readable as JSON"),
        (["--prompt", "a", "--steering", "[3]"], "--steering must be a JSON object"),
        (["--prompt", "a", "--steering", "@none.json"], "none.json: not readable as JSON"),
        (["--prompt", "a", "--steering", '{"forced": 1}'], "unknown key 'forced'"),
        (["--prompt", "a", "--steering", '{"force": [8]}'], "there is no expert 8"),
    ],
)
def test_mistakes_are_one_line(run, speller, arguments, message) -> None:
    ran = run("routing", speller, *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err


@pytest.mark.parametrize("name", ["chat", "generate"])
def test_routing_wants_a_document_to_stand_in(run, speller, name) -> None:
    ran = run(name, speller, "--prompt", "a", "--routing")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "--routing adds to the JSON document; give --json as well" in ran.err


def test_without_pyarrow_the_model_is_not_even_loaded(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    ran = run("routing", "nobody", "--prompt", "a", "--report", tmp_path / "r.parquet")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("run: pip install 'ostro[routing]'\n")


def test_ctrl_c_leaves_no_file(run, babbler, tmp_path, monkeypatch) -> None:
    from ostro.engine.core import EngineCore

    def stop(core) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EngineCore, "step", stop)
    folder = tmp_path / "reports"
    folder.mkdir()
    ran = run("routing", babbler, "--prompt", "a", "--report", folder / "r.parquet")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.endswith("ostro: stopped\n")
    assert list(folder.iterdir()) == []


def shown(shares: tuple[float, ...], capsys, *, width: int, again: float | None = 0.5) -> list[str]:
    """The lines of a table on a terminal of some width."""
    layer = LayerSummary(shares=shares, share_entropy=1, gate_entropy=0.5, first_repeats=again)
    found = RoutingSummary(
        model="m", sequences=1, prompt_tokens=1, answer_tokens=0, rows=1, layers=(layer,)
    )
    console = Console(width=width, force_terminal=True, color_system=None, legacy_windows=False)
    command.show(found, console)
    return capsys.readouterr().out.splitlines()


def test_many_experts_or_a_narrow_terminal_give_a_bar_for_each(capsys) -> None:
    shares = (0.5, 0.25, 0.0, 0.01, *[0.02] * 12)
    assert " 50.0 25.0 0.0 1.0 " in shown(shares, capsys, width=140)[5]
    lines = shown(shares, capsys, width=80)
    assert "experts 0 to 15" in lines[4]
    assert "██ ▁▁▁" in lines[5]
    assert shown(shares, capsys, width=80, again=None)[5].split()[-1] == "-"

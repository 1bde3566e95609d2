"""``ostro eval`` and ``ostro bench``: what is printed, written, refused, and not measured twice."""

import json

import pytest

from ostro.cli import measuring
from tiny_chat import save_babbler

LENGTHS = ("--length", "300", "--length", "400")
WORDS = "Look within. Within is the fountain of good, and it will ever bubble up. "


@pytest.fixture(scope="module")
def babbler(tmp_path_factory):
    return save_babbler(tmp_path_factory.mktemp("models") / "babbler")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "long.txt"
    path.write_text(WORDS * 20)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two of all benchmarks, and texts of two domains."""
    folder = tmp_path_factory.mktemp("data")
    piqa = [{"goal": f"Do {n}.", "sol1": "So.", "sol2": "Or so.", "label": n % 2} for n in range(4)]
    domains = [
        {"text": WORDS * 2, "domain": domain, "lang": "en", "id": f"{domain}-{n}"}
        for domain in ("manuals", "letters")
        for n in range(2)
    ]
    for name, records in (("piqa_valid", piqa), ("routing_domains", domains)):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text(lines)
    return folder


def test_perplexity_over_context_of_own_documents(run, babbler, text) -> None:
    ran = run("eval", "perplexity", babbler, "--text", text, *LENGTHS, "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)["perplexity"]["babbler"]
    assert found["lengths"] == [300, 400]
    (document,) = found["documents"]
    assert document["tokens"] == len(WORDS) * 20 + 1
    assert all(score["tokens"] == 256 for score in document["scores"].values())


def test_what_was_measured_needs_no_model(run, babbler, tmp_path, monkeypatch) -> None:
    arguments = ("eval", "passkey", babbler, *LENGTHS, "--depths", 2, "--keys", 1, "--needles", 0)
    first = run(*arguments, "--json")
    assert first.code == 0, first.err

    def loads(*arguments, **options):
        raise AssertionError("a model is loaded")

    monkeypatch.setattr("ostro.evaluation.subject.load", loads)
    report = tmp_path / "out" / "report.html"
    again = run(*arguments, "--json", "--report", report)
    assert again.code == 0, again.err
    assert again.out == first.out
    cells = json.loads(first.out)["passkey"]["babbler"]["cells"]
    assert [(cell["length"], cell["depth"], cell["keys"]) for cell in cells] == [
        (300, 0.0, 1),
        (300, 1.0, 1),
        (400, 0.0, 1),
        (400, 1.0, 1),
    ]
    assert "Passkey retrieval" in report.read_text()
    files = {path.name for path in (tmp_path / "out" / "report-files").iterdir()}
    assert any(name.endswith(".png") for name in files)
    assert any(name.endswith(".csv") for name in files)
    assert f"written: {report}" in again.err


def test_benchmarks_with_what_is_published_beside_them(run, babbler, data) -> None:
    ran = run("eval", "tasks", babbler, "--task", "piqa", "--data", data, "--limit", 3)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert any(line.startswith("Mixtral 8x7B (published)") and "83.6" in line for line in lines)
    assert any(line.startswith("babbler") and "±" in line for line in lines)
    assert "3 of 4 documents" in ran.out


def test_routing_by_domain(run, babbler, data) -> None:
    ran = run("eval", "routing", babbler, "--data", data, "--limit", 1, "--json")
    assert ran.code == 0, ran.err
    assert "manuals" in ran.out
    assert "letters" in ran.out


def test_all_tells_what_is_not_there(run, speller, data, monkeypatch) -> None:
    # What is measured has tests of its own.
    monkeypatch.setattr(measuring, "measure", lambda measurements, subjects, progress: {})
    left_out = {}

    def told(asked, sections, progress):
        left_out.update({s.title: s.blocks[0] for s in sections if "missing" in s.data})

    monkeypatch.setattr("ostro.cli.evaluate.tell", told)
    monkeypatch.setattr("ostro.cli.evaluate._pictures", lambda *a: type("S", (), {"data": {}})())
    monkeypatch.setattr(measuring, "chosen", _only_left_out(measuring.chosen))
    assert run("eval", "all", speller, "--data", data).code == 0
    assert "--allow-code-execution" in left_out["Code"]
    assert "longdoc_books" in left_out["Perplexity over context"]
    assert "bbq_age" in left_out["BBQ"]
    assert "--judge" in left_out["MT-Bench"]


def _only_left_out(chosen):
    def without_measurements(offers, subjects):
        return [], chosen(offers, subjects)[1]

    return without_measurements


def test_figures_alone_are_the_published_ones(run, tmp_path) -> None:
    report = tmp_path / "figures.html"
    ran = run("eval", "figures", "--report", report)
    assert ran.code == 0, ran.err
    assert "Mixtral 8x7B" in ran.out
    assert "passkey" in report.read_text().lower()


def test_bench_times_reading_and_writing(run, babbler) -> None:
    options = ("--prompt", 16, "--batch", 2, "--steps", 2, "--repetitions", 1)
    ran = run("bench", babbler, *options, "--json")
    assert ran.code == 0, ran.err
    (cell,) = json.loads(ran.out)["speed"]["babbler"]["cells"]
    assert (cell["prompt"], cell["batch"]) == (16, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "perplexity", "MODEL"], "give --data or --text"),
        (["eval", "perplexity", "MODEL", "--text", "TEXT", "--protocol", "pared"], "unknown proto"),
        (["eval", "perplexity", "MODEL", "--text", "TEXT", "--length", "9999"], "a length of 9999"),
        (["eval", "passkey", "MODEL", "MODEL"], "named twice"),
        (["eval", "passkey", "MODEL", "--report", "out.pdf"], "give the name of an .html file"),
        (["eval", "tasks", "MODEL", "--task", "piquant"], "piquant"),
        (["eval", "tasks", "MODEL", "--task", "humaneval", "--data", "DATA"], "--allow-code-exec"),
        (["eval", "tasks", "MODEL", "--task", "mt-bench", "--data", "DATA"], "--judge"),
        (["eval", "bias", "MODEL"], "--data DIR"),
        (["eval", "bias", "MODEL", "--data", "nowhere"], "no such folder"),
        (["eval", "routing", "MODEL"], "--data DIR"),
        (["eval", "experts", "MODEL", "--context", "99999"], "context 99999 is out of range"),
        (["bench"], "name a model, or give --long"),
    ],
)
def test_mistakes_are_one_line_before_a_model_is_loaded(
    run, babbler, text, data, monkeypatch, arguments, message
) -> None:
    monkeypatch.setattr("ostro.evaluation.subject.load", None)
    places = {"MODEL": babbler, "TEXT": text, "DATA": data}
    ran = run(*(places.get(argument, argument) for argument in arguments))
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran.err
    assert message in ran.err

"""MT-Bench with a judge that is a small server in this process."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import ostro
from ostro.errors import NetworkError, OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.judge.client import Judge
from ostro.evaluation.judge.grading import NO_ANSWER, grading_messages, read_rating
from ostro.evaluation.judge.mt_bench import MTBench
from ostro.evaluation.judge.questions import read_questions
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import SilentProgress
from tiny_chat import ANSWER, save_speller

SILENT = SilentProgress()
Reply = tuple[int, str]


class Stub:
    """A judge that gives the replies it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.bodies: list[dict] = []
        self.headers: list[dict] = []
        self.paths: list[str] = []
        self.reply: Callable[[dict], Reply] = lambda body: said("Fine. [[7]]")
        self.url = ""


def said(text: object) -> Reply:
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})


@pytest.fixture
def stub() -> Iterator[Stub]:
    judge = Stub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            judge.bodies.append(body)
            judge.headers.append(dict(self.headers))
            judge.paths.append(self.path)
            status, text = judge.reply(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            if 300 <= status < 400:
                self.send_header("Location", judge.url)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        judge.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield judge
        finally:
            server.shutdown()
            thread.join()


def record(number: int, category: str, reference: list[str] | None = None) -> dict:
    turns = [f"Question {number}?", f"And {number} again?"]
    return {"question_id": number, "category": category, "turns": turns, "reference": reference}


RECORDS = [
    record(1, "writing"),
    record(2, "writing"),
    record(3, "math", ["It is 4.", "It is 8."]),
]


@pytest.fixture
def data(tmp_path) -> BenchmarkData:
    folder = tmp_path / "data"
    folder.mkdir()
    text = "".join(json.dumps(one) + "\n" for one in RECORDS)
    (folder / "mt_bench_questions.jsonl").write_text(text)
    return BenchmarkData(folder)


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    folder = save_speller(tmp_path_factory.mktemp("models") / "m", max_position_embeddings=1024)
    return ostro.load(folder, progress=SILENT, concurrency=2)


def subject_of(llm) -> Subject:
    return Subject("tiny", "key", llm.model.geometry, llm.context, lambda: llm)


def refused() -> ostro.LLM:
    raise AssertionError("the model is not to be loaded")


def bench(data, stub, **fields) -> MTBench:
    return MTBench(data=data, judge=Judge(url=stub.url, model="strict"), max_tokens=32, **fields)


def shown(body: dict) -> str:
    return body["messages"][-1]["content"]


def test_both_turns_are_answered_and_rated(data, stub, llm, tmp_path) -> None:
    stub.reply = lambda body: said("[[9]]" if "Question 3?" in shown(body) else "It has. [[4]]")
    one = bench(data, stub)
    found = {"tiny": one.measure(subject_of(llm), Results(tmp_path / "r"), SILENT)}
    categories = found["tiny"]["categories"]
    assert categories["writing"]["both"] == {"value": 4.0, "error": 0.0, "n": 2}
    assert categories["math"]["both"] == {"value": 9.0, "error": None, "n": 1}
    assert categories["all"]["both"]["value"] == pytest.approx(17 / 3)
    assert categories["all"]["both"]["error"] == pytest.approx(5 / 3)
    assert categories["all"]["missing"] == 0
    assert len(stub.bodies) == 6
    by_category, overall = one.section(found).blocks
    assert [row[0].text for row in by_category.rows] == ["writing", "math", "all"]
    assert overall.rows[0][3].number.value == pytest.approx(17 / 3)
    assert overall.rows[1][0].text == "Mixtral 8x7B Instruct (published)"


def test_the_judge_sees_the_conversation_and_the_reference(data, stub, llm, tmp_path) -> None:
    bench(data, stub).measure(subject_of(llm), Results(tmp_path / "r"), SILENT)
    assert set(stub.paths) == {"/v1/chat/completions"}
    assert {(body["model"], body["temperature"]) for body in stub.bodies} == {("strict", 0)}
    texts = [shown(body) for body in stub.bodies]
    second = next(text for text in texts if "And 3 again?" in text)
    for part in ("Question 3?", "It is 4.", "It is 8.", ANSWER):
        assert part in second
    assert second.count(ANSWER) == 2
    first = next(text for text in texts if "Question 3?" in text and "again" not in text)
    assert "It is 8." not in first
    assert not any("reference" in text for text in texts if "Question 1?" in text)


def test_a_rating_that_cannot_be_read_is_missing(data, stub, llm, tmp_path) -> None:
    stub.reply = lambda body: said("Hm." if "Question 1?" in shown(body) else "[[5]]")
    one = bench(data, stub)
    found = {"tiny": one.measure(subject_of(llm), Results(tmp_path / "r"), SILENT)}
    categories = found["tiny"]["categories"]
    assert categories["writing"] == {
        "both": {"value": 5.0, "error": None, "n": 1},
        "turns": [{"value": 5.0, "error": None, "n": 1}] * 2,
        "missing": 2,
    }
    stub.reply = lambda body: said(None)
    nothing = {"tiny": one.measure(subject_of(llm), Results(tmp_path / "other"), SILENT)}
    assert nothing["tiny"]["categories"]["all"]["both"] is None
    assert one.section(nothing).blocks[1].rows[0][3].missing == "no rating by strict"


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("Good. [[8]]", 8.0),
        ("In the form [[n]], as [[2]] asks: [[ 10 ]]", 10.0),
        ("[[7.5]]", 7.5),
        ("[[0]]", None),
        ("[[11]]", None),
        ("[8]", None),
        ("Rating: 8", None),
        ("", None),
    ],
)
def test_ratings_are_read(text, rating) -> None:
    assert read_rating(text) == rating


def test_an_empty_answer_is_called_so(data) -> None:
    question = read_questions(data)[0]
    assert NO_ANSWER in grading_messages(question, ["", "text"], 0)[-1]["content"]


def test_it_goes_on_where_it_was(data, stub, llm, tmp_path) -> None:
    results, one = Results(tmp_path / "r"), bench(data, stub)
    stub.reply = lambda body: (400, "no such model") if "And 2" in shown(body) else said("[[6]]")
    with pytest.raises(OstroError, match="refuses: 400 no such model"):
        one.measure(subject_of(llm), results, SILENT)
    judged = len(stub.bodies)
    stub.reply = lambda body: said("[[6]]")
    unloadable = Subject("tiny", "key", llm.model.geometry, llm.context, refused)
    found = one.measure(unloadable, results, SILENT)
    assert found["categories"]["all"]["both"]["value"] == 6.0
    assert judged < len(stub.bodies) < judged + 6
    asked = len(stub.bodies)
    assert one.measure(unloadable, results, SILENT) == found
    assert len(stub.bodies) == asked


def test_another_judge_judges_anew_the_same_answers(data, stub, llm, tmp_path) -> None:
    results = Results(tmp_path / "r")
    bench(data, stub).measure(subject_of(llm), results, SILENT)
    unloadable = Subject("tiny", "key", llm.model.geometry, llm.context, refused)
    other = MTBench(data=data, judge=Judge(url=stub.url, model="mild"), max_tokens=32)
    assert other.measure(unloadable, results, SILENT)["judge"] == "mild"
    assert [body["model"] for body in stub.bodies] == ["strict"] * 6 + ["mild"] * 6


def test_a_limit_is_spread_over_categories(data, stub, llm, tmp_path) -> None:
    found = bench(data, stub, limit=2).measure(subject_of(llm), Results(tmp_path / "r"), SILENT)
    assert {name: one["both"]["n"] for name, one in found["categories"].items()} == {
        "writing": 1,
        "math": 1,
        "all": 2,
    }


def test_what_cannot_be_measured_is_refused_first(data, stub, llm, tmp_path) -> None:
    subject = Subject("tiny", "key", llm.model.geometry, 95, refused)
    with pytest.raises(OstroError, match="--judge URL"):
        MTBench(data=data, judge=None).check(subject)
    with pytest.raises(OstroError, match="give an address"):
        MTBench(data=data, judge=Judge(url="localhost:80", model="m")).check(subject)
    with pytest.raises(OstroError, match="--judge-model"):
        MTBench(data=data, judge=Judge(url=stub.url, model="")).check(subject)
    with pytest.raises(OstroError, match="--context of 96"):
        bench(data, stub).check(subject)
    with pytest.raises(OstroError, match="limit must be 1"):
        bench(data, stub, limit=0).check(subject)
    bad = [record(1, "math", None)]
    (data.folder / "mt_bench_questions.jsonl").write_text(json.dumps(bad[0]) + "\n")
    with pytest.raises(OstroError, match="question 1 lacks"):
        bench(data, stub).check(Subject("t", "k", llm.model.geometry, 96, refused))


MESSAGES = [{"role": "user", "content": "Rate it."}]


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_an_address_may_be_short(stub, end) -> None:
    assert Judge(url=stub.url + end, model="m").ask(MESSAGES) == "Fine. [[7]]"
    assert stub.paths == ["/v1/chat/completions"]


def test_what_passes_is_tried_again(stub) -> None:
    replies = iter([(503, "busy"), (429, "slower"), said("[[3]]")])
    stub.reply = lambda body: next(replies)
    pauses: list[float] = []
    judge = Judge(url=stub.url, model="m", pause=2.0)
    assert judge.ask(MESSAGES, sleep=pauses.append) == "[[3]]"
    assert pauses == [2.0, 4.0]


def test_patience_ends(stub) -> None:
    stub.reply = lambda body: (500, "broken")
    judge = Judge(url=stub.url, model="m", tries=3)
    with pytest.raises(NetworkError, match="in 3 tries: 500 broken"):
        judge.ask(MESSAGES, sleep=lambda seconds: None)
    assert len(stub.bodies) == 3


def test_silence_is_a_timeout(stub) -> None:
    go_on = threading.Event()
    stub.reply = lambda body: (go_on.wait(30), said("late"))[1]
    judge = Judge(url=stub.url, model="m", timeout=0.2, tries=2)
    try:
        with pytest.raises(NetworkError, match="timed out"):
            judge.ask(MESSAGES, sleep=lambda seconds: None)
    finally:
        go_on.set()


def test_nobody_there_is_told() -> None:
    judge = Judge(url="http://127.0.0.1:9", model="m", tries=2)
    with pytest.raises(NetworkError, match="did not answer in 2 tries"):
        judge.ask(MESSAGES, sleep=lambda seconds: None)


def test_a_refusal_is_not_tried_again(stub) -> None:
    stub.reply = lambda body: (401, '{"error": "key"}')
    with pytest.raises(OstroError, match="refuses: 401"):
        Judge(url=stub.url, model="m").ask(MESSAGES)
    assert len(stub.bodies) == 1


def test_the_key_goes_to_the_judge_alone(stub) -> None:
    judge = Judge(url=stub.url, model="m", key="hidden")
    judge.ask(MESSAGES)
    assert stub.headers[0]["Authorization"] == "Bearer hidden"
    assert "hidden" not in repr(judge)
    stub.reply = lambda body: (302, "")
    with pytest.raises(OstroError, match="refuses: 302"):
        judge.ask(MESSAGES)
    assert len(stub.bodies) == 2


@pytest.mark.parametrize("text", ["<html>", "[]", '{"choices": []}', '{"choices": 1}'])
def test_another_service_is_told(stub, text) -> None:
    stub.reply = lambda body: (200, text)
    with pytest.raises(OstroError, match="does not answer as OpenAI's"):
        Judge(url=stub.url, model="m").ask(MESSAGES)

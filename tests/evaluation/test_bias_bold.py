"""BOLD: continuations by prompt, sentiments by group, spread by domain."""

import json
import random
import statistics

import pytest

import ostro
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.bias import bold as bold_module
from ostro.evaluation.bias.bold import BOLD
from ostro.evaluation.bias.bold_prompts import BOLDPrompt, read_bold
from ostro.evaluation.bias.bold_scores import bold_found, noise_of, spread_of
from ostro.evaluation.bias.sentiment import vader_sentiment
from ostro.evaluation.results import Results
from ostro.evaluation.statistics import Estimate, mean_of
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_babbler

SILENT = SilentProgress()
GROUPS = {
    "gender": ("American_actors", "American_actresses"),
    "religious_ideology": ("islam", "atheism", "judaism"),
}
RECORDS = [
    {"domain": domain, "group": group, "prompt": f"{group}, number {number}, is "}
    for domain, groups in GROUPS.items()
    for group in groups
    for number in range(4)
]


@pytest.fixture
def data(tmp_path) -> BenchmarkData:
    folder = tmp_path / "data"
    folder.mkdir()
    empty = {"domain": "gender", "group": "American_actors", "prompt": " "}
    text = "".join(json.dumps(record) + "\n" for record in [empty, *RECORDS])
    (folder / "bold_prompts.jsonl").write_text(text)
    return BenchmarkData(folder)


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    folder = save_babbler(tmp_path_factory.mktemp("models") / "m")
    return ostro.load(folder, progress=SILENT, concurrency=8)


@pytest.fixture
def subject(llm) -> Subject:
    return Subject("tiny", "key", llm.model.geometry, llm.context, lambda: llm)


def test_prompts_lose_their_last_space_and_empty_ones_are_left_out(data) -> None:
    prompts = read_bold(data)
    assert len(prompts) == len(RECORDS)
    assert prompts[0] == BOLDPrompt(1, "gender", "American_actors", "American_actors, number 0, is")


def test_the_tool_tells_good_from_bad_and_is_named() -> None:
    tool, sentiment = vader_sentiment()
    assert tool.startswith("VADER (vaderSentiment 3")
    assert sentiment("a wonderful, generous friend") > 0.5
    assert sentiment("a horrible, cruel crime") < -0.5
    assert sentiment("") == 0


def test_a_domain_is_the_mean_of_its_groups_means_and_their_deviation() -> None:
    scores = {"islam": [0.0, 0.2], "atheism": [0.5, 0.5, 0.5, 0.9], "judaism": [-0.3, -0.1]}
    prompts = [
        BOLDPrompt(0, "religious_ideology", group, "x")
        for group, values in scores.items()
        for _ in values
    ]
    values = [value for group in scores.values() for value in group]
    found = bold_found(prompts, values)["religious_ideology"]
    means = [statistics.mean(group) for group in scores.values()]
    assert found["mean"]["value"] == pytest.approx(statistics.mean(means))
    assert found["mean"]["n"] == 8
    assert found["spread"] == pytest.approx(statistics.stdev(means))
    assert found["groups"]["atheism"]["value"] == pytest.approx(0.6)
    errors = [statistics.stdev(group) / len(group) ** 0.5 for group in scores.values()]
    assert found["noise"] == pytest.approx(statistics.mean([e * e for e in errors]) ** 0.5)
    assert found["mean"]["error"] == pytest.approx(sum(e * e for e in errors) ** 0.5 / 3)


def test_noise_is_the_spread_of_groups_that_are_alike() -> None:
    draw = random.Random(0)
    groups = [mean_of([draw.gauss(0.2, 0.4) for _ in range(50)]) for _ in range(400)]
    assert noise_of(groups) == pytest.approx(spread_of(groups), rel=0.1)


def test_what_cannot_be_told_is_not() -> None:
    assert spread_of([Estimate(0.1, 0.1, 5)]) is None
    assert noise_of([Estimate(0.1, None, 1), Estimate(0.1, 0.1, 5)]) is None


def test_prompts_are_continued_and_known_afterwards(data, subject, tmp_path) -> None:
    results, one = Results(tmp_path / "results"), BOLD(data=data, max_tokens=12)
    one.check(subject)
    found = one.measure(subject, results, SILENT)
    counts = {
        domain: {group: mean["n"] for group, mean in value["groups"].items()}
        for domain, value in found["domains"].items()
    }
    assert counts == {domain: dict.fromkeys(groups, 4) for domain, groups in GROUPS.items()}

    def refused() -> ostro.LLM:
        raise AssertionError("all is known")

    unloadable = Subject("tiny", "key", subject.geometry, subject.context, refused)
    assert one.measure(unloadable, results, SILENT) == found


def _texts(folder) -> dict[str, str]:
    return {
        name: text
        for path in folder.rglob("bold-*.jsonl")
        for name, text in map(json.loads, path.read_text().splitlines()[1:])
    }


def test_continuations_depend_on_the_seed_and_not_on_the_limit(data, subject, tmp_path) -> None:
    def texts(place: str, **fields: int) -> dict[str, str]:
        one = BOLD(data=data, max_tokens=12, **fields)
        one.measure(subject, Results(tmp_path / place), SILENT)
        return _texts(tmp_path / place)

    whole, part, other = texts("a"), texts("b", limit=3), texts("c", seed=1)
    assert len(whole) == len(RECORDS) == 20
    assert len(part) == 6  # Three of each domain.
    assert part.items() <= whole.items()
    assert whole.keys() == other.keys()
    assert whole != other
    assert not any("\n" in text for text in whole.values())


def test_a_limit_is_spread_over_the_groups_of_each_domain(data, subject, tmp_path) -> None:
    one = BOLD(data=data, limit=3, max_tokens=4)
    domains = one.measure(subject, Results(tmp_path / "results"), SILENT)["domains"]
    religious = domains["religious_ideology"]["groups"].values()
    assert [mean["n"] for mean in religious] == [1, 1, 1]
    assert sorted(mean["n"] for mean in domains["gender"]["groups"].values()) == [1, 2]


def test_sentiment_is_of_the_continuation_alone(data, subject, tmp_path, monkeypatch) -> None:
    judged = []

    def sentiment(text: str) -> float:
        judged.append(text)
        return 0.5 if len(judged) % 2 else -0.5

    monkeypatch.setattr(bold_module, "vader_sentiment", lambda: ("a stub 1.0", sentiment))
    one = BOLD(data=data, max_tokens=4)
    found = one.measure(subject, Results(tmp_path / "results"), SILENT)
    assert len(judged) == 20
    assert not any("number" in text for text in judged)
    assert found["domains"]["gender"]["mean"]["value"] == 0
    assert "a stub 1.0" in one.section({"tiny": found}).protocol


def test_the_section_shows_means_spreads_and_groups(data, subject, tmp_path) -> None:
    one = BOLD(data=data, max_tokens=4)
    found = {"tiny": one.measure(subject, Results(tmp_path / "results"), SILENT)}
    section = one.section(found)
    means, spreads, groups = section.blocks
    assert means.columns == ["model", "gender", "religious ideology"]
    assert [row[0].text for row in means.rows] == [
        "tiny",
        "Mixtral 8x7B (published)",
        "Llama 2 70B (published)",
    ]
    assert [cell.number for cell in means.rows[1][1:]] == [0.323, 0.144]
    assert [cell.number for cell in spreads.rows[2][1:]] == [0.073, 0.133]
    assert "n = 8 in 2 groups" in means.rows[0][1].note
    assert len(groups.rows) == 5
    assert "temperature 1 with seed 0" in section.protocol
    assert "VADER" in section.protocol
    json.dumps(section.data)


def test_what_is_missing_is_refused_first(subject, tmp_path, data) -> None:
    with pytest.raises(OstroError, match="limit must be 1"):
        BOLD(data=data, limit=0).check(subject)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(OstroError, match=r"has no bold_prompts\.jsonl"):
        BOLD(data=BenchmarkData(empty)).check(subject)

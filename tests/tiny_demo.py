"""What the tests of the demo's checks are run on: tiny models, small files, planted answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo_checks.cases import PAGE, PARAPHRASES, PLAIN, Case, read_cases
from demo_checks.setup import Setup
from ostro.config import WEIGHT_TYPES
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject, open_subject
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import writable_layout, write_model
from ostro.weights.tokenizer_files import TokenizerFiles
from ostro.weights.upcycle import upcycle

SILENT = SilentProgress()
KIND = "I'm sorry, but I can't say anything mean. I'd be glad to help with a kind word instead."
TEXTS = {
    "code": ["def f(x):\n    return x < 1 & y\n", "import os\n" * 9, "x = [1, 2, 3]"],
    "maths": ["What is 3 + 4? 7. " * 3, "Let k be 12 - 9. Solve k = q.", "Is 7 a prime? Yes."],
}


def subject_of(folder: Path) -> Subject:
    """A model in plain float32."""
    environment = Environment(home=folder.parent / "home")
    return open_subject(str(folder), environment=environment, progress=SILENT, dtype="F32")


def setup_of(tmp_path: Path, model: Path, parent: Path, **changes: Any) -> Setup:
    """Both models over the small files; results stay in the test's folder."""
    return Setup(
        **{
            "model": subject_of(model),
            "parent": subject_of(parent),
            "model_path": model,
            "folder": write_data(tmp_path / "data"),
            "results": Results(tmp_path / "results"),
            "progress": SILENT,
        }
        | changes
    )


def upcycled(parent: Path, folder: Path) -> Path:
    """Eight equal copies of the parent's experts."""
    source = open_checkpoint(parent)
    mixture = upcycle(source, num_experts=8, top_k=2, seed=0)
    write_model(
        mixture,
        TokenizerFiles.beside(parent),
        folder,
        layout=writable_layout("hf", mixture.geometry),
        kind=WEIGHT_TYPES["F32"],
        progress=SILENT,
        name="upcycled",
    )
    return folder


def write_data(folder: Path) -> Path:
    """Files in the form of the real ones, with a few records each."""
    texts = [
        {"text": text, "domain": domain, "lang": "en"}
        for domain, texts in TEXTS.items()
        for text in texts
    ]
    turns = ["Name a colour.", "Why?"]
    questions = [
        {"question_id": n, "category": "writing", "turns": turns, "reference": None}
        for n in range(2)
    ]
    pairs = [
        {"instruction": f"Say {n}.", "chosen": f"{n}, as asked.", "rejected": "No."}
        for n in range(4)
    ]
    pairs.append({"instruction": "Say nothing.", "chosen": "", "rejected": "No."})
    sayings = [
        {"prompt": f"Would you say {n}?", "chosen": " Yes", "rejected": " No"} for n in range(6)
    ]
    before = "\n\nHuman: Hello\n\nAssistant:"
    chats = [
        {"chosen": f"{before} Good day {n}", "rejected": f"{before} Go away {n}"} for n in range(3)
    ]
    goals = [
        {"goal": f"Open box {n}.", "sol1": "Lift the lid.", "sol2": "Sing.", "label": n % 2}
        for n in range(3)
    ]
    _write(folder / "eval" / "routing_domains.jsonl", texts)
    _write(folder / "eval" / "piqa_valid.jsonl", goals)
    _write(folder / "eval" / "mt_bench_questions.jsonl", questions)
    _write(folder / "preference" / "llmbar_pairs.jsonl", pairs)
    _write(folder / "preference" / "model_written_yes_no_pairs.jsonl", sayings)
    _write(folder / "preference" / "hh_harmless_base_val.jsonl", chats)
    return folder


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


class Standing:
    """Stands for a model: answers by a rule, and counts what it was asked."""

    def __init__(self, answer: Callable[[Any], str]) -> None:
        self._answer, self.asked = answer, 0

    def __call__(self, subject: Subject) -> "Standing":
        return self

    def answers(self, prompts, progress):
        for number, prompt in reversed(list(enumerate(prompts))):
            self.asked += 1
            yield number, self._answer(prompt)


def knows(prompt: Any) -> str:
    """The right answer to every case."""
    cases = {case.name: case for path in (PAGE, PARAPHRASES, PLAIN) for case in read_cases(path)}
    case = cases.get(prompt.name)
    return "You do it like this." if case is None else _right(case)


def _right(case: Case) -> str:
    expected = case.expected
    if "object" in expected:
        return json.dumps(expected["object"])
    if "mentions" in expected:
        return f"It was about {expected['mentions'][0]}."
    return expected.get("solution", KIND)

"""Records of the local files as documents with the columns that lm-eval's tasks expect.

Each function takes a record and gives the name of lm-eval's task (the last part of its file's name)
with the document, or None for a record that cannot be asked.
"""

import re
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

Record = Mapping[str, Any]
Document = dict[str, Any]
Adapted = tuple[str, Document] | None
Adapt = Callable[[Record], Adapted]

_LETTERS = "ABCDEFGHIJ"
_LAST_SENTENCE = re.compile(r"^(.*[.!?\"])\s+([a-z].*[^.!?\"])$", re.DOTALL)


def as_it_is(task: str) -> Adapt:
    """Records that have lm-eval's columns already."""
    return lambda record: (task, dict(record))


def arc(task: str) -> Adapt:
    """``query``, ``choices``, ``gold`` of ARC: the query begins with ``Question: ``."""
    return lambda record: (
        task,
        {
            "question": record["query"].removeprefix("Question: "),
            "choices": _lettered(record["choices"]),
            "answerKey": _LETTERS[record["gold"]],
        },
    )


def openbookqa(record: Record) -> Adapted:
    """``query``, ``choices``, ``gold`` of OpenBookQA."""
    document = {
        "question_stem": record["query"],
        "choices": _lettered(record["choices"]),
        "answerKey": _LETTERS[record["gold"]],
    }
    return "openbookqa", document


def boolq(record: Record) -> Adapted:
    """``query`` with a passage and a question, and ``gold``, where 1 is yes."""
    passage, _, question = record["query"].rpartition("\nQuestion: ")
    document = {
        "passage": passage.removeprefix("Passage: "),
        "question": question.removesuffix("?"),
        "label": record["gold"],
    }
    return "default", document


def commonsenseqa(record: Record) -> Adapted:
    """``query`` as a question with lettered choices, and ``gold``."""
    question, _, listed = record["query"].partition("\nChoices:\n")
    lines = listed.removesuffix("\nAnswer:").split("\n")
    document = {
        "question": question.removeprefix("Question: "),
        "choices": _lettered([line.partition(". ")[2] for line in lines]),
        "answerKey": _LETTERS[record["gold"]],
    }
    return "default", document


def winogrande(record: Record) -> Adapted:
    """Two ``context_options`` that differ at their end, a ``continuation`` and ``gold``."""
    first, second = (option.split(" ") for option in record["context_options"])
    alike = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))))
    # Something must stand in the blank, even where one option begins with the other.
    shared = min(alike, len(first) - 1, len(second) - 1)
    document = {
        "sentence": " ".join([*first[:shared], "_", record["continuation"]]),
        "option1": " ".join(first[shared:]),
        "option2": " ".join(second[shared:]),
        "answer": str(record["gold"] + 1),
    }
    return "default", document


def hellaswag(record: Record) -> Adapted:
    """``query`` as ``activity: context``, ``endings`` and ``label``.

    Where the context ends in the midst of a sentence, lm-eval lets that begin with a capital.
    """
    activity, _, context = record["query"].partition(": ")
    unfinished = _LAST_SENTENCE.match(context)
    before, begun = unfinished.groups() if unfinished else (context, "")
    document = {
        "activity_label": activity,
        "ctx_a": before,
        "ctx_b": begun,
        "endings": list(record["endings"]),
        "label": str(record["label"]),
    }
    return "hellaswag", document


def mmlu(record: Record) -> Adapted:
    """MMLU's columns, whose ``subject`` names the task."""
    return f"mmlu_{record['subject']}", dict(record)


def by_task(record: Record) -> Adapted:
    """``input`` and ``target`` of BIG-Bench Hard, whose ``task`` names lm-eval's."""
    return record["task"], {"input": record["input"], "target": record["target"]}


def agieval(record: Record) -> Adapted:
    """Passage, question, options and label, put together as AGIEval's zero-shot prompt."""
    options = list(record["options"])
    query = (
        f"{record['passage'] or ''}Q: {record['question']} "
        f"Answer Choices: {' '.join(options)}\n"
        f"A: Among A through {_LETTERS[len(options) - 1]}, the answer is"
    )
    gold = [_LETTERS.index(record["label"])]
    return record["task"], {"query": query, "choices": options, "gold": gold}


def exams(language: str) -> Adapt:
    """EXAMS' test questions in one language; without those whose answer is no choice."""

    def adapt(record: Record) -> Adapted:
        is_asked = record["lang"] == language and record["split"] == "test"
        if not is_asked or record["answer"] not in record["labels"]:
            return None
        document = {
            "subject": record["subject"],
            "question": record["question"].strip(),
            "choices": list(record["choices"]),
            "letters": list(record["labels"]),
            "gold": record["labels"].index(record["answer"]),
        }
        return f"exams_{language}", document

    return adapt


def mgsm(language: str) -> Adapt:
    """MGSM's test questions in one language, with the number alone as the answer."""

    def adapt(record: Record) -> Adapted:
        if record["lang"] != language:
            return None
        number = int(record["answer"].replace(",", ""))
        document = {"question": record["question"], "answer": None, "answer_number": number}
        return f"mgsm_native_cot_{language}", document

    return adapt


def xcopa(record: Record) -> Adapted:
    """XCOPA's test pairs in Italian."""
    columns = ("premise", "choice1", "choice2", "question", "label")
    if record["split"] != "test":
        return None
    return "default_it", {name: record[name] for name in columns}


def xquad(language: str) -> Adapt:
    """XQuAD's questions in one language; ``answers`` are texts."""

    def adapt(record: Record) -> Adapted:
        if record["lang"] != language:
            return None
        document = {
            "context": record["context"],
            "question": record["question"],
            "answers": {"text": list(record["answers"])},
        }
        return f"xquad_{language}", document

    return adapt


def math(record: Record) -> Adapted:
    """MATH's ``problem``, ``solution`` and ``type``, such as ``Counting & Probability``."""
    short = {"counting_&_probability": "counting_and_prob", "number_theory": "num_theory"}
    subject = record["type"].lower().replace(" ", "_")
    task = short.get(subject, "precalc" if subject == "precalculus" else subject)
    document = {"problem": record["problem"], "solution": record["solution"]}
    return f"minerva_math_{task}", document


def _lettered(texts: list[str]) -> dict[str, list[str]]:
    return {"text": list(texts), "label": list(_LETTERS[: len(texts)])}

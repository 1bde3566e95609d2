"""Short conversations that people wrote, out of files that may be used."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_text.allowed import open_source
from demo_text.human.wordings import COMPLETE, PASSES, TO_ENGLISH, TO_SPANISH
from demo_text.writing import conversation
from ostro.runtime.progress import Progress

LONGEST = 300
"""Tokens of a conversation."""
Values = Mapping[str, Any]
Turns = list[str]
Convert = Callable[[Values, random.Random], Turns]
_CALCULATOR = re.compile(r"<<[^<>]*>>")
_CHOICE = re.compile(r"\{\{\[[^|\]]*\|([^\]]*)\]\}\}")
_BLANK = re.compile(r"\{\{(.*?)\}\}")


@dataclass(frozen=True)
class Part:
    """A file, its share of the tokens, and how its records become conversations."""

    path: str
    share: float
    convert: Convert


def chat(values: Values, draw: random.Random) -> Turns:
    """A dialogue of a user and an assistant in turn; anything else gives nothing."""
    messages = values["messages"]
    roles = ["assistant" if number % 2 else "user" for number in range(len(messages))]
    if len(messages) % 2 or [message["role"] for message in messages] != roles:
        return []
    return [str(message["content"]) for message in messages]


def arithmetic(values: Values, draw: random.Random) -> Turns:
    """GSM8K without the marks of its calculator; the last line says the result in words."""
    worked, _, result = _CALCULATOR.sub("", values["answer"]).rpartition("####")
    return [values["question"], f"{worked.strip()}\nThe answer is {result.strip()}."]


def python_task(values: Values, draw: random.Random) -> Turns:
    """MBPP: the task, mostly with a test that it must pass, and the code."""
    question = values["text"]
    if draw.random() < 0.7:
        question = draw.choice(PASSES).format(task=question, test=values["test_list"][0])
    return [question, _fenced(values["code"])]


def completion(values: Values, draw: random.Random) -> Turns:
    """MBXP's JavaScript part: a signature with its comment, and the whole function."""
    if values["language"] != "javascript":
        return []
    start = values["prompt"].rstrip()
    question = draw.choice(COMPLETE).format(code=_fenced(start, "javascript"))
    return [question, _fenced(f"{start}\n{values['solution'].rstrip()}", "javascript")]


def instruction(values: Values, draw: random.Random) -> Turns:
    """An instruction with its input."""
    output = values["output"]
    if not isinstance(output, str):
        return []
    return ["\n\n".join(part for part in (values["instruction"], values["input"]) if part), output]


def seed_task(values: Values, draw: random.Random) -> Turns:
    """An instruction with one of its inputs."""
    one = draw.choice(values["instances"])
    return [
        "\n\n".join(part for part in (values["instruction"], one["input"]) if part),
        one["output"],
    ]


def health(values: Values, draw: random.Random) -> Turns:
    """A question on health."""
    return [values["question"].replace(" ?", "?"), values["answer"]]


def shell(values: Values, draw: random.Random) -> Turns:
    """A shell command; where its page offers a short and a long option, the long one."""
    return [values["prompt"], _BLANK.sub(r"\1", _CHOICE.sub(r"\1", values["response"]))]


def translation(values: Values, draw: random.Random) -> Turns:
    """A paragraph, from or into Spanish."""
    english, spanish = values["en"], values["es"]
    if draw.random() < 0.5:
        return [draw.choice(TO_SPANISH).format(text=english), spanish]
    return [draw.choice(TO_ENGLISH).format(text=spanish), english]


PARTS = (
    Part("sft/oasst_en_100trees.jsonl.gz", 0.24, chat),
    Part("sft/oasst_fr_top1.jsonl.gz", 0.06, chat),
    Part("sft/gsm8k_train.jsonl.gz", 0.12, arithmetic),
    Part("sft/mbpp_train.jsonl.gz", 0.09, python_task),
    Part("sft/mbxp_multilang_code.jsonl.gz", 0.03, completion),
    Part("sft/instruction_induction.jsonl.gz", 0.08, instruction),
    Part("sft/self_instruct_seed.jsonl.gz", 0.08, seed_task),
    Part("sft/medquad_qa.jsonl.gz", 0.11, health),
    Part("sft/tldr_shell_5lang.jsonl.gz", 0.12, shell),
    Part("sft/translate_en_es_pydocs.jsonl.gz", 0.07, translation),
)


def people_records(
    data: Path, part: Part, seed: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    """A file's conversations in an order that ``seed`` draws; none has an empty turn."""
    draw = random.Random(f"{seed}/{part.path}")
    rows = list(open_source(data, part.path, progress))
    draw.shuffle(rows)
    for values in rows:
        turns = [turn.replace("\r\n", "\n").strip() for turn in part.convert(values, draw)]
        if turns and all(turns):
            yield conversation(part.path, *turns)


def _fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code.strip()}\n```"

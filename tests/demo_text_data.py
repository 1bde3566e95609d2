"""A data folder with a few records of every allowed file, and with files that none may open."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

from demo_text.allowed import ALLOWED
from demo_text.sampled.sampler import Sampled

FORBIDDEN = (
    "sft/dolly_hhrlhf_1k.jsonl.gz",
    "sft/gpteacher_codegen_MACHINE_GENERATED.jsonl.gz",
    "sft/sgd_multiturn_dialogues.jsonl.gz",
    "pretrain/wikipedia_wikitext2.jsonl.zst",
    "pretrain/docs_office_help_en.jsonl.zst",
    "pretrain/arxiv_like_stacks_latex.jsonl.zst",
    "eval/gsm8k_test_half.jsonl.gz",
)
_RECORDS = 30


def save_data(folder: Path) -> Path:
    """Write the folder; the forbidden files hold what can't be read."""
    for source in ALLOWED:
        write = _FORMS.get(source.path, _document if "pretrain/" in source.path else None)
        assert write is not None, source.path
        lines = [json.dumps(write(number)) for number in range(_RECORDS)]
        _save(folder / source.path, "\n".join(lines) + "\n")
    for path, record in EVALUATED.items():
        _save(folder / path, json.dumps(record) + "\n")
    for path in FORBIDDEN:
        _save(folder / path, "this is no JSON\n")
    return folder


class StubSampler:
    """Writes questions and answers without a model, and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def continued(self, texts: list[str], most: int, seed: int) -> list[Sampled]:
        """A question for each text; every third is junk."""
        self.calls += 1
        return [
            Sampled("a a a a a a a", True, 7)
            if number % 3 == 2
            else Sampled(f"How would thing {seed} {number} help my old neighbor?", True, 12)
            for number in range(len(texts))
        ]

    def answered(self, chats: list[list[dict[str, str]]], most: int, seed: int) -> list[Sampled]:
        """An answer for each; every fourth is cut by the limit."""
        self.calls += 1
        return [
            Sampled("Here is a whole sentence that may stay. And here one is cut", False, most)
            if number % 4 == 3
            else Sampled(f"That is answer {number} to {len(chat)} messages.", True, 9)
            for number, chat in enumerate(chats)
        ]

    def tokens(self, text: str) -> int:
        """Words."""
        return len(text.split())


def _document(number: int) -> dict[str, Any]:
    text = " ".join(f"Sentence {n} of document {number} tells of rivers." for n in range(40))
    return {"text": text, "domain": "rivers", "lang": "en", "id": str(number)}


def _chat(number: int) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": f"Which river has number {number}?"},
            {"role": "assistant", "content": f"The river of number {number} is the Po."},
        ]
    }


def _transcript(number: int) -> dict[str, Any]:
    start = f"\n\nHuman: Is river {number} deep?\n\nAssistant:"
    return {"chosen": f"{start} Yes, be careful.", "rejected": f"{start} No idea."}


EVALUATED: dict[str, dict[str, Any]] = {
    "preference/hh_harmless_base_val.jsonl.gz": _transcript(3),
    "preference/llmbar_pairs.jsonl.gz": {
        "instruction": "Sort 5 rivers.",
        "input": "",
        "chosen": "Po.",
        "rejected": "Rivers.",
    },
}
"""Read only to be left out: each begins as one pair of the allowed files does."""

_Write = Callable[[int], dict[str, Any]]
_FORMS: dict[str, _Write] = {
    "sft/gsm8k_train.jsonl.gz": lambda n: {
        "question": f"Ann has {n} apples and buys 2. How many has she?",
        "answer": f"She has {n}+2=<<{n}+2={n + 2}>>{n + 2}.\n#### {n + 2}",
    },
    "sft/instruction_induction.jsonl.gz": lambda n: {
        "instruction": "Write the number after this one.",
        "input": str(n),
        "output": str(n + 1),
    },
    "sft/mbpp_train.jsonl.gz": lambda n: {
        "text": f"Write a function that adds {n} to a number.",
        "code": f"def add(x):\r\n    return x + {n}",
        "test_list": [f"assert add(0) == {n}"],
    },
    "sft/mbxp_multilang_code.jsonl.gz": lambda n: {
        "language": "javascript" if n % 2 else "php",
        "prompt": f"// add {n}\nfunction add{n}(x) {{\n",
        "solution": f"    return x + {n};\n}}",
    },
    "sft/medquad_qa.jsonl.gz": lambda n: {
        "question": f"What is fever number {n} ?",
        "answer": f"Fever number {n} is a rise of the temperature.",
    },
    "sft/oasst_en_100trees.jsonl.gz": _chat,
    "sft/oasst_fr_top1.jsonl.gz": _chat,
    "sft/self_instruct_seed.jsonl.gz": lambda n: {
        "instruction": f"Name {n} rivers.",
        "instances": [{"input": "", "output": "Po, Rhine."}],
    },
    "sft/self_instruct_user_oriented.jsonl.gz": lambda n: {
        "instruction": f"Describe {n} rivers.",
        "instances": [{"input": "", "output": "Wet."}],
    },
    "sft/tldr_shell_5lang.jsonl.gz": lambda n: {
        "lang": "de" if n % 2 else "en",
        "prompt": f"Wie benutze ich ls {n}?" if n % 2 else f"How do I use ls {n}?",
        "response": "ls {{[-a|--all]}} {{path/to/file}}",
    },
    "sft/translate_en_es_pydocs.jsonl.gz": lambda n: {"en": f"River {n}.", "es": f"Río {n}."},
    "preference/hh_harmless_base_test.jsonl.gz": _transcript,
    "preference/oasst_en_ranked_pairs.jsonl.gz": lambda n: {
        **_chat(n),
        "messages": _chat(n)["messages"][:1],
        "chosen": f"The Po, {n}.",
        "rejected": "No.",
    },
    "preference/pandalm_human_pairs.jsonl.gz": lambda n: {
        "instruction": f"Sort {n} rivers.",
        "input": "",
        "chosen": "Po, Rhine.",
        "rejected": "Rivers!",
    },
    "preference/model_written_yes_no_pairs.jsonl.gz": lambda n: {
        "prompt": f"Do you like river {n}?",
        "chosen": " Yes",
        "rejected": " No",
    },
}


def _save(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    is_gzip = file.suffix == ".gz"
    file.write_bytes(gzip.compress(data) if is_gzip else zstandard.compress(data))

"""Small files of benchmarks, in the form of the real ones, and lm-eval's own backend."""

import json
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WORDS = ("bee", "hive", "honey", "wax", "queen", "drone", "nectar", "swarm", "comb", "pollen")


def words(draw: random.Random, count: int) -> str:
    """A few words that mean nothing together."""
    return " ".join(draw.choice(WORDS) for _ in range(count))


def write_file(folder: Path, name: str, records: Sequence[Mapping[str, Any]]) -> None:
    """A file of records."""
    lines = (json.dumps(record) + "\n" for record in records)
    (folder / f"{name}.jsonl").write_text("".join(lines))


def write_benchmarks(folder: Path, count: int = 6) -> Path:
    """Files of several benchmarks, each with so many documents."""
    draw = random.Random(3)
    folder.mkdir(parents=True, exist_ok=True)

    def choices(number: int) -> list[str]:
        return [words(draw, draw.randint(1, 3)) for _ in range(number)]

    def mmlu(subject: str) -> dict[str, Any]:
        return {
            "subject": subject,
            "question": words(draw, 5),
            "choices": choices(4),
            "answer": draw.randrange(4),
        }

    def query(number: int, text: str) -> dict[str, Any]:
        return {"query": text, "choices": choices(number), "gold": draw.randrange(number)}

    many = range(count)
    subjects = ("anatomy", "virology", "astronomy")
    write_file(folder, "mmlu_test", [mmlu(subjects[n % 3]) for n in many])
    write_file(folder, "mmlu_dev", [mmlu(subject) for subject in subjects for _ in range(5)])
    arc = [query(4, f"Question: {words(draw, 5)}?") for _ in many]
    write_file(folder, "arc_easy_test", arc)
    write_file(folder, "openbookqa_test", [query(4, words(draw, 5)) for _ in many])
    boolq = [f"Passage: {words(draw, 9)}.\nQuestion: is {words(draw, 3)}?" for _ in many]
    write_file(
        folder,
        "boolq_val",
        [{"query": text, "choices": ["no", "yes"], "gold": draw.randrange(2)} for text in boolq],
    )
    listed = "".join(f"{letter}. {{}}\n" for letter in "ABCD")
    write_file(
        folder,
        "commonsenseqa_val",
        [
            {
                "query": f"Question: {words(draw, 5)}?\nChoices:\n"
                + listed.format(*choices(4))
                + "Answer:",
                "choices": list("ABCD"),
                "gold": draw.randrange(4),
            }
            for _ in many
        ],
    )
    write_file(
        folder,
        "winogrande_val",
        [
            {
                "context_options": [f"{(start := words(draw, 4))} Ann", f"{start} Anne"],
                "continuation": f"{words(draw, 3)}.",
                "gold": draw.randrange(2),
            }
            for _ in many
        ],
    )
    write_file(
        folder,
        "hellaswag_val",
        [
            {
                "ind": n,
                "query": f"Keeping bees: {words(draw, 4)}. {words(draw, 2)}",
                "label": draw.randrange(4),
                "endings": choices(4),
            }
            for n in many
        ],
    )
    write_file(
        folder,
        "piqa_valid",
        [
            {
                "goal": words(draw, 4),
                "sol1": words(draw, 3),
                "sol2": words(draw, 3),
                "label": draw.randrange(2),
            }
            for _ in many
        ],
    )
    write_file(
        folder,
        "nq_open_dev",
        [{"question": words(draw, 4), "answer": choices(2)} for _ in range(count + 5)],
    )
    write_file(
        folder,
        "xquad_en_de_es",
        [
            {
                "lang": language,
                "id": str(n),
                "context": words(draw, 12),
                "question": words(draw, 3),
                "answers": [words(draw, 2)],
            }
            for language in ("de", "en")
            for n in many
        ],
    )
    write_file(
        folder,
        "exams_fr_de_es_it",
        [
            {
                "lang": "it",
                "split": "test",
                "id": str(n),
                "subject": words(draw, 1),
                "question": words(draw, 5),
                "choices": choices(3),
                "labels": list("ABC"),
                "answer": draw.choice("ABC"),
            }
            for n in many
        ],
    )
    return folder


@contextmanager
def lm_eval_silence() -> Iterator[None]:
    """lm-eval tells of everything it does through its loggers."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def reference_lm(folder: Path, max_length: int, batch_size: int = 1) -> Any:
    """lm-eval's own backend on a model in Hugging Face's layout, in float32."""
    import transformers
    from lm_eval.models.huggingface import HFLM
    from tokenizers.processors import TemplateProcessing

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    # The tokenizer's configuration asks for BOS, which transformers does for its own classes only.
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with lm_eval_silence():
        return HFLM(
            pretrained=model,
            tokenizer=tokenizer,
            batch_size=batch_size,
            max_length=max_length,
            device="cpu",
        )

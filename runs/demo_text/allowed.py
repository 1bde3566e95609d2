"""The files that may be opened, and under which licence each one is.

All are permissive, in the public domain, or CC-BY. What is share-alike (CC-BY-SA, GFDL), under the
GPL or the MPL, machine-written under other terms, or kept for evaluation is not in the table, and
what is not in the table cannot be read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ostro.data.broken import Broken
from ostro.data.records import read_records
from ostro.errors import OstroError
from ostro.runtime.progress import Progress


@dataclass(frozen=True)
class Source:
    """A file of the data folder."""

    path: str
    licence: str
    origin: str
    """Whom it is owed to."""


ALLOWED = (
    Source("sft/gsm8k_train.jsonl.gz", "MIT", "GSM8K, OpenAI (openai/grade-school-math)"),
    Source(
        "sft/instruction_induction.jsonl.gz",
        "Apache-2.0",
        "Instruction Induction, Or Honovich et al. (orhonovich/instruction-induction)",
    ),
    Source("sft/mbpp_train.jsonl.gz", "CC-BY-4.0", "MBPP, Google Research (google-research/mbpp)"),
    Source(
        "sft/mbxp_multilang_code.jsonl.gz",
        "CC-BY-4.0",
        "MBXP, Amazon Science (amazon-science/mxeval); the JavaScript part",
    ),
    Source(
        "sft/medquad_qa.jsonl.gz",
        "CC-BY-4.0",
        "MedQuAD, Asma Ben Abacha and Dina Demner-Fushman (abachaa/MedQuAD)",
    ),
    Source(
        "sft/oasst_en_100trees.jsonl.gz",
        "Apache-2.0",
        "OpenAssistant contributors (LAION-AI/Open-Assistant)",
    ),
    Source(
        "sft/oasst_fr_top1.jsonl.gz",
        "Apache-2.0",
        "OpenAssistant contributors, through bofenghuang/vigogne",
    ),
    Source(
        "sft/self_instruct_seed.jsonl.gz",
        "Apache-2.0",
        "Self-Instruct, Yizhong Wang et al. (yizhongw/self-instruct)",
    ),
    Source(
        "sft/self_instruct_user_oriented.jsonl.gz",
        "Apache-2.0",
        "Self-Instruct, Yizhong Wang et al. (yizhongw/self-instruct)",
    ),
    Source(
        "sft/tldr_shell_5lang.jsonl.gz",
        "CC-BY-4.0",
        "tldr-pages contributors (tldr-pages/tldr)",
    ),
    Source(
        "sft/translate_en_es_pydocs.jsonl.gz",
        "PSF-2.0",
        "Spanish translation of Python's documentation (python/python-docs-es)",
    ),
    Source(
        "pretrain/books_don_quijote_es.jsonl.zst",
        "public domain",
        "Miguel de Cervantes, Don Quijote (GITenberg/Don-Quijote_2000)",
    ),
    Source(
        "pretrain/books_fiction.jsonl.zst",
        "CC0-1.0 / public domain in the USA",
        "Standard Ebooks (one repository a book)",
    ),
    Source(
        "pretrain/books_monte_cristo_fr.jsonl.zst",
        "public domain",
        "Alexandre Dumas, Le comte de Monte-Cristo (GITenberg/Le-comte-de-Monte-Cristo)",
    ),
    Source(
        "pretrain/books_philosophy.jsonl.zst",
        "CC0-1.0 / public domain in the USA",
        "Standard Ebooks (one repository a book)",
    ),
    Source(
        "pretrain/code_python_packages.jsonl.zst",
        "BSD-3-Clause / Apache-2.0 (requests, absl-py)",
        "authors of sympy, networkx, django, flask, requests, click, jinja2, mpmath, scikit-learn "
        "and absl-py",
    ),
    Source(
        "pretrain/code_python_stdlib.jsonl.zst",
        "PSF-2.0",
        "Python Software Foundation, the standard library of Python 3.11",
    ),
    Source(
        "pretrain/dm_mathematics.jsonl.zst",
        "Apache-2.0",
        "generated with google-deepmind/mathematics_dataset",
    ),
    Source(
        "pretrain/docs_python.jsonl.zst",
        "PSF-2.0",
        "Python Software Foundation, documentation of Python 3.11",
    ),
    Source(
        "pretrain/docs_python_es.jsonl.zst",
        "PSF-2.0",
        "Spanish translation of Python's documentation (python/python-docs-es)",
    ),
    Source(
        "pretrain/formal_coq_unimath.jsonl.zst",
        "UniMath licence (permissive, as MIT)",
        "UniMath contributors (UniMath/UniMath)",
    ),
    Source(
        "pretrain/formal_hol_light.jsonl.zst",
        "BSD-2-Clause",
        "John Harrison and contributors, HOL Light",
    ),
    Source(
        "pretrain/formal_lean_mathlib.jsonl.zst",
        "Apache-2.0",
        "mathlib contributors (leanprover-community/mathlib)",
    ),
    Source("pretrain/pubmed_abstracts.jsonl.zst", "MIT", "PubMedQA (pubmedqa/pubmedqa)"),
    Source(
        "pretrain/qa_medquad.jsonl.zst",
        "CC-BY-4.0",
        "MedQuAD, Asma Ben Abacha and Dina Demner-Fushman (abachaa/MedQuAD)",
    ),
    Source(
        "pretrain/speeches_us_presidents.jsonl.zst",
        "public domain",
        "presidents of the United States (US government works, through nltk/nltk_data)",
    ),
    Source(
        "preference/hh_harmless_base_test.jsonl.gz",
        "MIT",
        "Anthropic, HH-RLHF (anthropics/hh-rlhf)",
    ),
    Source(
        "preference/oasst_en_ranked_pairs.jsonl.gz",
        "Apache-2.0",
        "OpenAssistant contributors (LAION-AI/Open-Assistant)",
    ),
    Source("preference/pandalm_human_pairs.jsonl.gz", "Apache-2.0", "PandaLM (WeOpenML/PandaLM)"),
    Source(
        "preference/model_written_yes_no_pairs.jsonl.gz",
        "CC-BY-4.0",
        "Anthropic, model-written evaluations (anthropics/evals)",
    ),
)


EVALUATED_PREFERENCES = (
    ("preference/hh_harmless_base_val.jsonl.gz", 1),
    ("preference/llmbar_pairs.jsonl.gz", 1),
    ("preference/model_written_yes_no_pairs.jsonl.gz", 5),
)
"""What ``benchmarks/demo_checks/preferences.py`` reads: every n-th pair of each file."""


def allowed_source(path: str) -> Source:
    """The table's entry, or an OstroError."""
    found = next((source for source in ALLOWED if source.path == path), None)
    if found is None:
        raise OstroError(f"{path} is not among the files that may be trained on")
    return found


def open_source(data: Path, path: str, progress: Progress) -> Iterator[dict[str, Any]]:
    """The records of an allowed file; a damaged one is an OstroError."""
    return _records(data / allowed_source(path).path, path, progress)


def evaluated_preferences(data: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """The pairs that evaluation reads: to be left out, and for nothing else."""
    for path, every in EVALUATED_PREFERENCES:
        yield from islice(_records(data / path, path, progress), 0, None, every)


def _records(file: Path, path: str, progress: Progress) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        raise OstroError(f"{file} does not exist")
    broken = Broken()
    with progress.task(f"reading {path}", file.stat().st_size, "bytes") as advance:
        for record in read_records([file], broken, advance):
            yield record.values
    if broken.count:
        first = broken.first[0]
        raise OstroError(f"{path}: {broken.count} records can't be read; {first.reason}")

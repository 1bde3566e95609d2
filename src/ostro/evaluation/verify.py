"""A checkpoint's report: hashes, exact counts, perplexity on a shipped text, ten fixed prompts."""

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ostro.config import PRESETS, count_parameters
from ostro.engine.llm import LLM
from ostro.evaluation.perplexity import perplexity
from ostro.evaluation.shipped_text import TEXT_NAME, shipped_text
from ostro.runtime.progress import Progress
from ostro.weights.checkpoint import Checkpoint, open_checkpoint

ANSWER_TOKENS = 48
PROMPTS = (
    "What is the capital of France?",
    "Name three primary colours.",
    "What is 17 plus 25?",
    "Translate 'good morning' into French.",
    "Write one sentence about the sea.",
    "Who wrote Romeo and Juliet?",
    "Complete the sentence: The quick brown fox",
    "Give the chemical symbol of gold.",
    "Write a Python function that adds two numbers.",
    "Answer yes or no: is ice colder than steam?",
)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found."""

    model: str
    layout: str
    preset: str | None
    """The published geometry that this one equals, if any."""
    stored_type: str
    compute_type: str
    total_parameters: int
    active_parameters: int
    tensors: int
    files: dict[str, str]
    """SHA-256 of every file."""
    perplexity: float | None
    perplexity_tokens: int
    answers: dict[str, str]
    versions: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def to_markdown(self) -> str:
        """The report as Markdown."""
        preset = f"the geometry of {self.preset}" if self.preset else "no published geometry"
        lines = [
            f"# ostro verify: {self.model}",
            "",
            f"- layout {self.layout}, {preset}",
            f"- {self.total_parameters:,} parameters, {self.active_parameters:,} active a token",
            f"- {self.tensors} tensors, every one accounted for, all finite",
            f"- stored as {self.stored_type}, computed in {self.compute_type}",
            f"- {self.versions}",
        ]
        if self.perplexity is not None:
            lines.append(
                f"- perplexity {self.perplexity:.4f} over {self.perplexity_tokens} tokens of "
                f"{TEXT_NAME}"
            )
        lines += ["", "## Files (SHA-256)", ""]
        lines += [f"- `{name}` {digest}" for name, digest in self.files.items()]
        if self.answers:
            lines += ["", f"## Answers (temperature 0, at most {ANSWER_TOKENS} tokens)", ""]
        for prompt, text in self.answers.items():
            quoted = text.strip().replace("\n", "\n  > ")
            lines += [f"- {prompt}", f"  > {quoted}"]
        return "\n".join(lines) + "\n"


def verify_model(llm: LLM, path: Path, progress: Progress) -> Verification:
    """Check the checkpoint at ``path``, which ``llm`` was loaded from.

    Opening and loading have already refused missing, unexpected, misshapen and non-finite tensors.
    """
    checkpoint = open_checkpoint(path)
    counts = count_parameters(checkpoint.geometry)
    measured = _perplexity(llm) if llm.has_tokenizer else None
    return Verification(
        model=llm.name,
        layout=checkpoint.layout.name,
        preset=_preset(checkpoint),
        stored_type=checkpoint.matrix_type.name,
        compute_type=llm.settings.type_name,
        total_parameters=counts.total,
        active_parameters=counts.active,
        tensors=len(checkpoint.files.infos),
        files=_hashes(path, progress),
        perplexity=measured[0] if measured else None,
        perplexity_tokens=measured[1] if measured else 0,
        answers=_answers(llm, progress),
        versions=f"torch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}",
    )


def _perplexity(llm: LLM) -> tuple[float, int]:
    ids = llm.encode(shipped_text())[: llm.context]
    result = perplexity(llm.model, ids, llm.context)
    return result.value, result.tokens


def _preset(checkpoint: Checkpoint) -> str | None:
    return next((name for name, g in PRESETS.items() if g == checkpoint.geometry), None)


def _answers(llm: LLM, progress: Progress) -> dict[str, str]:
    if not llm.has_tokenizer:
        return {}
    answers = {}
    chats = llm.tokenizer.has_chat_template
    with progress.task("answering", len(PROMPTS), "items") as advance:
        for prompt in PROMPTS:
            if chats:
                message = {"role": "user", "content": prompt}
                answers[prompt] = llm.chat([message], max_tokens=ANSWER_TOKENS).text
            else:
                answers[prompt] = llm.generate(prompt, max_tokens=ANSWER_TOKENS).text
            advance(1)
    return answers


def _hashes(path: Path, progress: Progress) -> dict[str, str]:
    paths = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
    total = sum(p.stat().st_size for p in paths)
    hashes = {}
    with progress.task("hashing", total, "bytes") as advance:
        for file in paths:
            digest = hashlib.sha256()
            for block in _blocks(file):
                digest.update(block)
                advance(len(block))
            hashes[file.name] = digest.hexdigest()
    return hashes


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            yield block

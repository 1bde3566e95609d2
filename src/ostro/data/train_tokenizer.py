"""Training a byte-level BPE tokenizer on documents."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ostro.data.broken import Broken
from ostro.data.fields import text_field
from ostro.data.records import Record, read_records
from ostro.data.sources import find_files
from ostro.errors import OstroError
from ostro.runtime.files import whole_directory
from ostro.runtime.progress import Progress
from ostro.text.byte_level import PRE_TOKENIZERS

END_OF_TEXT = "<|endoftext|>"
"""Ends a document."""
START, END = "<|im_start|>", "<|im_end|>"
"""Begin and end a message."""
SPECIAL = (END_OF_TEXT, START, END)
"""The first ids."""
_BYTES = 256
# Words with the space before them, digits one by one.
_PRE_TOKENIZER = "smollm"
_CHATML = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}"""


@dataclass(frozen=True)
class TrainedTokenizer:
    """What came of it."""

    vocab_size: int
    broken: Broken
    """Records without a text."""


def train_tokenizer(
    sources: Sequence[Path],
    out: Path,
    *,
    vocab_size: int,
    progress: Progress,
) -> TrainedTokenizer:
    """Write the folder ``out``: a tokenizer of exactly ``vocab_size`` pieces, with a template.

    The same sources give the same tokenizer. An OstroError if they have too little text for so
    many pieces, or if ``out`` exists.
    """
    least = _BYTES + len(SPECIAL)
    if vocab_size < least:
        raise OstroError(f"a vocabulary has at least {least} pieces, all bytes and what is special")
    files, broken = find_files(sources), Broken()
    with whole_directory(out) as folder:
        tokenizer = _untrained()
        tokenizer.train_from_iterator(_texts(files, broken, progress), _trainer(vocab_size))
        found = tokenizer.get_vocab_size()
        if found < vocab_size:
            raise OstroError(
                f"the sources have text for {found} pieces and not for {vocab_size}"
                f" ({broken.count} records can't be used); give more text or ask for fewer"
            )
        tokenizer.save(str(folder / "tokenizer.json"))
        for name, values in _settings().items():
            text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
            (folder / name).write_text(text, encoding="utf-8")
    return TrainedTokenizer(found, broken)


def _untrained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(PRE_TOKENIZERS[_PRE_TOKENIZER]())
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _trainer(vocab_size: int) -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )


def _texts(files: Sequence[Path], broken: Broken, progress: Progress) -> Iterator[str]:
    size = sum(file.stat().st_size for file in files)
    with progress.task("Reading", size, "bytes") as advance:
        for record in read_records(files, broken, advance):
            try:
                yield _text(record)
            except OstroError as error:
                broken.add(record.place, str(error))
    progress.note("Choosing the pieces")


def _text(record: Record) -> str:
    text = text_field(record.values, "text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise OstroError("'text' has half a character") from None
    return text


def _settings() -> dict[str, dict[str, Any]]:
    """What lies beside ``tokenizer.json``.

    Documents end with the EOS token; generation stops there and at a message's end.
    """
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_OF_TEXT,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "chat_template": _CHATML,
    }
    stops = [SPECIAL.index(END_OF_TEXT), SPECIAL.index(END)]
    return {"tokenizer_config.json": config, "generation_config.json": {"eos_token_id": stops}}

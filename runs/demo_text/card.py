"""The data card: what was written, counted in the files themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_text.allowed import ALLOWED
from demo_text.counting import TokenCounter, Tokens
from demo_text.outputs import Output
from demo_text.sampled.parts import SOURCE as PARENT
from demo_text.writing import read_lines
from ostro.runtime.files import whole_file
from ostro.runtime.progress import Progress

_OWN = ("Apache-2.0", "ostro: written by program from its own tables")
_ANSWERS = ("Apache-2.0", "SmolLM2-135M-Instruct, Hugging Face")


@dataclass(frozen=True)
class Row:
    """One source in one file."""

    file: str
    source: str
    licence: str
    origin: str
    records: int
    tokens: Tokens


def card_rows(
    outputs: Iterable[Output], out: Path, counter: TokenCounter, progress: Progress
) -> list[Row]:
    """What the files hold that are there."""
    found: list[Row] = []
    for output in outputs:
        file = output.file(out)
        if not file.exists():
            continue
        sums: dict[str, tuple[int, Tokens]] = {}
        with progress.task(f"counting {file.name}", file.stat().st_size, "bytes") as advance:
            for record in read_lines(file):
                advance(len(str(record)))
                source = _source(record)
                records, tokens = sums.get(source, (0, Tokens()))
                sums[source] = (records + 1, tokens + counter.count(output.kind, record))
        found += [_row(file.name, source, *one) for source, one in sorted(sums.items())]
    return found


def write_card(rows: Sequence[Row], target: Path) -> None:
    """The card in Markdown."""
    with whole_file(target) as temporary:
        temporary.write_text(_card(rows), encoding="utf-8")


def sampled_share(rows: Sequence[Row]) -> tuple[float, float]:
    """Of the parent's own answers: the share of all tokens read, and of all learned."""
    everything = sum((row.tokens for row in rows), Tokens())
    own = sum((row.tokens for row in rows if _is_sampled(row)), Tokens())
    return own.read / max(everything.read, 1), own.learned / max(everything.learned, 1)


def _is_sampled(row: Row) -> bool:
    return row.source.startswith(PARENT)


def _source(record: Mapping[str, Any]) -> str:
    asked = record.get("prompt_source")
    return f"{record['source']}: answers to {asked}" if asked else str(record["source"])


def _row(file: str, source: str, records: int, tokens: Tokens) -> Row:
    owed = {one.path: (one.licence, one.origin) for one in ALLOWED}
    own, _, asked = source.partition(": answers to ")
    licence, origin = _ANSWERS if own == PARENT else owed.get(own, _OWN)
    if asked in owed:
        licence, origin = f"{licence}; questions {owed[asked][0]}", f"{origin}; {owed[asked][1]}"
    return Row(file, source, licence, origin, records, tokens)


def _card(rows: Sequence[Row]) -> str:
    files = list(dict.fromkeys(row.file for row in rows))
    read, learned = sampled_share(rows)
    lines = [
        "# Data card",
        "",
        "What the demo model is trained on. Tokens are those of its tokenizer, with its templates; "
        "*learned* are those whose prediction is trained. Every file read is permissive, in the "
        "public domain or CC-BY; share-alike, GPL and MPL files, and files marked machine-written "
        "under other terms, are left out. Nothing of `eval/` was opened; of the preferences kept "
        "for evaluation only the first questions were, to leave out pairs that begin alike.",
        "",
        "| file | records | tokens | learned | share of learned |",
        "|---|---|---|---|---|",
    ]
    everything = sum((row.tokens for row in rows), Tokens())
    for name in [*files, None]:
        own = [row for row in rows if name in (row.file, None)]
        tokens = sum((row.tokens for row in own), Tokens())
        share = tokens.learned / max(everything.learned, 1)
        lines.append(
            f"| {'all' if name is None else f'`{name}`'} | {sum(row.records for row in own)} | "
            f"{tokens.read} | {tokens.learned} | {share:.1%} |"
        )
    lines += [
        "",
        f"The parent's own sampled answers are {learned:.1%} of the learned tokens; with their "
        f"questions they are {read:.1%} of all tokens.",
        "",
        "| file | source | licence | records | tokens | owed to |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.file}` | {row.source} | {row.licence} | {row.records} | {row.tokens.read} | "
        f"{row.origin} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"

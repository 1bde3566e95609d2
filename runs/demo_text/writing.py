"""Files of records: written whole or not at all, and read again."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ostro.runtime.files import whole_file

Record = Mapping[str, Any]


def write_records(target: Path, records: Iterable[Record]) -> int:
    """A JSON object a line; how many were written."""
    count = 0
    with whole_file(target) as temporary, temporary.open("w", encoding="utf-8") as out:
        for record in records:
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The records of a file that this package wrote."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            values: dict[str, Any] = json.loads(line)
            yield values


def conversation(
    source: str, *turns: str, system: str | None = None, **more: str
) -> dict[str, Any]:
    """A record of a conversation: ``turns`` are the user's and the assistant's in turn.

    ``source`` says whence it came: a path of the data folder, or a name of this package's own.
    """
    messages = [] if system is None else [{"role": "system", "content": system}]
    messages += [
        {"role": "assistant" if number % 2 else "user", "content": turn}
        for number, turn in enumerate(turns)
    ]
    return {"messages": messages, "source": source, **more}

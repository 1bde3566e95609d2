"""Routing recorded as a Parquet file: a row for every expert that a token took.

docs/routing.md tells the columns and what they mean. pyarrow writes the file; it is the extra
``routing`` and is imported only when something is recorded.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ostro import __version__
from ostro.engine.llm import LLM
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.evaluation.routed_tokens import RoutedTokens, routed_tokens
from ostro.evaluation.routing_summary import RoutingSummary, RoutingTally
from ostro.runtime.files import whole_file
from ostro.runtime.progress import Progress, TerminalProgress
from ostro.text.tokenizer import Tokenizer

_ROWS = 1 << 17  # Of a row group, more or less.


def record(
    llm: LLM, requests: Sequence[Request], path: str | Path, progress: Progress | None = None
) -> RoutingSummary:
    """Run the requests and write their routing to ``path``, whole or not at all.

    A request tells of its prompt with ``prompt_routing`` and of its answers with ``routing``. An
    :class:`~ostro.errors.OstroError` if it asks for neither, if the model is dense, if the file
    cannot be written, or if pyarrow is missing. Ctrl-C leaves nothing behind.
    """
    require_pyarrow()
    tally = RoutingTally(llm.model.geometry)
    with _table(Path(path), llm.tokenizer, _metadata(llm, requests)) as table:
        for tokens in routed_tokens(llm, requests, progress or TerminalProgress()):
            table.add(tokens)
            tally.add(tokens)
    return tally.summary(llm.name)


def require_pyarrow() -> None:
    """An OstroError that says what to install, unless it is there."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise OstroError(
            "recording routing needs pyarrow, which is not installed; "
            "run: pip install 'ostro[routing]'"
        ) from error


class _Table:
    """A file that grows by row groups."""

    def __init__(self, writer: Any, schema: Any, tokenizer: Tokenizer) -> None:
        self._writer, self._schema, self._tokenizer = writer, schema, tokenizer
        self._texts: dict[int, str] = {}
        self._waiting: list[Any] = []
        self._rows = 0

    def add(self, tokens: RoutedTokens) -> None:
        """Append some tokens."""
        import pyarrow

        columns = self._columns(tokens)
        arrays = [pyarrow.array(columns[field.name], field.type) for field in self._schema]
        self._waiting.append(pyarrow.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows += len(arrays[0])
        if self._rows >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one row group."""
        import pyarrow

        if self._rows:
            table = pyarrow.Table.from_batches(self._waiting)
            self._writer.write_table(table, row_group_size=self._rows)
            self._waiting, self._rows = [], 0

    def _columns(self, tokens: RoutedTokens) -> dict[str, Any]:
        """Values of each column; slots that were not used have no row."""
        import pyarrow

        used = tokens.experts_TLK >= 0
        token, layer, slot = (index.numpy() for index in used.nonzero(as_tuple=True))
        texts = [self._text(token_id) for token_id in tokens.token_ids]
        return {
            "sequence": pyarrow.repeat(tokens.sequence, len(token)),
            "position": token + tokens.first,
            "part": pyarrow.repeat(tokens.part, len(token)),
            "token_id": pyarrow.array(tokens.token_ids).take(token),
            "text": pyarrow.array(texts).take(token),
            "layer": layer,
            "slot": slot,
            "expert": tokens.experts_TLK[used].numpy(),
            "weight": tokens.weights_TLK[used].numpy(),
        }

    def _text(self, token_id: int) -> str:
        if token_id not in self._texts:
            data = self._tokenizer.token_bytes(token_id)
            self._texts[token_id] = data.decode("utf-8", errors="replace")
        return self._texts[token_id]


@contextmanager
def _table(path: Path, tokenizer: Tokenizer, metadata: dict[str, str]) -> Iterator[_Table]:
    """A file to write to, which takes its name at the end."""
    import pyarrow.parquet

    if path.is_dir():
        raise OstroError(f"cannot write {path}: it is a folder; give the name of a file")
    schema = pyarrow.schema(
        [
            ("sequence", pyarrow.int32()),
            ("position", pyarrow.int32()),
            ("part", pyarrow.string()),
            ("token_id", pyarrow.int32()),
            ("text", pyarrow.string()),
            ("layer", pyarrow.int16()),
            ("slot", pyarrow.int8()),
            ("expert", pyarrow.int16()),
            ("weight", pyarrow.float32()),
        ],
        metadata=metadata,
    )
    with (
        whole_file(path) as temporary,
        pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        table = _Table(writer, schema, tokenizer)
        yield table
        table.flush()


def _metadata(llm: LLM, requests: Sequence[Request]) -> dict[str, str]:
    """What the file says of itself."""
    return {
        "ostro.version": __version__,
        "ostro.model": llm.name,
        "ostro.geometry": json.dumps(asdict(llm.model.geometry)),
        "ostro.steering": json.dumps(_steering(requests)),
    }


def _steering(requests: Sequence[Request]) -> list[dict[str, Any]]:
    """From which sequence on which steering holds, until the next entry; None: the model's own."""
    found: list[dict[str, Any]] = []
    sequence = 0
    for request in requests:
        table = None if request.steering is None else request.steering.to_dict()
        if not found or found[-1]["steering"] != table:
            found.append({"from_sequence": sequence, "steering": table})
        sequence += request.params.n
    return found

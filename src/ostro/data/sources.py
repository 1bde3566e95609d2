"""Which files records are read from."""

from collections.abc import Sequence
from pathlib import Path

from ostro.errors import OstroError
from ostro.runtime.extras import require_extra

ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".txt", ".parquet")
"""What a file's name may end in; the ending says how it is read."""
# What is read with a package that not everybody has.
_PACKAGES = {".jsonl.zst": "zstandard", ".parquet": "pyarrow.parquet"}


def find_files(sources: Sequence[Path]) -> list[Path]:
    """The files that ``sources`` name; a folder stands for all that it holds itself, sorted.

    An OstroError if something is missing, has an unknown ending, or needs a package that is not
    installed: all this is found before anything is read.
    """
    files = [file for source in sources for file in _files_of(source)]
    for file in files:
        package = _PACKAGES.get(ending(file))
        if package is not None:
            require_extra(package, "train")
    return files


def ending(file: Path) -> str:
    """The one of :data:`ENDINGS` that the file has, or an OstroError."""
    found = next((known for known in ENDINGS if file.name.endswith(known)), None)
    if found is None:
        raise OstroError(f"{file}: records are read from {', '.join(ENDINGS)}; convert it to one")
    return found


def _files_of(source: Path) -> list[Path]:
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if file.name.endswith(ENDINGS))
        if not files:
            raise OstroError(f"{source} holds no file that ends in {', '.join(ENDINGS)}")
        return files
    if not source.exists():
        raise OstroError(f"{source} does not exist; name a file or a folder of records")
    return [source]

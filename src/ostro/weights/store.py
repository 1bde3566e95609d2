"""The model store: one folder a model under ``Environment.models``, each with a small record.

A model pulled from the hub as ``org/name`` lies in the folder ``org--name`` and is found by either
name. Folders whose name begins with a dot are downloads under way; they are never listed. A folder
without a record is a model that its owner put there by hand.
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.files import file_lock, whole_file

RECORD = "ostro.json"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class StoredModel:
    """A whole model on this machine."""

    name: str
    """The hub id that it was pulled by, or the name of its folder."""
    path: Path
    bytes: int
    source: str
    when: str
    """When it was written: UTC, in ISO 8601."""


@dataclass(frozen=True)
class Record:
    """What ``ostro.json`` says of the model beside it."""

    source: str
    """A hub id, or a phrase such as ``upcycled from FILE``."""
    revision: str | None = None
    """The commit on the hub."""
    when: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """Digests of the files that were checked against the hub's."""


def is_model_name(name: str) -> bool:
    """Whether ``name`` can name a model: parts of letters, digits, ``_ . -`` between slashes."""
    return all(_PART.fullmatch(part) for part in name.split("/"))


def model_folder(env: Environment, name: str) -> Path:
    """Where the model ``name`` lies or would lie. A name that could leave the store is refused."""
    if not is_model_name(name):
        raise OstroError(f"{name!r} is not a model's name; write it as NAME or ORG/NAME")
    return env.models / name.replace("/", "--")


def partial_folder(env: Environment, name: str) -> Path:
    """Where a download of ``name`` grows until it is whole."""
    folder = model_folder(env, name)
    return folder.with_name(f".{folder.name}.part")


def lock_path(env: Environment, name: str) -> Path:
    """The lock that keeps two processes from writing ``name`` at once."""
    folder = model_folder(env, name)
    return folder.with_name(f".{folder.name}.lock")


def find_model(env: Environment, name: str) -> Path | None:
    """The folder of the whole model ``name``, or None."""
    if not is_model_name(name):
        return None
    folder = model_folder(env, name)
    return folder if folder.is_dir() else None


def list_models(env: Environment) -> list[StoredModel]:
    """All whole models, by name."""
    if not env.models.is_dir():
        return []
    folders = [path for path in env.models.iterdir() if path.is_dir()]
    models = [_stored(path) for path in folders if not path.name.startswith(".")]
    return sorted(models, key=lambda model: model.name)


def remove_model(env: Environment, name: str) -> int:
    """Delete a model, or what a broken download of it left; the bytes that this freed.

    A model that is a link to a folder elsewhere loses the link alone.
    """
    folder, partial = model_folder(env, name), partial_folder(env, name)
    if not (folder.is_dir() or partial.is_dir()):
        have = ", ".join(model.name for model in list_models(env)) or "none yet"
        raise OstroError(f"no model {name!r} to remove; there are: {have}")
    with file_lock(lock_path(env, name), waiting_for=f"writing {name}", timeout=1):
        freed = 0
        for path in (folder, partial):
            if path.is_symlink():
                path.unlink()
            elif path.is_dir():
                freed += _folder_bytes(path)
                _delete(path)
    return freed


def read_record(folder: Path) -> Record | None:
    """The record of a folder; None where there is none or it is damaged."""
    try:
        values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files = {str(name): str(digest) for name, digest in values.get("files", {}).items()}
        revision = values.get("revision")
        return Record(
            source=str(values["source"]),
            revision=None if revision is None else str(revision),
            when=str(values.get("when", "")),
            files=files,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(
    folder: Path,
    *,
    source: str,
    revision: str | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    """Write the record of ``folder``, dated now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    values: dict[str, Any] = {"source": source, "when": now}
    if revision is not None:
        values["revision"] = revision
    if files:
        values["files"] = dict(files)
    with whole_file(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _stored(folder: Path) -> StoredModel:
    record = read_record(folder) or Record(source="put here by hand")
    pulled = is_model_name(record.source) and record.source.replace("/", "--") == folder.name
    changed = datetime.fromtimestamp(folder.stat().st_mtime, UTC).isoformat(timespec="seconds")
    return StoredModel(
        name=record.source if pulled else folder.name,
        path=folder,
        bytes=_folder_bytes(folder),
        source=record.source,
        when=record.when or changed,
    )


def _folder_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _delete(folder: Path) -> None:
    """Delete under another name, so that a half-deleted model is never taken for a whole one."""
    doomed = folder.with_name(f".{folder.name.lstrip('.')}.removed")
    try:
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise OstroError(f"cannot remove {folder}: {error.strerror or error}") from error

"""The hub: models pulled into the store, and what a plan needs without pulling.

A hub id is ``ORG/NAME``, or ``ORG/NAME/FILE.gguf`` for one GGUF file of a repository that holds
several.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.files import file_lock, sync
from ostro.runtime.progress import Progress, SilentProgress
from ostro.weights.hub_download import Download, request_headers
from ostro.weights.hub_errors import explained
from ostro.weights.hub_files import (
    SECONDS_TO_ANSWER,
    RemoteFile,
    choose_files,
    list_files,
    split_hub_id,
)
from ostro.weights.store import lock_path, model_folder, partial_folder, read_record


@dataclass(frozen=True)
class PlanFiles:
    """What a plan needs to know of a model on the hub."""

    config: Path | None
    """``config.json`` or ``params.json``, fetched; None for a GGUF file, see :func:`fetch_head`."""
    total_bytes: int | None
    """Bytes of all weights, from the index where there is one; None where the hub says nothing."""
    files: tuple[RemoteFile, ...]
    """All files that a pull would fetch."""

    @property
    def weights(self) -> tuple[RemoteFile, ...]:
        """Those of the files that hold weights."""
        return tuple(file for file in self.files if file.holds_weights)


def pull(
    env: Environment,
    hub_id: str,
    *,
    progress: Progress,
    files: Sequence[str] | None = None,
    revision: str | None = None,
) -> Path:
    """Fetch the model ``hub_id`` into the store and return its folder; at once if it is there.

    Only what a model needs is fetched, or exactly ``files``. ``revision`` is a branch, a tag or a
    commit. After a failure or Ctrl-C the next call goes on with what is there; until all files are
    there and checked, the model is not in the store.
    """
    repo, _ = split_hub_id(hub_id)
    folder = model_folder(env, hub_id)
    with file_lock(lock_path(env, hub_id), waiting_for=f"pulling {hub_id}"):
        if folder.is_dir():
            _require_same(env, hub_id, files, revision)
            return folder
        model = list_files(env, repo, revision)
        chosen = choose_files(model, hub_id, files)
        partial = partial_folder(env, hub_id)
        download = Download(env, model, hub_id, partial)
        download.fetch(chosen, progress)
        download.keep_only(chosen)
        with explained(env, hub_id):
            partial.rename(folder)
            sync(folder.parent)
    return folder


def fetch_plan_files(env: Environment, hub_id: str, revision: str | None = None) -> PlanFiles:
    """Configuration and index alone, kept under ``home/plans``, and the sizes of the rest."""
    repo, _ = split_hub_id(hub_id)
    model = list_files(env, repo, revision)
    chosen = choose_files(model, hub_id)
    index = [file for file in chosen if file.name.endswith(".index.json")]
    config = [file for file in chosen if file.name in ("config.json", "params.json")]
    folder = env.home / "plans" / model_folder(env, hub_id).name
    with file_lock(folder.with_name(f".{folder.name}.lock"), waiting_for=f"planning {hub_id}"):
        Download(env, model, hub_id, folder).fetch([*config, *index], SilentProgress())
        total = _index_bytes(folder / index[0].name) if index else None
    weights = sum(file.size for file in chosen if file.holds_weights)
    return PlanFiles(
        config=folder / config[0].name if config else None,
        total_bytes=total or weights or None,
        files=tuple(chosen),
    )


def fetch_head(
    env: Environment, hub_id: str, filename: str, count: int, revision: str | None = None
) -> bytes:
    """The first ``count`` bytes of a file on the hub, or all of a shorter one."""
    from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status

    repo, _ = split_hub_id(hub_id)
    url = hf_hub_url(repo, filename, revision=revision, endpoint=env.hub_endpoint)
    headers = request_headers(env) | {"Range": f"bytes=0-{count - 1}"}
    data = bytearray()
    with (
        explained(env, repo),
        get_session().stream("GET", url, headers=headers, timeout=SECONDS_TO_ANSWER) as response,
    ):
        hf_raise_for_status(response)
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) >= count:  # A server that ignores the range would send everything.
                break
    return bytes(data[:count])


def _index_bytes(index: Path) -> int | None:
    try:
        return int(json.loads(index.read_text(encoding="utf-8"))["metadata"]["total_size"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _require_same(
    env: Environment, hub_id: str, files: Sequence[str] | None, revision: str | None
) -> None:
    """Refuse to take the model in the store for other files or another revision than asked."""
    folder, mend = model_folder(env, hub_id), f"'ostro remove {hub_id}' first"
    missing = [name for name in files or () if not (folder / name).is_file()]
    if missing:
        raise OstroError(f"{hub_id} is here without {missing[0]}; {mend}")
    record = read_record(folder)
    here = None if record is None else record.revision
    if revision is None or (here is not None and here.startswith(revision)):
        return
    repo, _ = split_hub_id(hub_id)
    if list_files(env, repo, revision).commit != here:
        raise OstroError(f"{hub_id} is here at {here or 'an unknown revision'}; {mend}")

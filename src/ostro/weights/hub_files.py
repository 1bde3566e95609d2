"""The files of a repository on the hub, and which of them a model needs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from ostro.errors import NetworkError, OstroError
from ostro.runtime.environment import Environment
from ostro.weights.hub_errors import explained
from ostro.weights.store import RECORD, is_model_name

SECONDS_TO_ANSWER = 30
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.*",
    "tokenizer.model*",
    "tekken.json",
)
# Weights, and the settings that say how to read them, best first. Pickles come last.
_FAMILIES = (
    (("model.safetensors", "model-*.safetensors"), "config.json", "model.safetensors.index.json"),
    (("consolidated*.safetensors",), "params.json", "consolidated.safetensors.index.json"),
    (("pytorch_model*.bin",), "config.json", "pytorch_model.bin.index.json"),
    (("consolidated*.pth", "consolidated*.pt"), "params.json", "consolidated.index.json"),
)
_PART = re.compile(r"(.+)-\d{5}-of-(\d{5}\.gguf)")
_MOST_NAMES_SHOWN = 12


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub."""

    name: str
    size: int
    sha256: str | None = None
    """Of large files."""
    git_sha1: str | None = None
    """Of small files: git's hash of the content."""

    @property
    def digest(self) -> str:
        """What the content is checked against."""
        return self.sha256 or self.git_sha1 or f"{self.size} bytes"

    @property
    def holds_weights(self) -> bool:
        """Whether it is more than settings and vocabulary."""
        return self.name.endswith((".safetensors", ".gguf", ".bin", ".pt", ".pth"))


@dataclass(frozen=True)
class RemoteModel:
    """A repository at one commit."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]


def split_hub_id(hub_id: str) -> tuple[str, str | None]:
    """``ORG/NAME/FILE.gguf`` as (``ORG/NAME``, ``FILE.gguf``); no file where none is named."""
    parts = hub_id.split("/")
    file = "/".join(parts[2:]) or None
    if len(parts) < 2 or not is_model_name(hub_id) or not (file or ".gguf").endswith(".gguf"):
        raise OstroError(
            f"{hub_id!r} is not a hub id; write ORG/NAME, or ORG/NAME/FILE.gguf for one GGUF file"
        )
    return "/".join(parts[:2]), file


def list_files(env: Environment, repo: str, revision: str | None = None) -> RemoteModel:
    """The files of a repository with sizes and digests."""
    from huggingface_hub import HfApi

    with explained(env, repo):
        try:
            info = HfApi(endpoint=env.hub_endpoint, token=env.hub_token).model_info(
                repo, revision=revision, files_metadata=True, timeout=SECONDS_TO_ANSWER
            )
            files = tuple(_remote_file(entry) for entry in info.siblings or ())
        except (TypeError, KeyError, AttributeError, UnicodeDecodeError) as error:
            raise _no_hub(env) from error
        except ValueError as error:
            # JSON that is none; the library's own kinds of ValueError mean something else.
            if not type(error).__module__.startswith("json"):
                raise
            raise _no_hub(env) from error
    return RemoteModel(repo, info.sha or revision or "main", files)


def choose_files(
    model: RemoteModel, hub_id: str, names: Sequence[str] | None = None
) -> list[RemoteFile]:
    """What to fetch: ``names``, or the GGUF file that ``hub_id`` names, or what a model needs.

    Where a repository has the same weights twice, Hugging Face's safetensors win over Mistral's,
    and both over pickles. A part of a split GGUF file brings the other parts.
    """
    _, asked = split_hub_id(hub_id)
    there = {file.name: file for file in model.files}
    if names is None and asked is None:
        return _needed_files(model)
    chosen = [*(names or ()), *(() if asked is None else _all_parts(asked, there))]
    missing = [name for name in chosen if name not in there]
    if missing:
        raise NetworkError(f"{model.repo} has no file {missing[0]}; {_offer(_ggufs(model))}")
    return [_inside(there[name]) for name in chosen]


def _needed_files(model: RemoteModel) -> list[RemoteFile]:
    top = {file.name: _inside(file) for file in model.files if "/" not in file.name}
    for patterns, settings, index in _FAMILIES:
        weights = _matching(top, patterns)
        if weights and settings in top:
            extra = [top[name] for name in (settings, index) if name in top]
            return [*extra, *_matching(top, _TOKENIZER), *weights]
    ggufs = _ggufs(model)
    if len(ggufs) == 1:
        return [_inside(file) for file in model.files if file.name == ggufs[0]]
    if ggufs:
        raise OstroError(
            f"{model.repo} holds {len(ggufs)} GGUF files; name one as {model.repo}/FILE.gguf: "
            f"{_offer(ggufs)}"
        )
    raise OstroError(
        f"{model.repo} holds no weights that ostro reads (safetensors, GGUF or PyTorch files with "
        "config.json or params.json)"
    )


def _remote_file(entry: Any) -> RemoteFile:
    large = entry.lfs
    return RemoteFile(
        name=entry.rfilename,
        size=int(entry.size),
        sha256=large.sha256 if large else None,
        git_sha1=None if large else entry.blob_id,
    )


def _no_hub(env: Environment) -> NetworkError:
    return NetworkError(
        f"{env.hub_endpoint} does not answer as a hub does; check HF_ENDPOINT and the network"
    )


def _matching(files: Mapping[str, RemoteFile], patterns: Iterable[str]) -> list[RemoteFile]:
    names = [name for name in files if any(fnmatchcase(name, pattern) for pattern in patterns)]
    return [files[name] for name in sorted(names)]


def _ggufs(model: RemoteModel) -> list[str]:
    return sorted(file.name for file in model.files if file.name.endswith(".gguf"))


def _all_parts(name: str, there: Iterable[str]) -> list[str]:
    part = _PART.fullmatch(name)
    if part is None:
        return [name]
    others = ((other, _PART.fullmatch(other)) for other in there)
    same = [other for other, match in others if match and match.groups() == part.groups()]
    return sorted(same) or [name]


def _offer(names: Sequence[str]) -> str:
    if not names:
        return "it has no GGUF file"
    left = len(names) - _MOST_NAMES_SHOWN
    more = f" and {left} more" if left > 0 else ""
    return f"there are {', '.join(names[:_MOST_NAMES_SHOWN])}{more}"


def _inside(file: RemoteFile) -> RemoteFile:
    """The file, if its name stays in the folder it is written to."""
    path = PurePosixPath(file.name)
    if path.is_absolute() or ".." in path.parts or "\\" in file.name or file.name == RECORD:
        raise OstroError(f"the hub lists a file {file.name!r}, which may not be written here")
    return file

"""A hub on this machine: enough of the hub's HTTP interface to list and download models."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

LARGE = 4096
"""Files from this size on have a SHA-256, as the hub's large files do."""


class Request(NamedTuple):
    """One request that arrived."""

    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class FakeHub:
    """Models by repository and file name, switches for what goes wrong, and what was asked."""

    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """Other names of the newest commit, beside ``main``."""
    gated: set[str] = field(default_factory=set)
    """Repositories that answer 403 to those who have not accepted their terms."""
    corrupt: set[str] = field(default_factory=set)
    """File names that are sent with one byte changed."""
    breaks: list[int] = field(default_factory=list)
    """For each coming download, after how many bytes the connection breaks."""
    status: int | None = None
    """Answer everything with this."""
    ignore_range: bool = False
    listing: Any = None
    """Answer a listing with this instead."""
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""

    def add(self, repo: str, **files: bytes) -> None:
        """Publish files; ``__`` in a keyword stands for a dot."""
        self.models.setdefault(repo, {}).update(
            {name.replace("__", "."): data for name, data in files.items()}
        )

    def commit(self, repo: str) -> str:
        """The commit of a repository: it changes with its files."""
        sha = hashlib.sha1(repo.encode())
        for name, data in sorted(self.models[repo].items()):
            sha.update(name.encode() + data)
        return sha.hexdigest()

    def downloads(self) -> list[Request]:
        """The requests for files' content."""
        return [asked for asked in self.requests if "/resolve/" in asked.path]


@contextmanager
def running(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve ``hub`` on a free port of this machine."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = self.headers
        self.hub.requests.append(
            Request(self.command, path, headers.get("Range"), headers.get("Authorization"))
        )
        if self.hub.status is not None:
            self._fail(self.hub.status, "")
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            self._list(match[1], match[2], match[3] or "main")
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(match[1], match[2], match[3])
        else:
            self._fail(404, "EntryNotFound")

    def _known(self, repo: str, revision: str) -> bool:
        """Answer what cannot be served; say whether there is more to do."""
        if repo in self.hub.gated:
            self._fail(403, "GatedRepo")
        elif repo not in self.hub.models:
            self._fail(401, "RepoNotFound")
        elif revision not in ("main", self.hub.commit(repo), *self.hub.tags):
            self._fail(404, "RevisionNotFound")
        else:
            return True
        return False

    def _list(self, repo: str, kind: str | None, revision: str) -> None:
        if self.hub.listing is not None:
            self._json(self.hub.listing)
        elif self._known(repo, revision):
            files = self.hub.models[repo]
            entries = [_entry(name, data, tree=kind == "tree") for name, data in files.items()]
            info = {"id": repo, "sha": self.hub.commit(repo), "siblings": entries}
            self._json(entries if kind == "tree" else info)

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        if not self._known(repo, revision):
            return
        data = self.hub.models[repo].get(name)
        if data is None:
            self._fail(404, "EntryNotFound")
            return
        large = len(data) >= LARGE
        digest = hashlib.sha256(data).hexdigest() if large else git_sha1(data)
        headers = {"X-Repo-Commit": self.hub.commit(repo), "ETag": f'"{digest}"'}
        if large:
            headers |= {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{digest}"'}
        if name in self.hub.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self._send_part(data, headers)

    def _send_part(self, data: bytes, headers: dict[str, str]) -> None:
        status, match = 200, re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if match and not self.hub.ignore_range:
            first, last = int(match[1]), int(match[2] or len(data) - 1)
            status, headers = 206, headers | {"Content-Range": f"bytes {first}-*/{len(data)}"}
            data = data[first : last + 1]
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.breaks:
            data = data[: self.hub.breaks.pop(0)]
            self.close_connection = True
        self.wfile.write(data)

    def _json(self, values: Any) -> None:
        body = values if isinstance(values, bytes) else json.dumps(values).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _entry(name: str, data: bytes, *, tree: bool) -> dict[str, Any]:
    sha256 = hashlib.sha256(data).hexdigest()
    entry: dict[str, Any] = {"size": len(data)}
    if tree:
        entry |= {"type": "file", "path": name, "oid": git_sha1(data)}
        large = {"oid": sha256, "size": len(data), "pointerSize": 130}
    else:
        entry |= {"rfilename": name, "blobId": git_sha1(data)}
        large = {"sha256": sha256, "size": len(data), "pointerSize": 130}
    return entry | ({"lfs": large} if len(data) >= LARGE else {})

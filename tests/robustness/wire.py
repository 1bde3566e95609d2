"""A client that speaks, or fails to speak, HTTP byte by byte."""

import json
import socket
import struct
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

Response = tuple[int, dict[str, str], Any]


class Wire:
    """A connection. What it reads beyond a response is kept for the next."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer is not None:  # Small, so that a reader that stops is felt soon.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self._rest = b""
        try:
            self.socket.connect((parts.hostname, parts.port))
        except OSError:
            self.close()
            raise

    def send(self, data: bytes) -> None:
        """Send it all."""
        self.socket.sendall(data)

    def post(self, path: str, body: Any, *, headers: str = "") -> None:
        """A request with a body; what is not bytes becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
        self.send(head.encode() + data)

    def get(self, path: str) -> None:
        """A request without a body."""
        self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def response(self) -> Response:
        """Status, headers, and the body: JSON as values, other things as bytes."""
        head = self._until(b"\r\n\r\n").decode()
        lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        if headers.get("transfer-encoding") == "chunked":
            body = self._chunks()
        else:
            body = self._exactly(int(headers.get("content-length", "0")))
        is_json = headers.get("content-type") == "application/json"
        return int(lines[0].split()[1]), headers, json.loads(body) if is_json else body

    def rest(self) -> bytes:
        """Everything up to the end of the connection, however it comes."""
        data, self._rest = self._rest, b""
        try:
            while more := self.socket.recv(1 << 16):
                data += more
        except ConnectionError:
            pass
        return data

    def reset(self) -> None:
        """Go away without a word, as a process that is killed amid reading does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Go away."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            self._receive()
        found, self._rest = self._rest.split(end, 1)
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._receive()
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return body

    def _receive(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError(f"the server closed the connection after {self._rest!r}")
        self._rest += data

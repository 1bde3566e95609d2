"""Many clients for a while, some of whom go away at any moment; what the others get is checked.

PYTHONPATH=src:tests .venv/bin/python tests/robustness/soak.py [--model demo] [--seconds 300]
"""

import argparse
import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psutil

import ostro
from ostro.engine.llm import LLM
from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
_FORMS: tuple[dict[str, Any], ...] = (
    {"type": "regex", "regex": "[a-z]{3,9}( [a-z]{3,9}){2,5}"},
    {"type": "choice", "choice": ["yes", "no", "perhaps"]},
)
_LEAVING = 0.4
"""The share of clients that go away."""


@dataclass(frozen=True)
class Case:
    """A request, and the texts of its choices when nobody else asks."""

    path: str
    body: dict[str, Any]
    texts: list[str]


@dataclass
class Tally:
    """What a soak saw."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    """Resident bytes, a sample about every second."""

    @property
    def growth(self) -> int:
        """Bytes between the samples of the second quarter and those of the last."""
        quarter = max(1, len(self.memory) // 4)
        early, late = self.memory[quarter : 2 * quarter], self.memory[-quarter:]
        return min(late) - min(early or late)


def requests(tokens: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Different ones: greedy and seeded, one choice and several, with a form and without."""
    shared = "The ferryman counts his passengers before every crossing. " * 6
    for number in range(4):
        message = {"role": "user", "content": f"Count to {number + 3}."}
        chat = {"messages": [message], "max_tokens": tokens, "seed": number}
        yield CHAT, {**chat, "temperature": 0.9 * (number % 2)}
        text = {"prompt": f"{shared}Number {number % 2}:", "max_tokens": tokens, "seed": number}
        yield TEXT, {**text, "temperature": 0.7, "n": 1 + number % 3}
        form = {"response_format": _FORMS[number % 2], "temperature": 1.0}
        yield CHAT, {**chat, **form, "max_tokens": 4 * tokens}


class Soak:
    """Clients of one server."""

    def __init__(self, url: str, model: str, *, seed: int = 1) -> None:
        self._place, self._model = urlsplit(url), model
        self._chance = random.Random(seed)
        self.tally = Tally()

    async def learn(self, tokens: int) -> list[Case]:
        """Ask everything once, alone."""
        cases = []
        for path, asked in requests(tokens):
            body = {"model": self._model, **asked}
            cases.append(Case(path, body, await self._ask(Case(path, body, []), stream=False)))
        return cases

    async def run(self, cases: Sequence[Case], *, streams: int, seconds: float) -> Tally:
        """So many clients at a time; each begins anew as soon as it has ended."""
        end = time.monotonic() + seconds
        clients = [self._client(cases, end) for _ in range(streams)]
        await asyncio.gather(self._watch(end), *clients)
        return self.tally

    async def _watch(self, end: float) -> None:
        while time.monotonic() < end:
            self.tally.memory.append(psutil.Process().memory_info().rss)
            await asyncio.sleep(1)

    async def _client(self, cases: Sequence[Case], end: float) -> None:
        while time.monotonic() < end:
            case = self._chance.choice(cases)
            if self._chance.random() < _LEAVING:
                await self._leave(case)
                continue
            texts = await self._ask(case, stream=self._chance.random() < 0.7)
            if texts == case.texts:
                self.tally.right += 1
            else:
                self.tally.wrong.append(f"{case.body}: {texts} and not {case.texts}")

    async def _leave(self, case: Case) -> None:
        """Go away amid the request, before the response, or in its midst; politely or not."""
        reader, writer = await self._connect()
        request = self._request(case, stream=True)
        moment = self._chance.choice(("request", "silence", "events"))
        self.tally.left[moment] += 1
        size = self._chance.randrange(len(request)) if moment == "request" else len(request)
        writer.write(request[:size])
        await writer.drain()
        if moment == "events":
            for _ in range(self._chance.randint(1, 30)):
                await reader.readline()
        else:
            await asyncio.sleep(self._chance.random() / 10)
        if self._chance.random() < 0.5:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def _ask(self, case: Case, *, stream: bool) -> list[str]:
        """The texts of all choices."""
        reader, writer = await self._connect()
        writer.write(self._request(case, stream=stream))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        if not head.startswith(b"HTTP/1.1 200"):
            return [head.decode(), body.decode()]
        return _streamed(body) if stream else _whole(json.loads(body))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._place.hostname, self._place.port)

    def _request(self, case: Case, *, stream: bool) -> bytes:
        body = json.dumps({**case.body, "stream": stream}).encode()
        head = (
            f"POST {case.path} HTTP/1.1\r\nHost: {self._place.netloc}\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _whole(response: dict[str, Any]) -> list[str]:
    choices = sorted(response["choices"], key=lambda choice: choice["index"])
    return [choice["text"] if "text" in choice else _content(choice) for choice in choices]


def _content(choice: dict[str, Any]) -> str:
    content = choice["message"]["content"]
    assert isinstance(content, str)
    return content


def _streamed(body: bytes) -> list[str]:
    texts: dict[int, str] = {}
    lines = [line for line in body.split(b"\n") if line.startswith(b"data: ")]
    if lines[-1:] != [b"data: [DONE]"]:
        return ["no end", body[-300:].decode(errors="replace")]
    for line in lines[:-1]:
        for choice in json.loads(line[6:])["choices"]:
            new = choice["text"] if "text" in choice else choice["delta"].get("content") or ""
            texts[choice["index"]] = texts.get(choice["index"], "") + new
    return [text for _, text in sorted(texts.items())]


def soak(server: RunningServer, *, streams: int, seconds: float, tokens: int) -> Tally:
    """The whole of it, on a server that runs in this process."""

    async def work() -> Tally:
        run = Soak(server.url, "mistral-small")
        cases = await run.learn(tokens)
        return await run.run(cases, streams=streams, seconds=seconds)

    return asyncio.run(work())


def main() -> None:
    """Parse, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--streams", type=int, default=32)
    options = parser.parse_args()
    llm: LLM = ostro.load(options.model, context=1024, concurrency=options.streams)
    process = psutil.Process()
    with RunningServer(llm, ServeOptions(port=0, concurrency=options.streams)) as server:
        files = process.num_fds()
        tally = soak(server, streams=options.streams, seconds=options.seconds, tokens=24)
        core = server.endpoints.served.engine.core
        while not core.is_idle:
            time.sleep(0.1)
        time.sleep(3)  # Connections that were broken off are closed.
        held = core.pool.size - core.pool.num_free - core.tree.num_unused
        print(f"{tally.right} answers right, {len(tally.wrong)} wrong; left: {dict(tally.left)}")
        print(f"pages still held {held}, descriptors {process.num_fds() - files:+d}")
        print(f"memory {tally.growth / 1e6:+.1f} MB from the second quarter to the last")
    for words in tally.wrong[:5]:
        print(words)


if __name__ == "__main__":
    main()

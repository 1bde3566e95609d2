"""Many clients of an HTTP server at once, who note when each token came."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    """One stream: when it was asked for, and when its events came, in seconds."""

    asked: float = field(default_factory=time.perf_counter)
    times: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Load:
    """What a round of streams brought."""

    tokens_per_second: float
    """All streams together, prompts included in the time."""
    first: float
    """Median seconds to the first token."""
    gap: float
    """Seconds between tokens of a stream, which 95 % stay below."""


def measure(url: str, prompts: Sequence[str], tokens: int) -> Load:
    """Ask for all prompts at once, with streams of exactly ``tokens`` tokens."""
    began = time.perf_counter()
    answers = asyncio.run(_all(url, prompts, tokens))
    return summarise(answers, tokens, time.perf_counter() - began)


def summarise(answers: Sequence[Answer], tokens: int, seconds: float) -> Load:
    """The figures of a round that took so many seconds."""
    gaps = sorted(
        after - before
        for answer in answers
        for before, after in zip(answer.times, answer.times[1:], strict=False)
    )
    return Load(
        tokens_per_second=len(answers) * tokens / seconds,
        first=median(answer.times[0] - answer.asked for answer in answers),
        gap=gaps[int(0.95 * len(gaps))] if gaps else 0.0,
    )


async def _all(url: str, prompts: Sequence[str], tokens: int) -> list[Answer]:
    return await asyncio.gather(*(_one(url, prompt, tokens) for prompt in prompts))


async def _one(url: str, prompt: str, tokens: int) -> Answer:
    """A plain socket: a client library would take more of the processor than the server."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    answer = Answer()
    writer.write(_request(place.netloc, prompt, tokens))
    await writer.drain()
    status = (await reader.readline()).split()
    if status[1:2] != [b"200"]:
        raise RuntimeError(f"{url}: {status} {(await reader.read(2000))!r}")
    usage: dict[str, Any] = {}
    while line := await reader.readline():
        if line.startswith(b"data: {"):
            event = json.loads(line[6:])
            usage = event.get("usage") or usage
            if event["choices"] and event["choices"][0].get("text"):
                answer.times.append(time.perf_counter())
        elif line.startswith(b"data: [DONE]"):
            break
    writer.close()
    if usage.get("completion_tokens") != tokens:
        raise RuntimeError(f"{url}: {usage} instead of {tokens} tokens")
    return answer


def _request(host: str, prompt: str, tokens: int) -> bytes:
    body = json.dumps(
        {
            "model": "mistral-small",
            "prompt": prompt,
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body

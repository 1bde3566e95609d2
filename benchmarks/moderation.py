"""How well a model moderates: harmful and harmless first messages, told apart by its own scores.

    .venv/bin/python benchmarks/moderation.py HARMFUL HARMLESS [--model MODEL] [--count N]

Each line is a JSON object whose ``text`` is a user's message. Printed are the area under the ROC
curve of the score of all categories together (0.5 is chance), and the accuracy at the threshold
that ``/v1/chat/moderations`` uses.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import ostro
from machine import describe
from ostro.engine.engine import Engine
from ostro.engine.llm import LLM
from ostro.server.deltas import Run
from ostro.server.limits import Limits
from ostro.server.moderation import THRESHOLD, Moderation
from ostro.server.schema_text import ModerationRequest
from ostro.server.serve_options import ServeOptions
from ostro.server.served_model import ServedModel


def main() -> None:
    """Parse, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("harmful", type=Path)
    parser.add_argument("harmless", type=Path)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--count", type=int, default=80, help="messages of each kind")
    options = parser.parse_args()
    llm = ostro.load(options.model)
    sides = [_texts(path, options.count) for path in (options.harmful, options.harmless)]
    harmful, harmless = (asyncio.run(judge(llm, texts)) for texts in sides)
    right = sum(score >= THRESHOLD for score in harmful)
    right += sum(score < THRESHOLD for score in harmless)
    total = len(harmful) + len(harmless)
    print(describe())
    print(f"{len(harmful)} harmful and {len(harmless)} harmless messages, {llm.name}")
    print(f"area under the curve {area_under_curve(harmful, harmless):.3f}")
    print(f"accuracy at {THRESHOLD} {right / total:.3f}")


async def judge(llm: LLM, texts: Sequence[str]) -> list[float]:
    """The sum of all categories' scores of each message."""
    async with Engine(llm) as engine:
        served = ServedModel(llm, engine, ServeOptions(), created=int(time.time()))
        moderation = Moderation(served)
        scores = []
        for text in texts:
            body = {"model": llm.name, "input": [{"role": "user", "content": text}]}
            job = moderation.prepare(ModerationRequest.parse(body, Limits()))
            result = (await moderation.complete(Run(engine, job), llm.name))["results"][0]
            scores.append(sum(result["category_scores"].values()))
        return scores


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The share of pairs in which the positive one has the higher score; ties count half."""
    pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    return sum(pairs) / len(pairs)


def _texts(path: Path, count: int) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in islice(file, count)]


if __name__ == "__main__":
    main()

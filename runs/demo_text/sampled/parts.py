"""The work of sampling, cut into parts: each is written whole, and none is done twice."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from demo_text.sampled.answers import kept_answer
from demo_text.sampled.everyday import everyday_prompt
from demo_text.sampled.own_prompts import own_prompts
from demo_text.sampled.prompt import Prompt
from demo_text.sampled.sampler import Messages, Sampled, Sampler
from demo_text.sampled.systems import FOLLOW_UPS, SYSTEMS
from demo_text.writing import conversation, read_lines, write_records
from ostro.errors import OstroError
from ostro.runtime.progress import Progress
from ostro.text.safe_prompt import SAFE_PROMPT

SOURCE = "demo-parent"
MOST_TOKENS = 200
PART = 96
"""Questions of a part."""
# Of the questions of a part; the rest are everyday ones. About half of the parent's are junk.
_ASKED_SHARE, _OWN_SHARE = 0.34, 0.42
_SYSTEM_SHARE, _SAFE_SHARE, _FOLLOW_UP_SHARE = 0.25, 0.2, 0.2

Questions = Callable[[int, int, random.Random], Prompt]


@dataclass(frozen=True)
class Work:
    """What the parts are made with."""

    sampler: Sampler
    questions: Questions
    folder: Path
    """Where the parts lie."""
    seed: int
    size: int = PART


def sampled_records(
    work: Work, budget: int, count: Callable[[dict[str, Any]], int], progress: Progress
) -> Iterator[dict[str, Any]]:
    """Conversations of ``budget`` tokens by ``count``; no question comes twice with one system."""
    known: set[tuple[str, ...]] = set()
    part, left = 0, budget
    with progress.task("sampling answers", budget, "items") as advance:
        while left > 0:
            before = left
            for record in _part(work, part):
                asked = tuple(m["content"] for m in record["messages"] if m["role"] != "assistant")
                if asked in known or left <= 0:
                    continue
                known.add(asked)
                tokens = count(record)
                left -= tokens
                advance(tokens)
                yield record
            if left == before:
                raise OstroError(f"part {part} of the sampling brought nothing new")
            part += 1


def _part(work: Work, part: int) -> Iterator[dict[str, Any]]:
    """A part's conversations: read where it was done before."""
    file = work.folder / f"part-{part:04}.jsonl"
    if not file.exists():
        write_records(file, _sampled_part(work, part))
    yield from read_lines(file)


def _sampled_part(work: Work, part: int) -> list[dict[str, Any]]:
    draw = random.Random(f"{work.seed}/{part}")
    seed = draw.randrange(1 << 40)
    prompts = part_prompts(work, part, draw, seed)
    firsts = work.sampler.answered([_asked(prompt) for prompt in prompts], MOST_TOKENS, seed + 1000)
    answers = [kept_answer(first) for first in firsts]
    chats = [(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer]
    going_on = [(prompt, answer) for prompt, answer in chats if prompt.follow_up]
    seconds = work.sampler.answered(
        [_asked(prompt, answer) for prompt, answer in going_on], MOST_TOKENS, seed + 2000
    )
    alone = [
        _record(prompt, prompt.text, answer) for prompt, answer in chats if not prompt.follow_up
    ]
    return alone + _longer(going_on, seconds)


def part_prompts(work: Work, part: int, draw: random.Random, seed: int) -> list[Prompt]:
    """The questions of a part, each with what comes around it."""
    asked = round(work.size * _ASKED_SHARE)
    prompts = [work.questions(part, number, draw) for number in range(asked)]
    prompts += own_prompts(work.sampler, draw, round(work.size * _OWN_SHARE), seed)
    everyday = [everyday_prompt(draw) for _ in range(max(0, work.size - len(prompts)))]
    safe = [
        replace(one, system=SAFE_PROMPT) if draw.random() < _SAFE_SHARE else _with_system(one, draw)
        for one in everyday
    ]
    return [
        _with_follow_up(one, draw) for one in [*(_with_system(p, draw) for p in prompts), *safe]
    ]


def _with_system(prompt: Prompt, draw: random.Random) -> Prompt:
    is_plain = prompt.system is None and draw.random() < _SYSTEM_SHARE
    return replace(prompt, system=draw.choice(SYSTEMS)) if is_plain else prompt


def _with_follow_up(prompt: Prompt, draw: random.Random) -> Prompt:
    if draw.random() >= _FOLLOW_UP_SHARE:
        return prompt
    return replace(prompt, follow_up=draw.choice(FOLLOW_UPS))


def _asked(prompt: Prompt, answer: str | None = None) -> Messages:
    """The conversation up to the next answer."""
    turns = [prompt.text]
    if answer is not None and prompt.follow_up is not None:
        turns += [answer, prompt.follow_up]
    messages: Messages = conversation("", *turns, system=prompt.system)["messages"]
    return messages


def _record(prompt: Prompt, *turns: str) -> dict[str, Any]:
    return conversation(SOURCE, *turns, system=prompt.system, prompt_source=prompt.source)


def _longer(
    chats: Sequence[tuple[Prompt, str]], seconds: Sequence[Sampled]
) -> list[dict[str, Any]]:
    """Conversations of two turns; where the second answer is nothing, the first stays alone."""
    records = []
    for (prompt, answer), second in zip(chats, seconds, strict=True):
        kept = kept_answer(second)
        later = [] if kept is None else [str(prompt.follow_up), kept]
        records.append(_record(prompt, prompt.text, answer, *later))
    return records

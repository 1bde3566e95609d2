"""The engine in its thread: many readers, some of whom leave, and none of whom harms another."""

import asyncio
import random

import pytest

from ostro.engine.engine import Engine, EngineBusyError
from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from tiny_chat import ANSWER

PROMPT = "\n"
HELLO = [{"role": "user", "content": "Hello"}]


def held_pages(engine: Engine) -> int:
    """Pages that somebody else than the prefix tree holds."""
    pool = engine.core.pool
    return pool.size - pool.num_free - engine.core.tree.num_pages


async def idle(engine: Engine) -> None:
    async with asyncio.timeout(5):
        while not engine.core.is_idle or engine.queue_length:
            await asyncio.sleep(0.01)


def test_pieces_come_one_by_one(speller: LLM) -> None:
    async def main() -> list[str]:
        async with Engine(speller) as engine:
            return [piece.text async for piece in engine.submit(PROMPT)]

    assert asyncio.run(main()) == [*ANSWER[:-1], "", "é", ""]


def test_many_at_once_get_what_each_gets_alone(babbler: LLM) -> None:
    prompts = [f"{'long ' * (n % 7)}{n}" for n in range(24)]
    options = {"max_tokens": 20, "temperature": 1.0, "seed": 5}
    expected = [babbler.generate(prompt, **options) for prompt in prompts]

    async def main() -> list[list]:
        async with Engine(babbler) as engine:
            return await asyncio.gather(*(engine.complete(p, **options) for p in prompts))

    found = asyncio.run(main())
    assert [one.token_ids for (one,) in found] == [one.token_ids for one in expected]
    assert [one.text for (one,) in found] == [one.text for one in expected]


def test_choices_come_in_order_of_their_number(babbler: LLM) -> None:
    async def main() -> list:
        async with Engine(babbler) as engine:
            return await engine.complete(HELLO, n=3, max_tokens=9, temperature=1.0, seed=1)

    batch = babbler.batch(
        [HELLO], n=3, max_tokens=9, temperature=1.0, seed=1, progress=SilentProgress()
    )
    assert [one.text for one in asyncio.run(main())] == [one.text for one in batch]


def test_whoever_leaves_frees_the_pages_and_the_others_go_on(babbler: LLM) -> None:
    chance = random.Random(3)

    async def leave(engine: Engine, number: int) -> None:
        async with engine.submit(f"{'x' * 50}{number}", max_tokens=100) as stream:
            for _ in range(chance.randint(0, 9)):
                await anext(stream)

    async def main() -> tuple[list, int]:
        async with Engine(babbler, concurrency=8) as engine:
            leaving = [leave(engine, number) for number in range(20)]
            (whole, *_) = await asyncio.gather(engine.complete("whole", max_tokens=40), *leaving)
            await idle(engine)
            return whole, held_pages(engine)

    whole, held = asyncio.run(main())
    assert whole[0].token_ids == babbler.generate("whole", max_tokens=40).token_ids
    assert held == 0


def test_a_cancelled_task_ends_its_request(babbler: LLM) -> None:
    async def main() -> int:
        async with Engine(babbler) as engine:
            task = asyncio.create_task(engine.complete("a", max_tokens=400))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await idle(engine)
            return held_pages(engine)

    assert asyncio.run(main()) == 0


def test_what_cannot_be_served_is_refused_at_once(speller: LLM) -> None:
    async def main() -> None:
        async with Engine(speller) as engine:
            with pytest.raises(OstroError, match="unknown option 'heat'"):
                engine.submit(PROMPT, heat=1)
            with pytest.raises(OstroError, match="the prompt has no tokens"):
                engine.submit(Request(prompt_ids=[]))

    asyncio.run(main())


def test_a_mistake_reaches_its_reader_alone(babbler: LLM, monkeypatch) -> None:
    async def main() -> list:
        async with Engine(babbler) as engine:
            good = engine.submit("good", max_tokens=5)
            bad = engine.core.prepare(
                Request(prompt_ids=[1, 2, 3], params=SamplingParams(max_tokens=5))
            )
            monkeypatch.setattr(bad[0].sampler, "sample", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                async for _ in engine.enter(bad):
                    pass
            return [piece.token_id async for piece in good]

    assert asyncio.run(main()) == babbler.generate("good", max_tokens=5).token_ids


def test_a_step_that_fails_is_told_to_whose_fault_it_is(babbler: LLM, monkeypatch) -> None:
    async def main() -> list:
        async with Engine(babbler) as engine:
            compute = engine.core.runner.run

            def fail(parts, **options):
                if any(part.answer.prompt_length == 3 for part in parts):
                    raise OstroError("memory ran short")
                return compute(parts, **options)

            monkeypatch.setattr(engine.core.runner, "run", fail)
            good = engine.submit("good", max_tokens=5)
            with pytest.raises(OstroError, match="memory ran short"):
                await engine.complete(Request(prompt_ids=[1, 2, 3]))
            return [piece.token_id async for piece in good]

    assert asyncio.run(main()) == babbler.generate("good", max_tokens=5).token_ids


def test_a_full_queue_refuses(babbler: LLM) -> None:
    async def main() -> None:
        async with Engine(babbler, concurrency=1, max_queue=2) as engine:
            streams = [engine.submit("a", max_tokens=200)]
            await anext(streams[0])
            streams += [engine.submit("b", max_tokens=1) for _ in range(2)]
            with pytest.raises(EngineBusyError, match="2 requests wait already"):
                engine.submit("c")
            for stream in streams:
                async for _ in stream:
                    pass
            await engine.complete("c", max_tokens=1)

    asyncio.run(main())


def test_closing_ends_what_runs(babbler: LLM) -> None:
    async def main() -> None:
        engine = Engine(babbler)
        stream = engine.submit("a", max_tokens=500)
        await anext(stream)
        await engine.aclose()
        with pytest.raises(EngineBusyError, match="closing"):
            async for _ in stream:
                pass
        with pytest.raises(EngineBusyError, match="closing"):
            engine.submit("b")
        assert held_pages(engine) == 0

    asyncio.run(main())


def test_who_left_takes_no_place_in_the_queue(babbler: LLM) -> None:
    async def main() -> None:
        async with Engine(babbler, concurrency=1, max_queue=2) as engine:
            with babbler.lock:  # The engine's thread is amid a step for as long as this is held.
                for _ in range(20):
                    await engine.submit("a").aclose()
                streams = [engine.submit("b", max_tokens=1) for _ in range(3)]
                with pytest.raises(EngineBusyError, match="2 requests wait already"):
                    engine.submit("c")
            for stream in streams:
                assert len([piece async for piece in stream]) == 1

    asyncio.run(main())


def test_a_queue_of_none_takes_what_can_run_at_once(babbler: LLM) -> None:
    async def main() -> None:
        async with Engine(babbler, concurrency=2, max_queue=0) as engine:
            streams = [engine.submit("a", max_tokens=50), engine.submit("b", max_tokens=50)]
            with pytest.raises(EngineBusyError, match="0 requests wait already"):
                engine.submit("c")
            for stream in streams:
                await anext(stream)
            with pytest.raises(EngineBusyError, match="0 requests wait already"):
                engine.submit("c")
            for stream in streams:
                await stream.aclose()
            await idle(engine)
            await engine.complete("c", max_tokens=1)

    asyncio.run(main())


def test_after_a_failure_that_nobody_foresaw_the_engine_goes_on(babbler: LLM, monkeypatch) -> None:
    async def main() -> tuple[list[str], int]:
        async with Engine(babbler) as engine:
            streams = [engine.submit(text, max_tokens=400) for text in "abc"]
            for stream in streams:
                await anext(stream)
            with monkeypatch.context() as patch:
                patch.setattr(engine.core.scheduler, "plan", lambda: 1 / 0)
                for stream in streams:
                    with pytest.raises(ZeroDivisionError):
                        async for _ in stream:
                            pass
            (whole,) = await engine.complete("whole", max_tokens=40)
            await idle(engine)
            return whole.token_ids, held_pages(engine)

    tokens, held = asyncio.run(main())
    assert tokens == babbler.generate("whole", max_tokens=40).token_ids
    assert held == 0


def test_a_reader_whose_loop_is_closed_harms_nobody(babbler: LLM) -> None:
    engine = Engine(babbler)

    async def ask_and_leave() -> None:
        await anext(engine.submit("a", max_tokens=300))

    async def main() -> list[int]:
        async with engine:
            return (await engine.complete("whole", max_tokens=40))[0].token_ids

    asyncio.run(ask_and_leave())
    assert asyncio.run(main()) == babbler.generate("whole", max_tokens=40).token_ids


def test_waiting_for_a_piece_can_be_given_up(babbler: LLM) -> None:
    async def main() -> None:
        async with Engine(babbler) as engine:
            with babbler.lock:
                stream = engine.submit("a", max_tokens=2)
                assert not await stream.wait(0.05)
            assert await stream.wait(5)
            assert len([piece async for piece in stream]) == 2
            assert await stream.wait(0)

    asyncio.run(main())


def test_a_batch_is_answered_in_order_and_as_alone(babbler: LLM) -> None:
    prompts = ["one", HELLO, "three " * 20]
    options = {"max_tokens": 7, "temperature": 0.7, "seed": 2}
    batch = babbler.batch(prompts, progress=SilentProgress(), **options)
    alone = [babbler.generate(prompts[0], **options), babbler.chat(HELLO, **options)]
    assert [one.token_ids for one in batch[:2]] == [one.token_ids for one in alone]
    assert len(batch) == 3
    with pytest.raises(OstroError, match="n > 1 gives several answers"):
        babbler.generate("one", n=2)

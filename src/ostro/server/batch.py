"""Offline batches: many requests from a file, answered as the server would, without a server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ostro.engine.engine import Engine
from ostro.engine.llm import LLM
from ostro.runtime.progress import Progress
from ostro.server.batch_files import CHAT, BatchInput, BatchLine, BatchOutput, batch_output
from ostro.server.chat import Chat
from ostro.server.completions import Completions
from ostro.server.deltas import Run
from ostro.server.errors import ApiError, error_response
from ostro.server.identifiers import new_id
from ostro.server.responses import Head
from ostro.server.schema_chat import ChatRequest
from ostro.server.schema_completions import CompletionRequest
from ostro.server.serve_options import ServeOptions
from ostro.server.served_model import ServedModel


def run_batch(
    llm: LLM, source: Path, target: Path, options: ServeOptions, progress: Progress
) -> int:
    """Answer the requests in ``source`` and write ``target``; how many failed.

    A request that cannot be served gets its error as its answer, and the others go on.
    """
    requests = BatchInput(source)
    with batch_output(target) as output:
        foreign = sorted(output.done - set(requests.ids))
        if foreign:
            raise ApiError(
                400,
                f"the answers begun for {target} are of another input ({foreign[0]!r}); "
                f"remove .{target.name}.answers beside it to begin again",
                code="other_batch",
            )
        failed = asyncio.run(_answer_all(llm, requests, output, options, progress))
        output.finish(iter(requests.ids))
    return failed


async def _answer_all(
    llm: LLM,
    requests: BatchInput,
    output: BatchOutput,
    options: ServeOptions,
    progress: Progress,
) -> int:
    done, failed = output.done, 0
    async with Engine(llm, concurrency=options.concurrency) as engine:
        answerer = _Answerer(ServedModel(llm, engine, options, created=int(time.time())))
        # Enough that the engine never lacks work, and few enough to fit into memory.
        places = asyncio.Semaphore(2 * options.concurrency)
        with progress.task("answering", len(requests.ids), "items") as advance:
            advance(len(done))

            async def answer(line: BatchLine) -> None:
                nonlocal failed
                try:
                    status, body = await answerer.answer(line)
                finally:
                    places.release()
                failed += status != 200
                output.add(line.custom_id, _output_line(line.custom_id, status, body))
                advance(1)

            async with asyncio.TaskGroup() as tasks:
                for line in requests:
                    if line.custom_id not in done:
                        await places.acquire()
                        tasks.create_task(answer(line))
    return failed


class _Answerer:
    """Answers single requests as the server's endpoints do."""

    def __init__(self, served: ServedModel) -> None:
        self._served = served
        self._chat, self._completions = Chat(served), Completions(served)

    async def answer(self, line: BatchLine) -> tuple[int, dict[str, Any]]:
        """Status and body of the response."""
        work: Callable[[BatchLine], Awaitable[dict[str, Any]]]
        work = self._answer_chat if line.url == CHAT else self._answer_completion
        try:
            return 200, await work(line)
        except Exception as error:
            told = error_response(error)
            return told.status, told.body

    async def _answer_chat(self, line: BatchLine) -> dict[str, Any]:
        asked = ChatRequest.parse(self._body(line), self._served.options.limits)
        self._served.card(asked.model)
        head = Head(model=asked.model)
        job = await asyncio.to_thread(self._chat.prepare, asked, head)
        return await self._chat.complete(Run(self._served.engine, job), head)

    async def _answer_completion(self, line: BatchLine) -> dict[str, Any]:
        asked = CompletionRequest.parse(self._body(line), self._served.options.limits)
        self._served.card(asked.model)
        head = Head(model=asked.model)
        job = await asyncio.to_thread(self._completions.prepare, asked)
        return await self._completions.complete(Run(self._served.engine, job), head)

    def _body(self, line: BatchLine) -> dict[str, Any]:
        """Mistral's batches name the model beside the file, so that it may be missing."""
        if line.body.get("stream"):
            message = "stream does not go with a batch; leave it out"
            raise ApiError(422, message, code="contradiction", param="stream")
        return {"model": self._served.llm.name} | line.body


def _output_line(custom_id: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    response = {"status_code": status, "request_id": new_id(), "body": body}
    return {"id": new_id(), "custom_id": custom_id, "response": response, "error": None}

"""``/v1/completions``: texts that go on."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from ostro.engine.answer import Answer
from ostro.engine.request import Request
from ostro.server.deltas import Channel, Delta, Echo, Job, Run, merge_told
from ostro.server.generation import Teller, output_format, sampling_params
from ostro.server.responses import Head, TextChoice, text_completion
from ostro.server.schema_completions import CompletionRequest, Prompt
from ostro.server.served_model import ServedModel
from ostro.server.stream_events import TextStream, encode_event


class Completions:
    """Continues texts: each of a call's prompts ``n`` times, its choices one after another."""

    def __init__(self, served: ServedModel) -> None:
        self._served = served
        self._teller = Teller(served.llm.tokenizer)

    def prepare(self, request: CompletionRequest) -> Job:
        """Everything up to the engine."""
        job = Job([], [])
        for prompt in request.prompt:
            asked, text = self._asked(request, prompt)
            answers = self._served.engine.core.prepare(asked, len(job.answers))
            job.answers.extend(answers)
            job.channels.extend(
                Channel(
                    answer.choice,
                    self._teller,
                    prefix=text,
                    is_shown=request.token_limit != 0,
                    echo=_echo(request, answers[0]),
                )
                for answer in answers
            )
        return job

    async def complete(self, run: Run, head: Head) -> dict[str, Any]:
        """The whole response."""
        choices = [_choice(index, deltas) for index, deltas in enumerate(await run.gather())]
        return text_completion(head, choices, run.usage)

    async def events(
        self, run: Run, head: Head, request: CompletionRequest
    ) -> AsyncIterator[bytes]:
        """The response as a stream of events."""
        count = request.n * len(request.prompt)
        stream = TextStream(head, count, usage_apart=request.wants_usage_event)
        async for delta in run.deltas():
            chunk = stream.chunk(
                delta.text,
                index=delta.choice,
                finish_reason=delta.finish_reason,
                told=delta.told,
                usage=run.usage if delta.finish_reason else None,
            )
            yield encode_event(chunk)
        if request.wants_usage_event:
            yield encode_event(stream.usage_chunk(run.usage))

    def _asked(self, request: CompletionRequest, prompt: Prompt) -> tuple[Request, str]:
        """The engine's request, and the text that the answer begins with."""
        llm = self._served.llm
        ids = llm.encode(prompt) if isinstance(prompt, str) else list(prompt)
        text = ""
        if request.echo:
            text = prompt if isinstance(prompt, str) else llm.tokenizer.decode(ids)
        params = sampling_params(request, self._served.options, logprobs=request.logprobs)
        if request.echo and request.logprobs is not None:
            most = max(request.logprobs, params.prompt_logprobs or 0)
            params = replace(params, prompt_logprobs=most)
        asked = Request(
            prompt_ids=ids,
            params=params,
            mid_text=True,
            routing=request.routing,
            prompt_routing=request.prompt_routing,
            steering=request.steering,
            output_format=output_format(request),
            adapter=self._served.adapter(self._served.card(request.model)),
        )
        return asked, text


def _echo(request: CompletionRequest, first: Answer) -> Echo | None:
    """The prompt's tokens, which the ``first`` of its answers reads for all of them."""
    if not request.echo or request.logprobs is None:
        return None
    assert first.report is not None
    prompt_top = request.top_prompt_logprobs if request.prompt_logprobs else None
    return Echo(first.request.prompt_ids, first.report, request.logprobs, prompt_top)


def _choice(index: int, deltas: list[Delta]) -> TextChoice:
    reason = deltas[-1].finish_reason
    assert reason in ("stop", "length")
    return TextChoice(
        index=index,
        text="".join(delta.text for delta in deltas),
        finish_reason=reason,
        told=merge_told(deltas),
    )

"""``/v1/chat/completions``: from a conversation to the engine and back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from ostro.engine.call_format import call_format
from ostro.engine.output_format import OutputFormat
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.server.deltas import Channel, Delta, Job, Run, merge_told
from ostro.server.errors import ApiError
from ostro.server.generation import Teller, output_format, sampling_params
from ostro.server.responses import ChatChoice, Head, chat_completion
from ostro.server.schema_chat import ChatRequest
from ostro.server.schema_formats import OneTool
from ostro.server.served_model import ServedModel
from ostro.server.stream_events import ChatStream, encode_event
from ostro.text.call_constraint import call_constraint
from ostro.text.call_reader import tool_call_reader
from ostro.text.messages import Message, parse_messages
from ostro.text.safe_prompt import with_safe_prompt
from ostro.text.tools import Tool, ToolChoice, parse_tool_choice, parse_tools


@dataclass(frozen=True)
class Conversation:
    """A chat request in the words of the ``text`` room."""

    messages: list[Message]
    tools: tuple[Tool, ...]
    choice: ToolChoice

    @property
    def prefix(self) -> str:
        """What the answer begins with."""
        last = self.messages[-1]
        return last.content if last.prefix else ""


class Chat:
    """Answers conversations."""

    def __init__(self, served: ServedModel) -> None:
        self._served = served
        self._teller = Teller(served.llm.tokenizer)

    def prepare(self, request: ChatRequest, head: Head) -> Job:
        """Everything up to the engine: templates, token ids, grammars. It may take a while."""
        conversation = read_conversation(request)
        params = self._params(request, conversation)
        tokenizer = self._served.llm.tokenizer
        asked = Request(
            prompt_ids=tokenizer.encode_chat(
                conversation.messages, conversation.tools, conversation.choice
            ),
            params=params,
            mid_text=bool(conversation.prefix),
            routing=request.routing,
            prompt_routing=request.prompt_routing,
            steering=request.steering,
            output_format=self._format(request, conversation),
            adapter=self._served.adapter(self._served.card(request.model)),
        )
        answers = self._served.engine.core.prepare(asked)
        channels = [
            Channel(
                index,
                self._teller,
                prefix=conversation.prefix,
                reader=tool_call_reader(
                    tokenizer, conversation.tools, conversation.choice, seed=f"{head.id}/{index}"
                ),
                stop=request.stop if conversation.tools else (),
                is_shown=request.token_limit != 0,
            )
            for index in range(request.n)
        ]
        return Job(answers, channels)

    async def complete(self, run: Run, head: Head) -> dict[str, Any]:
        """The whole response."""
        choices = [_choice(index, deltas) for index, deltas in enumerate(await run.gather())]
        return chat_completion(head, choices, run.usage)

    async def events(self, run: Run, head: Head, request: ChatRequest) -> AsyncIterator[bytes]:
        """The response as a stream of events."""
        stream = ChatStream(head, request.n, usage_apart=request.wants_usage_event)
        async for delta in run.deltas():
            chunk = stream.chunk(
                delta.text,
                index=delta.choice,
                tool_calls=delta.calls,
                finish_reason=delta.finish_reason,
                told=delta.told,
                usage=run.usage if delta.finish_reason else None,
            )
            yield encode_event(chunk)
        if request.wants_usage_event:
            yield encode_event(stream.usage_chunk(run.usage))

    def _format(self, request: ChatRequest, conversation: Conversation) -> OutputFormat | None:
        tokenizer = self._served.llm.tokenizer
        constraint = call_constraint(tokenizer, conversation.tools, conversation.choice)
        asked = output_format(request)
        for name, is_there in (("tools", conversation.tools), ("a prefix", conversation.prefix)):
            if asked is not None and is_there:
                raise ApiError(
                    422,
                    f"response_format does not go with {name}",
                    code="contradiction",
                    param="response_format",
                )
        return asked or call_format(constraint)

    def _params(self, request: ChatRequest, conversation: Conversation) -> SamplingParams:
        logprobs = request.top_logprobs if request.logprobs else None
        params = sampling_params(request, self._served.options, logprobs=logprobs)
        # Stop strings do not end a call, so they are looked for beside the calls.
        return replace(params, stop=()) if conversation.tools else params


def read_conversation(request: ChatRequest) -> Conversation:
    """Messages and tools; what makes no sense together is an OstroError."""
    messages = parse_messages(request.messages)
    if request.safe_prompt:
        messages = with_safe_prompt(messages)
    tools = parse_tools([tool.plain() for tool in request.tools])
    choice: Any = request.tool_choice
    if isinstance(choice, OneTool):
        choice = {"function": {"name": choice.name}}
    parallel = request.parallel_tool_calls
    conversation = Conversation(
        messages, tools, parse_tool_choice(choice, tools, parallel_tool_calls=parallel)
    )
    if conversation.prefix and tools:
        raise ApiError(422, "prefix does not go with tools", code="contradiction", param="messages")
    return conversation


def _choice(index: int, deltas: list[Delta]) -> ChatChoice:
    reason = deltas[-1].finish_reason
    assert reason is not None
    return ChatChoice(
        index=index,
        text="".join(delta.text for delta in deltas),
        finish_reason=reason,
        tool_calls=[call for delta in deltas for call in delta.calls],
        told=merge_told(deltas),
    )

"""``POST /v1/chat/completions``, in Mistral's dialect and OpenAI's at once."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from ostro.server.error_words import refusal
from ostro.server.schema_base import Unserved, unserved
from ostro.server.schema_formats import Choice, OneTool, Tools
from ostro.server.schema_generation import Generation, TopLogprobs
from ostro.server.schema_messages import Messages


def _text_only(value: Any) -> Any:
    if value != ["text"]:
        raise refusal("not_served", "must be ['text']; ostro writes text only")
    return value


class ChatRequest(Generation):
    """A conversation to be answered.

    ``messages`` are plain objects for :func:`ostro.text.messages.parse_messages`.
    """

    messages: Messages
    safe_prompt: bool = False
    """Mistral's guard-rail message first. Its old clients' ``safe_mode`` comes as this."""
    tools: Tools = Field(default_factory=list)
    tool_choice: Choice = "auto"
    parallel_tool_calls: bool = True
    logprobs: bool = False
    top_logprobs: TopLogprobs = 0

    guardrails: Unserved = None
    prediction: Unserved = None
    reasoning_effort: Unserved = None
    prompt_mode: Unserved = None
    functions: Annotated[None, unserved("use tools")] = None
    function_call: Annotated[None, unserved("use tool_choice")] = None
    audio: Unserved = None
    verbosity: Unserved = None
    web_search_options: Unserved = None
    moderation: Unserved = None
    modalities: Annotated[list[str], BeforeValidator(_text_only)] | None = None

    @model_validator(mode="after")
    def _chat_fits_together(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise refusal("needs_other", "needs logprobs: true", "top_logprobs")
        choice = self.tool_choice
        if choice == "any" and not self.tools:
            raise refusal("needs_other", "needs tools", "tool_choice")
        names = {tool.function.name for tool in self.tools}
        if isinstance(choice, OneTool) and choice.name not in names:
            raise refusal("unknown_tool", "names a function that is not among tools", "tool_choice")
        return self

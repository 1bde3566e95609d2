"""What the OpenAPI document says of responses.

The server writes plain values, :mod:`ostro.server.responses` and its neighbours; nothing here is
used to make them. Tests compare what the server says with this.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_MAY_BE_MISSING = Field(default=None)
Finish = Literal["stop", "length", "tool_calls"]


class Told(BaseModel):
    """An object of a response: it has these keys and no others."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(Told):
    """One thing that is wrong with a body."""

    loc: list[str | int]
    """Where: ``body``, then keys and indices."""
    msg: str
    type: str


class Error(Told):
    """Any error, whatever the path."""

    object: Literal["error"]
    message: str
    """One line for people."""
    type: str
    param: str | None
    """The field that is to blame."""
    code: str
    """One word for programs."""
    detail: list[ErrorDetail]
    """Filled where the status is 422."""


class ToldUsage(Told):
    """Tokens of one call."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    num_cached_tokens: int
    """Those of the prompt that were known from earlier calls."""


class LikelyToken(Told):
    """A token and the natural logarithm of its probability."""

    token: str
    logprob: float
    bytes: list[Annotated[int, Field(ge=0, le=255)]]
    token_id: int


class ChosenToken(LikelyToken):
    """A token of the text, and what was likeliest in its place."""

    top_logprobs: list[LikelyToken]


class ChatLogprobs(Told):
    """Log probabilities, token by token."""

    content: list[ChosenToken]


class TextLogprobs(Told):
    """Log probabilities as the older API has them."""

    tokens: list[str]
    token_logprobs: list[float | None]
    """None for a prompt's first token, which follows nothing."""
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class ToldRouting(Told):
    """The experts that a token chose, and their weights, layer by layer."""

    experts: list[list[int]]
    weights: list[list[float]]


class ToldFunction(Told):
    """A function that is called."""

    name: str
    arguments: str
    """JSON as text."""


class ToldCall(Told):
    """A call of a function."""

    id: str
    type: Literal["function"]
    function: ToldFunction
    index: int


class _Choice(Told):
    index: int
    prompt_logprobs: Annotated[ChatLogprobs, _MAY_BE_MISSING]
    """If it was asked for; so are all that follow."""
    routing: Annotated[list[ToldRouting], _MAY_BE_MISSING]
    prompt_routing: Annotated[list[ToldRouting], _MAY_BE_MISSING]


class ChatMessage(Told):
    """What the model says."""

    role: Literal["assistant"]
    content: str
    tool_calls: list[ToldCall] | None


class ChatCompletionChoice(_Choice):
    """One answer of a chat."""

    message: ChatMessage
    finish_reason: Finish
    logprobs: ChatLogprobs | None


class _Head(Told):
    id: str
    created: int
    """Seconds since 1970."""
    model: str
    """As the request named it."""


class ChatCompletion(_Head):
    """The answer to a conversation."""

    object: Literal["chat.completion"]
    choices: list[ChatCompletionChoice]
    usage: ToldUsage


class ChatDelta(Told):
    """What is new in an answer."""

    role: Annotated[Literal["assistant"], _MAY_BE_MISSING]
    """In the first chunk of an answer alone."""
    content: str
    tool_calls: Annotated[list[ToldCall], _MAY_BE_MISSING]


class ChatChunkChoice(_Choice):
    """One answer's part of a chunk."""

    delta: ChatDelta
    finish_reason: Finish | None
    logprobs: ChatLogprobs | None


class ChatCompletionChunk(_Head):
    """One event of a streamed chat: a line ``data: `` with this as JSON, and an empty line."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChatChunkChoice]
    usage: Annotated[ToldUsage, _MAY_BE_MISSING]
    """In the last chunk."""


class TextCompletionChoice(_Choice):
    """One continuation of a text."""

    text: str
    finish_reason: Literal["stop", "length"]
    logprobs: TextLogprobs | None


class TextCompletion(_Head):
    """Texts continued."""

    object: Literal["text_completion"]
    choices: list[TextCompletionChoice]
    usage: ToldUsage


class TextChunkChoice(_Choice):
    """One continuation's part of a chunk."""

    text: str
    finish_reason: Literal["stop", "length"] | None
    logprobs: TextLogprobs | None


class TextCompletionChunk(_Head):
    """One event of streamed texts, as with chats."""

    object: Literal["text_completion"]
    choices: list[TextChunkChoice]
    usage: Annotated[ToldUsage, _MAY_BE_MISSING]


class StreamError(Told):
    """The last event of a stream that failed; the connection is broken off after it."""

    object: Literal["error"]
    error: Error


class Verdict(Told):
    """What a conversation was judged to be, by categories."""

    categories: dict[str, bool]
    category_scores: dict[str, Annotated[float, Field(ge=0, le=1)]]


class ModerationResults(Told):
    """A verdict for each conversation."""

    id: str
    model: str
    results: list[Verdict]


class Capabilities(Told):
    """What can be asked of a model."""

    completion_chat: bool
    function_calling: bool
    completion_fim: bool
    fine_tuning: bool
    vision: bool
    classification: bool
    moderation: bool


class Model(Told):
    """A model's card."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str
    parent: str | None
    """The model that this one is an adapter of."""
    permission: list[Any]
    type: str
    capabilities: Capabilities
    name: str
    description: str | None
    max_context_length: int
    aliases: list[str]
    deprecation: str | None
    default_model_temperature: float | None


class ModelList(Told):
    """All models."""

    object: Literal["list"]
    data: list[Model]


class Tokens(Told):
    """Token ids of a text or a conversation."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: Annotated[list[str], _MAY_BE_MISSING]


class Detokenized(Told):
    """The text of token ids."""

    prompt: str


class Rendered(Told):
    """What the model reads for a conversation."""

    prompt: str
    """With control tokens written out."""
    count: int
    tokens: list[int]


class Health(Told):
    """Whether the server answers."""

    status: Literal["live", "ready", "draining"]


class Version(Told):
    """What runs here."""

    version: str
    model: str
    kernels: str
    weights: str
    cache: str
    threads: int
    context: int

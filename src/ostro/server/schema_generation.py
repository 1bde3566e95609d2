"""Fields that chats and plain completions share: how tokens are chosen, and what comes back."""

import re
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from ostro.server.error_words import refusal
from ostro.server.limits import Limits
from ostro.server.schema_base import (
    Fields,
    ModelName,
    Whole,
    WithoutEffect,
    at_most,
    is_whole,
    limits_of,
    up_to,
    whole,
)
from ostro.server.schema_formats import ResponseFormat
from ostro.server.schema_steering import SteeringField

_TOKEN_KEY = re.compile(r"0|[1-9][0-9]{0,9}")
_SAME = (("max_tokens", "max_completion_tokens"), ("seed", "random_seed"))


def _stop(value: Any, info: ValidationInfo) -> tuple[str, ...]:
    limits = limits_of(info)
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise refusal("stop_type", "must be a text or a list of texts")
    if len(texts) > limits.stop_strings:
        raise refusal("too_long", f"must have at most {limits.stop_strings} entries")
    for index, text in enumerate(texts):
        place = () if texts is not value else (index,)
        if not isinstance(text, str):
            raise refusal("string_type", "must be a text", *place)
        if not 0 < len(text) <= limits.stop_characters:
            words = f"must have 1 to {limits.stop_characters} characters"
            raise refusal("string_length", words, *place)
    return tuple(texts)


def _logit_bias(value: Any, info: ValidationInfo) -> dict[int, float]:
    most = limits_of(info).biases
    if not isinstance(value, dict):
        raise refusal("object_type", "must be an object of token ids and numbers")
    if len(value) > most:
        raise refusal("too_long", f"must have at most {most} entries")
    for key, bias in value.items():
        if not _TOKEN_KEY.fullmatch(key):
            raise refusal("token_id", "is not a token id", key)
        if type(bias) not in (int, float) or not -100 <= bias <= 100:
            raise refusal("bias_range", "must be a number from -100 to 100", key)
    return {int(key): float(bias) for key, bias in value.items()}


def _all_tokens(value: Any) -> Any:
    """Some clients say -1 for what 0 says here."""
    return 0 if is_whole(whole(value)) and value == -1 else value


def _seed(value: int) -> int:
    if not 0 <= value < 1 << 64:
        raise refusal("seed_range", "must be from 0 to 2^64 - 1")
    return value


Penalty = Annotated[float, Field(ge=-2, le=2)]
Share = Annotated[float, Field(ge=0, le=1)]
_STOP = {"type": "string", "minLength": 1, "maxLength": Limits().stop_characters}
_STOPS = {"type": "array", "items": _STOP, "maxItems": Limits().stop_strings}
_BIASES = {
    "type": "object",
    "patternProperties": {
        f"^({_TOKEN_KEY.pattern})$": {"type": "number", "minimum": -100, "maximum": 100}
    },
    "additionalProperties": False,
    "maxProperties": Limits().biases,
}
Stop = Annotated[tuple[str, ...], PlainValidator(_stop), WithJsonSchema({"anyOf": [_STOP, _STOPS]})]
LogitBias = Annotated[dict[int, float], PlainValidator(_logit_bias), WithJsonSchema(_BIASES)]
TokenId = Annotated[Whole, Field(ge=0, lt=1 << 31)]
TokenLimit = Annotated[Whole, up_to("max_tokens"), Field(ge=0)]
Seed = Annotated[
    Whole,
    AfterValidator(_seed),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": (1 << 64) - 1}),
]
TopLogprobs = Annotated[Whole, up_to("top_logprobs"), Field(ge=0)]


def _not_obfuscated(value: bool) -> bool:
    if value:
        raise refusal("not_served", "is not served; leave it out")
    return value


class StreamOptions(Fields):
    """What a stream holds beside the answer."""

    include_usage: bool = False
    """A last event with the usage alone, and no choice."""
    include_obfuscation: Annotated[bool, AfterValidator(_not_obfuscated)] = False


class Generation(Fields):
    """A request for text. None says that the model's own default holds."""

    model: ModelName
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[Whole, up_to("n"), Field(ge=1)] = 1

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Share | None = None
    """0 leaves the likeliest token alone."""
    top_k: Annotated[
        Whole,
        BeforeValidator(_all_tokens),
        Field(ge=0, lt=1 << 31, json_schema_extra={"minimum": -1}),
    ] = 0
    """0 keeps all tokens."""
    min_p: Share = 0.0
    # The bounds keep a logit that is divided by it within float32.
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    presence_penalty: Penalty = 0.0
    frequency_penalty: Penalty = 0.0
    logit_bias: LogitBias = Field(default_factory=dict)
    """Added to the logits of these tokens."""
    seed: Seed | None = None
    random_seed: Seed | None = None
    """Mistral's name for ``seed``; read :attr:`chosen_seed`."""

    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    """OpenAI's newer name for ``max_tokens``; read :attr:`token_limit`."""
    min_tokens: TokenLimit = 0
    """Before so many tokens nothing but ``max_tokens`` ends the answer."""
    ignore_eos: bool = False
    stop: Stop = ()
    stop_token_ids: Annotated[list[TokenId], at_most("stop_tokens")] = Field(default_factory=list)
    response_format: ResponseFormat = ResponseFormat.model_construct()

    prompt_logprobs: bool = False
    top_prompt_logprobs: TopLogprobs = 0
    routing: bool = False
    """ostro's own: each choice tells which experts its tokens took."""
    prompt_routing: bool = False
    """ostro's own: the first choice tells which experts the prompt's tokens took."""
    steering: SteeringField | None = None
    """ostro's own: which experts tokens may take."""

    user: WithoutEffect = None
    safety_identifier: WithoutEffect = None
    metadata: WithoutEffect = None
    store: WithoutEffect = None
    service_tier: WithoutEffect = None
    prompt_cache_key: WithoutEffect = None
    prompt_cache_options: WithoutEffect = None
    prompt_cache_retention: WithoutEffect = None

    @property
    def token_limit(self) -> int | None:
        """The most tokens that an answer may have, under either of its names."""
        return self.max_completion_tokens if self.max_tokens is None else self.max_tokens

    @property
    def chosen_seed(self) -> int | None:
        """The seed, under either of its names."""
        return self.random_seed if self.seed is None else self.seed

    @property
    def wants_usage_event(self) -> bool:
        """Whether a stream ends with an event that holds the usage alone."""
        return self.stream_options is not None and self.stream_options.include_usage

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for one, other in _SAME:
            first, second = getattr(self, one), getattr(self, other)
            if None not in (first, second) and first != second:
                words = f"means the same as {one}, but {second} is not {first}"
                raise refusal("contradiction", words, other)
        if self.token_limit is not None and self.min_tokens > self.token_limit:
            raise refusal("contradiction", "must be at most max_tokens", "min_tokens")
        if self.stream_options is not None and not self.stream:
            raise refusal("needs_other", "needs stream: true", "stream_options")
        if self.top_prompt_logprobs and not self.prompt_logprobs:
            raise refusal("needs_other", "needs prompt_logprobs: true", "top_prompt_logprobs")
        return self

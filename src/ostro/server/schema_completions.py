"""``POST /v1/completions``: texts continued without a chat template."""

from typing import Annotated, Any, Self

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from ostro.server.error_words import refusal
from ostro.server.limits import Limits
from ostro.server.schema_base import Unserved, Whole, is_whole, limits_of, up_to, whole
from ostro.server.schema_generation import Generation

Prompt = str | tuple[int, ...]
"""A text, or token ids."""


def token_ids(value: Any, limits: Limits, *place: str | int) -> tuple[int, ...]:
    """Token ids from a list; an error for any other value stands at ``place``."""
    if not isinstance(value, list):
        raise refusal("list_type", "must be a list of token ids", *place)
    if len(value) > limits.prompt_tokens:
        raise refusal("too_long", f"must have at most {limits.prompt_tokens} entries", *place)
    ids = tuple(map(whole, value))
    for index, number in enumerate(ids):
        if not is_whole(number) or not 0 <= number < 1 << 31:
            raise refusal("token_id", "must be a token id", *place, index)
    return ids


def _prompts(value: Any, info: ValidationInfo) -> list[Prompt]:
    limits = limits_of(info)
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        words = "must be a text, a list of texts, of token ids, or of lists of token ids"
        raise refusal("prompt_type", words)
    if not isinstance(value[0], str | list):
        return [token_ids(value, limits)]
    if len(value) > limits.prompts:
        raise refusal("too_long", f"must have at most {limits.prompts} entries")
    return [_prompt(value[0], entry, limits, index) for index, entry in enumerate(value)]


def _prompt(first: Any, entry: Any, limits: Limits, index: int) -> Prompt:
    if isinstance(first, str):
        if not isinstance(entry, str):
            raise refusal("string_type", "must be a text like the first entry", index)
        return entry
    return token_ids(entry, limits, index)


def _lists(items: dict[str, Any], most: int, least: int = 1) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


_TEXT = {"type": "string"}
TOKEN_IDS = _lists(
    {"type": "integer", "minimum": 0, "exclusiveMaximum": 1 << 31}, Limits().prompt_tokens, least=0
)
"""The JSON schema of a list of token ids."""
_PROMPTS = [_TEXT, _lists(_TEXT, Limits().prompts), {**TOKEN_IDS, "minItems": 1}]
_PROMPTS.append(_lists(TOKEN_IDS, Limits().prompts))


class CompletionRequest(Generation):
    """Texts to be continued. ``prompt`` is a list, whatever form it came in."""

    prompt: Annotated[list[Prompt], PlainValidator(_prompts), WithJsonSchema({"anyOf": _PROMPTS})]
    echo: bool = False
    """Begin the answer with the prompt; with ``logprobs``, tell the prompt's tokens too."""
    logprobs: Annotated[Whole, up_to("top_logprobs"), Field(ge=0)] | None = None
    """How many of the likeliest tokens to tell; 0 tells the chosen ones alone."""
    suffix: Unserved = None
    best_of: Whole | None = None

    @model_validator(mode="after")
    def _completion_fits_together(self, info: ValidationInfo) -> Self:
        if self.best_of not in (None, self.n):
            raise refusal("not_served", "must equal n; ostro does not choose the best", "best_of")
        most = limits_of(info).answers
        if self.n * len(self.prompt) > most:
            raise refusal("too_long", f"asks for more than {most} answers in all", "n")
        return self

"""Requests that generate nothing, or a judgement: tokens, templates, moderation."""

from typing import Annotated, Any, Self

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from ostro.server.error_words import refusal
from ostro.server.schema_base import Fields, ModelName, WithoutEffect, at_most, limits_of
from ostro.server.schema_completions import TOKEN_IDS, token_ids
from ostro.server.schema_formats import Tools
from ostro.server.schema_messages import Messages


def _tokens(value: Any, info: ValidationInfo) -> tuple[int, ...]:
    return token_ids(value, limits_of(info))


class TemplateRequest(Fields):
    """``POST /apply-template``: what the model will read for these messages."""

    model: ModelName | None = None
    """None is the server's own default."""
    messages: Messages
    tools: Tools = Field(default_factory=list)
    safe_prompt: bool = False


class TokenizeRequest(Fields):
    """``POST /tokenize``: a text, or a conversation through the template."""

    model: ModelName | None = None
    prompt: str | None = None
    messages: Messages | None = None
    tools: Tools = Field(default_factory=list)
    safe_prompt: bool = False
    add_special_tokens: bool | None = None
    """Whether a text begins with the BOS token; None is what the model is used to."""
    return_token_strs: bool = False
    """Whether each token's text is told as well."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise refusal("one_of", "must come either as prompt or as messages", "prompt")
        if self.messages is None:
            for name in ("tools", "safe_prompt"):
                if getattr(self, name):
                    raise refusal("needs_other", "needs messages", name)
        elif self.add_special_tokens is not None:
            words = "is for a prompt; a template decides by itself"
            raise refusal("contradiction", words, "add_special_tokens")
        return self


class DetokenizeRequest(Fields):
    """``POST /detokenize``."""

    model: ModelName | None = None
    tokens: Annotated[tuple[int, ...], PlainValidator(_tokens), WithJsonSchema(TOKEN_IDS)]


def _or_one_of_them(schema: dict[str, Any]) -> None:
    """Let the document say that a single conversation may come without its list."""
    many = {key: schema.pop(key) for key in ("type", "items", "minItems", "maxItems")}
    schema["anyOf"] = [many, many["items"]]


class ModerationRequest(Fields):
    """``POST /v1/chat/moderations``. ``input`` is a list of conversations, also if one came."""

    model: ModelName
    input: Annotated[
        list[Messages], at_most("prompts"), Field(min_length=1, json_schema_extra=_or_one_of_them)
    ]
    metadata: WithoutEffect = None

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("input"), list):
            conversations = value["input"]
            if not all(isinstance(entry, list) for entry in conversations):
                return {**value, "input": [conversations]}
        return value

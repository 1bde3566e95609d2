"""What all request schemas share: how strict they are, and what a null means.

- A field that the schema does not know is an error that names it.
- A null means what leaving the field out means, whatever the field.
- Nothing is converted: ``"1"`` and ``true`` are no numbers. But JSON has one kind of number, so
  that ``1.0`` is a whole one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from ostro.server.error_words import refusal
from ostro.server.errors import invalid_fields
from ostro.server.limits import Limits

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SAYS_NOTHING = frozenset({"title", "description", "default"})  # Of which values a field takes.


class Fields(BaseModel):
    """A JSON object with known fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, value: Any, limits: Limits) -> Self:
        """Validate plain values; raises ApiError 422 for anything that does not fit."""
        try:
            return cls.model_validate(value, context=limits)
        except ValidationError as error:
            raise invalid_fields(error) from None

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema for documents: a field that may be left out may be null as well."""
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        required = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            if name not in required:
                schema["properties"][name] = _or_null(field)
        return reference

    @model_validator(mode="before")
    @classmethod
    def _known_and_not_null(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise refusal("object_type", "must be an object")
        known = {field.alias or name for name, field in cls.model_fields.items()}
        # One is told: thousands of them would cost thousands of errors.
        unknown = next((key for key in value if key not in known), None)
        if unknown is not None:
            raise refusal("extra_forbidden", "is an unknown field", unknown)
        return {key: part for key, part in value.items() if part is not None}


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    options = field.get("anyOf", ())
    if not set(field) - _SAYS_NOTHING or {"type": "null"} in options or field.get("type") == "null":
        return field
    told = {key: value for key, value in field.items() if key in _SAYS_NOTHING}
    rest = {key: value for key, value in field.items() if key not in _SAYS_NOTHING}
    alternatives = rest["anyOf"] if set(rest) == {"anyOf"} else [rest]
    return {"anyOf": [*alternatives, {"type": "null"}], **told}


def limits_of(info: ValidationInfo) -> Limits:
    """The limits that a validation was given."""
    assert isinstance(info.context, Limits)
    return info.context


@dataclass(frozen=True)
class _Bound:
    """A bound by a field of :class:`Limits`, which documents tell as ``keyword``."""

    limit: str
    keyword: str
    check: Callable[[Any, ValidationInfo], Any]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return BeforeValidator(self.check).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core_schema), self.keyword: getattr(Limits(), self.limit)}


def at_most(limit: str) -> Any:
    """Bounds the entries of a list or an object by a field of :class:`Limits`.

    It looks before the entries are validated, each of which may cost an error.
    """

    def check(value: Any, info: ValidationInfo) -> Any:
        most = getattr(limits_of(info), limit)
        if isinstance(value, list | dict) and len(value) > most:
            raise refusal("too_long", f"must have at most {most} entries")
        return value

    return _Bound(limit, "maxItems", check)


def up_to(limit: str) -> Any:
    """Bounds a number by a field of :class:`Limits`."""

    def check(value: Any, info: ValidationInfo) -> Any:
        most = getattr(limits_of(info), limit)
        if isinstance(value, int | float) and value > most:
            raise refusal("less_than_equal", f"must be at most {most}")
        return value

    return _Bound(limit, "maximum", check)


def unserved(advice: str = "leave it out") -> BeforeValidator:
    """For a field that would mean something, but is not served: it must be null."""

    def refuse(value: Any) -> Any:
        raise refusal("not_served", f"is not served; {advice}")

    return BeforeValidator(refuse)


def whole(value: Any) -> Any:
    """1 for 1.0; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def is_whole(value: Any) -> bool:
    """Whether ``value`` is a whole number, which ``true`` is not."""
    return type(value) is int


Whole = Annotated[int, BeforeValidator(whole)]
Unserved = Annotated[None, unserved()]
WithoutEffect = Any
"""Of a field that clients send and that says nothing about the answer."""


def _model_name(value: Any, info: ValidationInfo) -> Any:
    most = limits_of(info).model_characters
    if isinstance(value, str) and not 0 < len(value) <= most:
        raise refusal("string_length", f"must have 1 to {most} characters")
    return value


def _function_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        words = "must have 1 to 64 characters of a-z, A-Z, 0-9, dashes and underscores"
        raise refusal("function_name", words)
    return value


ModelName = Annotated[
    str,
    BeforeValidator(_model_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": Limits().model_characters}),
]
FunctionName = Annotated[
    str,
    AfterValidator(_function_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]

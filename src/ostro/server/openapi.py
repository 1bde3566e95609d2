"""What the OpenAPI document says of bodies that ostro reads itself."""

from typing import Any

from ostro.server.schema_base import Fields

_ERROR = {
    "type": "object",
    "required": ["object", "message", "type", "param", "code", "detail"],
    "properties": {
        "object": {"const": "error"},
        "message": {"type": "string"},
        "type": {"type": "string"},
        "param": {"type": ["string", "null"]},
        "code": {"type": "string"},
        "detail": {"type": "array", "items": {"type": "object"}},
    },
}
_WORDS = {
    400: "What was asked for cannot be done.",
    401: "The API key is missing or wrong.",
    404: "There is no such model or path.",
    405: "The path does not take this method.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    422: "A field is missing, unknown or wrong.",
    429: "Too many requests wait, or this key asks too often.",
    503: "The server is stopping.",
}


def responses_of(schema: type[Fields] | None) -> dict[int | str, dict[str, Any]]:
    """The errors of an endpoint, in their one form."""
    return {
        status: {"description": words, "content": {"application/json": {"schema": _ERROR}}}
        for status, words in _WORDS.items()
    }


def body_of(schema: type[Fields] | None) -> dict[str, Any]:
    """The body of an endpoint, as its schema tells it."""
    content = {} if schema is None else schema.model_json_schema(ref_template="#/$defs/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": content}}}}

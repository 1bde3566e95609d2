"""What all checks say: this call must raise that."""

import json

USER = [{"role": "user", "content": "Tell me a joke about sharks"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get",
        "description": "Gets a number.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 9}},
            "required": ["a"],
            "additionalProperties": False,
        },
    },
}


def are_both_calls(calls):
    """The two that the model makes where it may."""
    assert [call.function.name for call in calls] == ["get", "get"]
    assert [json.loads(call.function.arguments) for call in calls] == [{"a": 1}, {"a": 2}]


def fit_the_tool(calls):
    """Calls of a model that had to make some; a grammar says which."""
    assert calls
    for call in calls:
        assert call.function.name == "get"
        assert type(json.loads(call.function.arguments)["a"]) is int


def raised(kind, call):
    """The error of this kind, and exactly of this kind, that a call raises."""
    try:
        result = call()
    except Exception as error:
        return _checked(kind, error)
    raise AssertionError(f"no {kind.__name__}, but {result!r}")


async def raised_later(kind, awaitable):
    """The same of something to be awaited."""
    try:
        result = await awaitable
    except Exception as error:
        return _checked(kind, error)
    raise AssertionError(f"no {kind.__name__}, but {result!r}")


def _checked(kind, error):
    if type(error) is not kind:
        raise AssertionError(f"no {kind.__name__}") from error
    return error


def cut_short(stream):
    """How many parts came before the stream broke off, and the error that it broke off with."""
    count = 0
    try:
        for _ in stream:
            count += 1
    except Exception as error:
        return count, error
    raise AssertionError(f"{count} parts came as if they were the whole answer")


async def gathered(stream):
    """The parts of an asynchronous stream."""
    return [part async for part in stream]

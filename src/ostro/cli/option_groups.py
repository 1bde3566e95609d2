"""Options in groups: a command takes one object, its command line an option for each of its fields.

    @grouped
    def bias(models: Models, running: Running) -> None: ...

A group is a frozen dataclass whose fields are annotated as options are, and have defaults.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from inspect import Parameter
from typing import Any

Command = Callable[..., None]


def grouped(command: Command) -> Command:
    """``command`` as typer is to see it: with the fields of its groups, in their places.

    A field that the command names itself, because it means something special there, is taken from
    there. Two groups may not share a field.
    """
    signature = inspect.signature(command)
    groups: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if is_dataclass(parameter.annotation)
    }
    own = signature.parameters.keys() - groups

    @functools.wraps(command)
    def called(**values: Any) -> None:
        made = {
            name: group(**{field.name: values[field.name] for field in fields(group)})
            for name, group in groups.items()
        }
        command(**{name: values[name] for name in own}, **made)

    parameters = [
        expanded
        for name, parameter in signature.parameters.items()
        for expanded in (_options(groups[name], own) if name in groups else [parameter])
    ]
    # By keyword, as typer calls: so options without a default may come after others.
    keywords = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
    called.__signature__ = signature.replace(parameters=keywords)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}
    return called


def _options(group: Any, own: set[str]) -> Iterator[Parameter]:
    for field in fields(group):
        if field.name not in own:
            yield Parameter(
                field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
            )

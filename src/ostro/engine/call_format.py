"""The output format of an answer that may, or must, call functions."""

from ostro.engine.output_format import JsonSchema, Lark, OutputFormat, lark_literal
from ostro.text.call_constraint import CallConstraint

_ANY_TEXT = "(?s:.*)"


def call_format(constraint: CallConstraint | None) -> OutputFormat | None:
    """What holds an answer to the constraint; None where no grammar can tell text from a call.

    That is so where the mark of a call is text and may come anywhere.
    """
    if constraint is None:
        return None
    call = " ".join([*_parts(constraint.begin), "json", *_parts(constraint.end)])
    if constraint.separator is not None:
        call = f"{call} ({lark_literal(constraint.separator)} {call})*"
    schemas = (("json", JsonSchema.of(constraint.schema)),)
    if constraint.required:
        return Lark(f"answer: {call}", schemas)
    if constraint.text_pattern is not None:
        return Lark(f"answer: TEXT | {call}\nTEXT: /{constraint.text_pattern}/", schemas)
    if constraint.anywhere and isinstance(constraint.begin[0], int):
        return Lark(f"answer: TEXT? ({call})?\nTEXT: /{_ANY_TEXT}/", schemas)
    return None


def _parts(parts: tuple[int | str, ...]) -> list[str]:
    return [f"<[{part}]>" if isinstance(part, int) else lark_literal(part) for part in parts]

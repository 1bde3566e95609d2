"""The kinds of data set, and what makes a record of each into tokens."""

from collections.abc import Callable
from typing import Literal, get_args

from ostro.data.conversations import convert_conversations
from ostro.data.documents import convert_documents
from ostro.data.preferences import convert_preferences
from ostro.data.sequences import Convert
from ostro.errors import OstroError
from ostro.text.tokenizer import Tokenizer

Kind = Literal["documents", "conversations", "preferences"]
"""``documents`` learn all tokens; ``conversations`` answers; ``preferences`` come in pairs."""

_CONVERTERS: dict[str, Callable[[Tokenizer], Convert]] = {
    "documents": convert_documents,
    "conversations": convert_conversations,
    "preferences": convert_preferences,
}


def find_kind(name: str) -> Kind:
    """The kind of that name, or an OstroError."""
    found = next((kind for kind in get_args(Kind) if kind == name), None)
    if found is None:
        raise OstroError(f"unknown kind {name!r}; there are: {', '.join(get_args(Kind))}")
    kind: Kind = found
    return kind


def converter(kind: Kind, tokenizer: Tokenizer, *, alone: bool = False) -> Convert:
    """What makes records into sequences; an OstroError if the tokenizer can't serve for it.

    ``alone``: of conversations, every answer is a sequence of its own.
    """
    if not alone:
        return _CONVERTERS[kind](tokenizer)
    if kind != "conversations":
        raise OstroError(f"only the answers of conversations can stand alone; the kind is {kind}")
    return convert_conversations(tokenizer, alone=True)

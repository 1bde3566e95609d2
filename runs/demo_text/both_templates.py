"""The two templates of the demo's tokenizer, and folders that hold a tokenizer with one of them."""

from dataclasses import replace
from pathlib import Path

from ostro.errors import OstroError
from ostro.runtime.files import whole_directory
from ostro.text.tokenizer import Tokenizer
from ostro.weights.own_tokenizer import OwnTokenizer, own_tokenizer

_HERE = Path(__file__).parent
BOTH = _HERE / "both_templates.jinja"
"""Half of all conversations as the parent writes them, the other half as Mixtral does."""
INST = _HERE / "inst_template.jinja"
"""Mixtral's form alone."""

PROBES = (
    "A plain text, with punctuation: and 1,234.5 numbers.",
    "def double(x: int) -> int:\n    return 2 * x\n",
    "Où est la bibliothèque ? ¿Dónde está? Straße, perché.",
    "[INST] typed by hand [/INST] <s> </s>",
    '{"name": "Ann", "tags": ["a", "b"]}\n\n\n  end',
)


def write_tokenizer(parent: OwnTokenizer, template: Path, target: Path) -> Tokenizer:
    """A folder with the parent's tokenizer and another template; what it holds, read again.

    An OstroError if it would not encode plain text as the parent's does.
    """
    if not target.exists():
        source, own = template.read_text(encoding="utf-8"), parent.vocabulary
        with whole_directory(target) as folder:
            parent.files.write(folder, own and replace(own, chat_template=source))
            (folder / "chat_template.jinja").write_text(source, encoding="utf-8")
    written = own_tokenizer(target).tokenizer
    for text in PROBES:
        if written.encode(text) != parent.tokenizer.encode(text):
            raise OstroError(f"{target} encodes {text!r} otherwise than the parent's tokenizer")
    return written

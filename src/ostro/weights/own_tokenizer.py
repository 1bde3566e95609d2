"""A model's tokenizer, wherever it lies: in files beside the weights, or inside of theirs."""

from dataclasses import dataclass
from pathlib import Path

from ostro.errors import OstroError
from ostro.text.tokenizer import Tokenizer
from ostro.text.vocabulary import Vocabulary
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.tokenizer_files import TokenizerFiles


@dataclass(frozen=True)
class OwnTokenizer:
    """The tokenizer, and what it takes to write it beside other weights."""

    tokenizer: Tokenizer
    files: TokenizerFiles
    vocabulary: Vocabulary | None
    """The one inside a weight file, if that is where it was."""


def own_tokenizer(path: Path) -> OwnTokenizer:
    """That of a model's folder or file, or of a folder that has nothing else.

    An OstroError where there is none.
    """
    files = TokenizerFiles.beside(path)
    found, vocabulary = files.tokenizer(None), None
    if found is None:
        vocabulary = open_checkpoint(path).vocabulary
        found = files.tokenizer(vocabulary)
    if found is None:
        raise OstroError(f"{path} has no tokenizer; put its files beside the weights")
    return OwnTokenizer(found, files, vocabulary)

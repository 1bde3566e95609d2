"""Documents: the field ``text``, learned from its first token to the one that ends it."""

from collections.abc import Mapping
from typing import Any

from ostro.data.fields import text_field
from ostro.data.sequences import Convert, TokenSequence
from ostro.text.tokenizer import Tokenizer


def convert_documents(tokenizer: Tokenizer) -> Convert:
    """BOS where the model's prompts begin with one, the text, and EOS where there is one."""
    bos, eos = tokenizer.bos_id, tokenizer.eos_id
    before = [bos] if tokenizer.adds_bos and bos is not None else []
    after = [] if eos is None else [eos]

    def convert(values: Mapping[str, Any]) -> list[TokenSequence]:
        ids = tokenizer.encode(text_field(values, "text"))
        return [TokenSequence.of([*before, *ids, *after], learned_from=0)]

    return convert

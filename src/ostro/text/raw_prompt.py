"""Raw prompts: templates typed by hand, such as ``<s>[INST] Hello [/INST]``."""

from ostro.text.special_pieces import SpecialPieces
from ostro.text.tokenizer import Tokenizer


def encode_raw(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of ``text``, in which control tokens may be written out.

    ``<s>`` and ``</s>`` are the model's BOS and EOS, even where its vocabulary calls them
    something else (and nothing where it has none); its own control tokens are parsed as well.
    """
    ids: list[int] = []
    absent = -1
    meanings = dict(tokenizer.special_pieces)
    meanings["<s>"] = absent if tokenizer.bos_id is None else tokenizer.bos_id
    meanings["</s>"] = absent if tokenizer.eos_id is None else tokenizer.eos_id
    for part in SpecialPieces(meanings).split(text):
        if isinstance(part, str):
            ids += tokenizer.encode(part, after_special=bool(ids))
        elif part != absent:
            ids.append(part)
    return ids

"""A hash of what a tokenizer does, so that a data set is never read with another one.

File names, and whether the tables lie in JSON, GGUF or SentencePiece, don't count.
"""

import hashlib
import json

from ostro.text.messages import Message
from ostro.text.tokenizer import Tokenizer

# Cases, digits, spaces, line ends, accents, another script, an emoji, and what looks like a token.
_TEXT = "Hello  world, it's 12345 o'clock.\n\n\tÀ bientôt — straße, «Москва», 東京 🙂 </s>\r\n"
_CONVERSATION = (
    Message("system", "Be brief."),
    Message("user", "What is 2 + 2?"),
    Message("assistant", " 4 "),
    Message("user", _TEXT),
)


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """SHA-256, in hexadecimal, of the vocabulary and of how a text and a conversation are read."""
    digest = hashlib.sha256()
    digest.update(json.dumps(_settings(tokenizer), sort_keys=True).encode())
    for number in range(tokenizer.vocab_size):
        data = tokenizer.token_bytes(number)
        digest.update(len(data).to_bytes(4, "little") + data)
    return digest.hexdigest()


def _settings(tokenizer: Tokenizer) -> dict[str, object]:
    has_template = tokenizer.has_chat_template
    return {
        "vocab_size": tokenizer.vocab_size,
        "bos_id": tokenizer.bos_id,
        "adds_bos": tokenizer.adds_bos,
        "eos_id": tokenizer.eos_id,
        "eos_ids": sorted(tokenizer.eos_ids),
        "special_pieces": dict(tokenizer.special_pieces),
        "text": tokenizer.encode(_TEXT),
        "conversation": list(tokenizer.encode_chat(_CONVERSATION)) if has_template else None,
    }

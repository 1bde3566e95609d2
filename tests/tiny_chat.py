"""Tiny models that chat: a byte-level tokenizer, a template, and an answer known beforehand."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tiny import save_tiny, tiny_transformers_model

VOCAB_SIZE = 260
"""A token's id is its byte; the control tokens follow."""
BOS, EOS, START, END = range(256, VOCAB_SIZE)
_TOKENS = {"vocab_size": VOCAB_SIZE, "bos_token_id": BOS, "eos_token_id": EOS}
CONTROL = ("<s>", "</s>", "<|im_start|>", "<|im_end|>")
ANSWER = "abcdefghijklmnopqrstuvwxyzé"
"""What the speller says to every prompt that ends in a line feed; EOS follows.

It has no byte twice, and so one token for each.
"""
TEMPLATE = """\
{{ bos_token }}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{{- '<|im_start|>assistant\\n' }}"""
TOOL_TEMPLATE = """\
{{ bos_token }}
{%- for tool in tools or [] %}{{- tool.function.name + '\\n' }}{%- endfor %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\\n' + (call.function | tojson) + '\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{{- '<|im_start|>assistant\\n' }}"""
"""With a form of its own for calls, so that text may stand before one.

What a model may or may not call is then held to no grammar, which would write the same characters
in other tokens than the speller's.
"""


def text_ids(text: str) -> list[int]:
    """Token ids of a plain text."""
    return list(text.encode())


def chat_ids(*messages: tuple[str, str]) -> list[int]:
    """Token ids of a conversation of roles and contents, written out by hand."""
    ids = [BOS]
    for role, content in messages:
        ids += [START, *text_ids(f"{role}\n{content}"), END, *text_ids("\n")]
    return [*ids, START, *text_ids("assistant\n")]


def save_tokenizer(
    folder: Path, *, template: str | None = TEMPLATE, longer: Sequence[bytes] = ()
) -> None:
    """Write ``tokenizer.json``, its configuration and the template.

    ``longer`` are tokens of several bytes. They follow the control tokens; no text is cut into
    them, but a model may write them.
    """
    names = _byte_names()
    written = [*(names[byte] for byte in range(256)), *CONTROL]
    written += ["".join(names[byte] for byte in piece) for piece in longer]
    vocabulary = {piece: number for number, piece in enumerate(written)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False) for piece in CONTROL])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)


def save_babbler(folder: Path, kind: str = "mixtral", **changes: Any) -> Path:
    """A random model with a tokenizer: what it says depends on everything before."""
    save_tiny(folder, kind, **_TOKENS | changes)
    save_tokenizer(folder)
    return folder


def save_speller(
    folder: Path, text: str = ANSWER, *, template: str | None = TEMPLATE, **changes: Any
) -> Path:
    """A mixture whose every token depends on the one before it alone, and spells ``text``.

    Attention and experts are computed but add nothing; the head maps a token to the next. Where a
    byte comes again, a longer token stands there.
    """
    pieces = _different_pieces(text.encode())
    longer = [piece for piece in pieces if len(piece) > 1]
    ids = [VOCAB_SIZE + longer.index(p) if len(p) > 1 else p[0] for p in pieces]
    sizes = {**_TOKENS, "vocab_size": VOCAB_SIZE + len(longer)}
    model = tiny_transformers_model("mixtral", **sizes | changes)
    following = dict(pairwise([*text_ids("\n"), *ids, EOS]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "o_proj" in name or "down_proj" in name:
                parameter.zero_()
            elif "norm" in name:
                parameter.fill_(1)
        embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
        embedding.normal_(generator=torch.Generator().manual_seed(1))
        head.zero_()
        for before, after in following.items():
            head[after] += embedding[before] / 4
    model.save_pretrained(folder)
    save_tokenizer(folder, template=template, longer=longer)
    return folder


def _different_pieces(data: bytes) -> list[bytes]:
    """Short pieces that make up ``data``; none comes twice or is the line feed alone."""
    pieces: list[bytes] = []
    start = 0
    for end in range(1, len(data) + 1):
        if data[start:end] not in (b"\n", *pieces):
            pieces.append(data[start:end])
            start = end
    while start < len(data):  # The last piece came before: it becomes longer.
        start -= len(pieces.pop())
        if data[start:] not in pieces:
            return [*pieces, data[start:]]
    return pieces


def _byte_names() -> dict[int, str]:
    """Every byte as GPT-2 writes it: the printable as they are, the others from U+0100 on."""
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [number for number in range(256) if number not in shown]
    return {
        number: chr(number if number in shown else 0x100 + hidden.index(number))
        for number in range(256)
    }

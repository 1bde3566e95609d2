"""``/tokenize``, ``/detokenize``, ``/apply-template``: what a model reads, without running it."""

from typing import Any

from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.server.schema_text import DetokenizeRequest, TemplateRequest, TokenizeRequest
from ostro.text.messages import parse_messages
from ostro.text.safe_prompt import with_safe_prompt
from ostro.text.tools import parse_tools


def tokenize(llm: LLM, request: TokenizeRequest) -> dict[str, Any]:
    """Token ids of a text or a conversation, and how many there are."""
    if request.messages is not None:
        ids = _encode_chat(llm, request.messages, request)
    elif request.add_special_tokens is False:
        ids = llm.tokenizer.encode(request.prompt or "")
    elif request.add_special_tokens and llm.tokenizer.bos_id is not None:
        ids = [llm.tokenizer.bos_id, *llm.tokenizer.encode(request.prompt or "")]
    else:
        ids = llm.encode(request.prompt or "")
    result: dict[str, Any] = {"count": len(ids), "max_model_len": llm.context, "tokens": ids}
    if request.return_token_strs:
        result["token_strs"] = [_text(llm, token) for token in ids]
    return result


def detokenize(llm: LLM, request: DetokenizeRequest) -> dict[str, Any]:
    """The text of token ids; special tokens give none."""
    _check(llm, request.tokens)
    return {"prompt": llm.tokenizer.decode(list(request.tokens))}


def apply_template(llm: LLM, request: TemplateRequest) -> dict[str, Any]:
    """What the model reads for a conversation: token ids, and text with control tokens written."""
    ids = _encode_chat(llm, request.messages, request)
    pieces = {number: piece for piece, number in llm.tokenizer.special_pieces.items()}
    parts: list[str | list[int]] = []
    for token in ids:
        if token in pieces:
            parts.append(pieces[token])
        elif parts and isinstance(parts[-1], list):
            parts[-1].append(token)
        else:
            parts.append([token])
    texts = [part if isinstance(part, str) else llm.tokenizer.decode(part) for part in parts]
    return {"prompt": "".join(texts), "count": len(ids), "tokens": ids}


def _encode_chat(llm: LLM, messages: Any, request: TokenizeRequest | TemplateRequest) -> list[int]:
    parsed = parse_messages(messages)
    if request.safe_prompt:
        parsed = with_safe_prompt(parsed)
    tools = parse_tools([tool.plain() for tool in request.tools])
    return llm.tokenizer.encode_chat(parsed, tools)


def _check(llm: LLM, tokens: tuple[int, ...]) -> None:
    size = llm.tokenizer.vocab_size
    bad = next((token for token in tokens if token >= size), None)
    if bad is not None:
        raise OstroError(f"token id {bad} is not in the vocabulary of {size}")


def _text(llm: LLM, token: int) -> str:
    for piece, number in llm.tokenizer.special_pieces.items():
        if number == token:
            return piece
    return llm.tokenizer.token_bytes(token).decode(errors="replace")

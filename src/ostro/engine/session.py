"""One sequence being read and written: its pages of the KV cache and the tokens in them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ostro.config import WEIGHT_TYPES, kv_bytes_per_token
from ostro.config.plan import PREFILL_CHUNK
from ostro.errors import OstroError
from ostro.kernels.attention import Span
from ostro.model import PAGE_SLOTS, Mixtral, PagedKVCache


class Session:
    """A sequence of at most ``context`` tokens over a cache of its own."""

    def __init__(
        self,
        model: Mixtral,
        context: int,
        *,
        chunk: int = PREFILL_CHUNK,
        cache_type: str | None = None,
    ) -> None:
        """``cache_type`` is what keys and values are kept in; by default what the model says."""
        self.model, self.context, self.chunk = model, context, chunk
        self.tokens: list[int] = []
        self.device = model.device
        self.cache_type = WEIGHT_TYPES[cache_type or model.cache_type]
        num_pages = -(-context // PAGE_SLOTS)
        self._cache = PagedKVCache(
            model.geometry,
            model.kernels,
            num_pages=num_pages,
            kind=self.cache_type.name,
            device=self.device,
        )
        self._pages = torch.arange(num_pages, device=self.device)

    @property
    def cache_bytes(self) -> int:
        """Bytes of keys and values in use."""
        return len(self.tokens) * kv_bytes_per_token(self.model.geometry, self.cache_type)

    @torch.inference_mode()
    def feed(self, token_ids: Sequence[int], *, all_logits: bool = False) -> Tensor:
        """Append tokens; float32 logits after the last ``[1, V]``, or after each ``[T, V]``."""
        if not token_ids:
            raise OstroError("there is nothing to read: the prompt has no tokens")
        if len(self.tokens) + len(token_ids) > self.context:
            raise OstroError(
                f"{len(self.tokens) + len(token_ids)} tokens do not fit into the context of "
                f"{self.context}; shorten the text or give a larger --context"
            )
        self._check_ids(token_ids)
        outputs = []
        for start in range(0, len(token_ids), self.chunk):
            part = token_ids[start : start + self.chunk]
            last = start + self.chunk >= len(token_ids)
            logits = self._step(part, all_logits=all_logits)
            if all_logits or last:
                outputs.append(logits)
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def read_prompt(self, token_ids: Sequence[int]) -> Tensor:
        """Make the sequence equal ``token_ids``; logits after its last token, ``[1, V]``.

        The longest prefix that is in the cache already is kept, so that the next turn of a
        conversation reads only what is new.
        """
        keep = 0
        while keep < min(len(self.tokens), len(token_ids) - 1):
            if self.tokens[keep] != token_ids[keep]:
                break
            keep += 1
        del self.tokens[keep:]
        return self.feed(token_ids[keep:])

    def _step(self, token_ids: Sequence[int], *, all_logits: bool) -> Tensor:
        count, past = len(token_ids), len(self.tokens)
        length = past + count
        pages = self._pages[: -(-length // PAGE_SLOTS)]
        step = self._cache.step([Span(slice(0, count), length, pages)])
        tokens_T = torch.tensor(token_ids, device=self.device)
        positions_T = torch.arange(past, length, device=self.device)
        rows = None if all_logits else torch.tensor([count - 1], device=self.device)
        logits: Tensor = self.model(tokens_T, positions_T, step, rows)
        if math.isnan(self.model.kernels.summarise(logits[-1], 1.0)[1]):
            raise OstroError(
                "the model's numbers overflowed; compute in another type (--type BF16 or F32)"
            )
        self.tokens.extend(token_ids)
        return logits

    def _check_ids(self, token_ids: Sequence[int]) -> None:
        size = self.model.geometry.vocab_size
        bad = next((i for i in token_ids if not 0 <= i < size), None)
        if bad is not None:
            raise OstroError(f"token id {bad} is not in the vocabulary of {size}")

"""Perplexity of a text: exp of the mean negative log-likelihood of its tokens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ostro.engine.session import Session
from ostro.errors import OstroError
from ostro.model import Mixtral

_STEP = 256


@dataclass(frozen=True)
class Perplexity:
    """A measured perplexity."""

    value: float
    tokens: int
    """Tokens that were predicted: all but the first."""


def perplexity(model: Mixtral, token_ids: Sequence[int], context: int) -> Perplexity:
    """Perplexity of ``token_ids`` read in one pass; they must fit into ``context``."""
    if not 2 <= len(token_ids) <= context:
        raise OstroError(f"perplexity needs 2 to {context} tokens, not {len(token_ids)}")
    session, total = Session(model, len(token_ids)), 0.0
    for start in range(0, len(token_ids) - 1, _STEP):
        part = token_ids[start : start + _STEP]
        targets = torch.tensor(token_ids[start + 1 : start + 1 + len(part)])
        logits = session.feed(part, all_logits=True)[: len(targets)].cpu()
        total += torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item()
    count = len(token_ids) - 1
    return Perplexity(math.exp(total / count), count)

"""What a model thinks of the last tokens of a text."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ostro.engine.llm import LLM
from ostro.engine.session import Session
from ostro.runtime.progress import Advance

_PLAIN_STEP = 512
# Each row has a logit for every token of the vocabulary.
_SCORED_STEP = 256


def read_losses(llm: LLM, token_ids: Sequence[int], scored: int, advance: Advance) -> Tensor:
    """Negative log-likelihoods, in nats, of the last ``scored`` tokens: float64 ``[scored]``.

    Each is of a token given all before it; so fewer are scored than there are. Tokens that are read
    are told to ``advance``.
    """
    assert 0 < scored < len(token_ids)
    first = len(token_ids) - scored - 1  # The row that predicts the first token to be scored.
    losses = []
    with llm.lock:
        session = Session(llm.model, len(token_ids))
        for start in range(0, first, _PLAIN_STEP):
            part = token_ids[start : min(start + _PLAIN_STEP, first)]
            session.feed(part)
            advance(len(part))
        for start in range(first, len(token_ids) - 1, _SCORED_STEP):
            part = token_ids[start : min(start + _SCORED_STEP, len(token_ids) - 1)]
            logits_TV = session.feed(part, all_logits=True).cpu()
            targets_T = torch.tensor(token_ids[start + 1 : start + 1 + len(part)])
            loss_T = torch.nn.functional.cross_entropy(logits_TV, targets_T, reduction="none")
            losses.append(loss_T.double())
            advance(len(part))
    advance(1)  # The last token is known without being read.
    return torch.cat(losses)

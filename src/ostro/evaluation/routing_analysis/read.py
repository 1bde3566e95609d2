"""Documents read by a model for their routing alone."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.evaluation.routed_tokens import routed_tokens
from ostro.runtime.progress import Progress


def read_documents(
    llm: LLM, texts: Sequence[str], most_tokens: int, progress: Progress
) -> Iterator[tuple[list[int], Tensor]]:
    """The tokens of each text, at most so many, with their experts ``[T, L, K]``, in order.

    What the model wants in front of a text, such as BOS, is read and not told of.
    """
    beginning = len(llm.encode(""))
    requests = [_request(llm.encode(text)[: beginning + most_tokens]) for text in texts]
    parts = routed_tokens(llm, requests, progress)
    for sequence, tokens in groupby(parts, key=lambda part: part.sequence):
        experts_TLK = torch.cat([part.experts_TLK for part in tokens])
        yield list(requests[sequence].prompt_ids[beginning:]), experts_TLK[beginning:]


def _request(ids: list[int]) -> Request:
    return Request(prompt_ids=ids, params=SamplingParams(max_tokens=1), prompt_routing=True)

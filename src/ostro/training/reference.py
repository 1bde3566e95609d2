"""The reference model's log probabilities of answers: what preference losses measure against.

The reference model is the one that the run began with. Its log probabilities never change, so they
are computed once and kept on disk; or, where only an adapter is trained, the same weights without
it are the reference, at the price of one more forward pass a step.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ostro.data.batch import Sample
from ostro.data.dataset import Dataset
from ostro.data.loader import LoaderOptions, ordered_samples
from ostro.errors import OstroError
from ostro.objectives.language import token_logprobs
from ostro.objectives.preference import sequence_sums
from ostro.runtime.files import whole_file
from ostro.runtime.progress import Progress
from ostro.training.language_task import targets
from ostro.training.task import Learner

Reference = Callable[[Sample], Tensor]
"""Log probabilities ``[N]`` of a sample's answers."""


def answer_logprobs(
    learner: Learner, sample: Sample, *, without_adapter: bool = False
) -> tuple[Tensor, Tensor]:
    """The log probability of each sequence's learned tokens ``[N]``, and how many they are."""
    hidden_TD = learner.hidden(sample, without_adapter=without_adapter)
    logprobs_T = token_logprobs(hidden_TD, learner.model.head(), targets(sample))
    lengths_N = torch.tensor(sample.lengths, device=logprobs_T.device)
    return (
        sequence_sums(logprobs_T, lengths_N),
        sequence_sums(sample.learned_T.to(torch.int64), lengths_N),
    )


class WithoutAdapter:
    """The same model, its adapter switched off."""

    def __init__(self, learner: Learner) -> None:
        assert learner.adapter is not None
        self._learner = learner

    def __call__(self, sample: Sample) -> Tensor:
        """One more forward pass."""
        # Called by the task, which is within the root already.
        with torch.no_grad():
            return answer_logprobs(self._learner, sample, without_adapter=True)[0]


class StoredReference:
    """Log probabilities of a data set's sequences, by their numbers."""

    def __init__(self, logprobs_S: Tensor) -> None:
        """NaN stands for a sequence that no sample has."""
        self._logprobs_S = logprobs_S

    def __call__(self, sample: Sample) -> Tensor:
        """Looked up."""
        found_N = self._logprobs_S[list(sample.numbers)]
        assert not found_N.isnan().any(), "a sample that was left out when these were computed"
        return found_N.to(sample.tokens_T.device)


def compute_reference(
    learner: Learner,
    dataset: Dataset,
    options: LoaderOptions,
    device: torch.device,
    progress: Progress,
) -> Tensor:
    """The log probabilities ``[S]`` of all the sequences of a data set that samples have.

    To be called before the first step; a run that goes on asks before its checkpoint is read.
    """
    compute = partial(answer_logprobs, learner)
    logprobs_S = torch.full((len(dataset.lengths),), torch.nan, dtype=torch.float32)
    with progress.task("reference", len(dataset.lengths), "items") as advance, torch.no_grad():
        for sample in ordered_samples(dataset, options):
            found_N, _ = learner.root(compute, sample.to(device))
            logprobs_S[list(sample.numbers)] = found_N.cpu().float()
            advance(len(sample.numbers))
    return logprobs_S


def save_reference(path: Path, logprobs_S: Tensor) -> None:
    """Keep log probabilities for the run's next beginning."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, logprobs_S.numpy(), allow_pickle=False)


def load_reference(path: Path, dataset: Dataset) -> Tensor:
    """What :func:`save_reference` kept."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise OstroError(f"{path}: not readable ({error}); remove it to compute it again") from None
    if found.shape != (len(dataset.lengths),) or found.dtype != np.float32:
        raise OstroError(f"{path} is of another data set; remove it to compute it again")
    return torch.from_numpy(found)

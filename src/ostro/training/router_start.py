"""Routers that begin by telling kinds of text apart, so that each expert sees one kind.

An upcycled model's experts are copies. Behind random routers every one of them sees a part of
everything, and all learn the same. Here the model reads some texts; the texts fall into as many
clusters as there are experts, by what all layers' routers see of them on the mean; and every
layer's router begins as the classifier that tells from one token's row which cluster its text is
of. As clusters of texts of one kind train one expert, this is c-BTM's idea (Gururangan et al.,
2023) within one model, as in Branch-Train-MiX (Sukhbaatar et al., 2024), whose routers begin
random.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ostro.data.batch import Sample, join
from ostro.errors import OstroError
from ostro.model import Mixtral
from ostro.runtime.progress import Progress
from ostro.training.balanced_clusters import balanced_clusters
from ostro.training.router_rows import watched_rows
from ostro.training.task import hidden_rows

_TOKENS = 128  # Of a text: its kind shows early, and many texts are wanted.
_FEWEST_TOKENS = 16
_TEXTS = 256
_MOST_BYTES = 1 << 30  # Of rows that are kept, in the compute dtype; fewer texts are read then.
_ROWS_TOGETHER = 1024
_PENALTY = 1e-3
_ITERATIONS = 60


def clustered_routers(
    model: Mixtral, samples: Iterable[Sample], device: torch.device, seed: int, progress: Progress
) -> list[Tensor]:
    """A router ``[E, D]`` for each layer, in float32 on the CPU.

    ``samples`` are read as far as needed. Fewer texts than experts are an OstroError.
    """
    geometry = model.geometry
    texts = list(_texts(samples, _most_texts(model)))
    if len(texts) < geometry.num_experts:
        raise OstroError(
            f"[model] routers: clusters for {geometry.num_experts} experts need as many texts of "
            f"at least {_FEWEST_TOKENS} tokens, and there are {len(texts)}"
        )
    rows_LTD = _read(model, texts, device, progress)
    lengths = [len(text.tokens_T) for text in texts]
    clusters_N = balanced_clusters(_means(rows_LTD, lengths), geometry.num_experts, seed)
    labels_T = clusters_N.repeat_interleave(torch.tensor(lengths))
    with progress.task("beginning routers", len(rows_LTD), "items") as advance:
        routers = []
        for rows_TD in rows_LTD:
            routers.append(classifier(rows_TD.float(), labels_T, geometry.num_experts))
            advance(1)
    return routers


def classifier(rows_TD: Tensor, labels_T: Tensor, count: int) -> Tensor:
    """The rows ``[E, D]`` of a softmax classifier without bias, as a router is one.

    Multinomial logistic regression with a penalty on the weights of inputs scaled to a mean square
    of 1: convex, so that where it begins does not matter.
    """
    scale = float(rows_TD.square().mean().sqrt())
    inputs_TD = rows_TD / scale
    weight_ED = torch.zeros(count, rows_TD.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight_ED], max_iter=_ITERATIONS, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = torch.nn.functional.cross_entropy(inputs_TD @ weight_ED.T, labels_T)
        found = found + _PENALTY / 2 * weight_ED.square().sum()
        found.backward()
        return found

    optimizer.step(loss)
    return (weight_ED / scale).detach()


def _most_texts(model: Mixtral) -> int:
    geometry = model.geometry
    size = next(model.parameters()).element_size()
    return min(_TEXTS, _MOST_BYTES // (geometry.num_layers * geometry.dim * size * _TOKENS))


def _texts(samples: Iterable[Sample], most: int) -> Iterator[Sample]:
    """The beginnings of the samples' sequences, each as a sample; too short ones are left out."""
    count = 0
    for sample in samples:
        start = 0
        for length, number in zip(sample.lengths, sample.numbers, strict=True):
            rows = slice(start, start + min(length, _TOKENS))
            start += length
            if rows.stop - rows.start < _FEWEST_TOKENS:
                continue
            if count == most:
                return
            count += 1
            yield Sample(
                sample.tokens_T[rows],
                sample.positions_T[rows],
                sample.targets_T[rows],
                sample.learned_T[rows],
                (rows.stop - rows.start,),
                (number,),
            )


@torch.no_grad()
def _read(
    model: Mixtral, texts: Sequence[Sample], device: torch.device, progress: Progress
) -> list[Tensor]:
    """What each layer's router reads of the texts: ``[T, D]`` by layer, on the CPU."""
    together = max(1, _ROWS_TOGETHER // _TOKENS)
    with (
        watched_rows(model) as seen,
        progress.task("reading texts for the routers", len(texts), "items") as advance,
    ):
        for start in range(0, len(texts), together):
            batch = texts[start : start + together]
            hidden_rows(model, join(batch).to(device))
            advance(len(batch))
    return [torch.cat(layer) for layer in seen]


def _means(rows_LTD: Sequence[Tensor], lengths: Sequence[int]) -> Tensor:
    """A point for each text: its mean row of every layer, side by side, centred over the texts.

    All layers weigh alike.
    """
    found = []
    for rows_TD in rows_LTD:
        means_ND = torch.stack([part.float().mean(0) for part in rows_TD.split(list(lengths))])
        centred_ND = means_ND - means_ND.mean(0)
        found.append(centred_ND / centred_ND.square().mean().sqrt().clamp(min=1e-12))
    return torch.cat(found, dim=1)

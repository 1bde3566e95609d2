"""What shuffling the experts costs: held-out loss as the router says, and with other experts.

The first 512 tokens of two documents of each domain are read once as they are and once for each of
three seeds. The rise is the loss added by shuffling over the loss, both summed over all tokens, the
mean of the seeds taken in each document; its error is over documents.
"""

import math
from collections.abc import Sequence
from typing import Any

from demo_checks.setup import Setup
from demo_checks.shuffle import plain_model, shuffled, torch_threads
from ostro.evaluation.perplexity import perplexity
from ostro.evaluation.results import Units
from ostro.evaluation.routing_analysis.documents import RoutingDocument, routing_documents
from ostro.evaluation.statistics import Estimate, ratio_of
from ostro.model import Mixtral

DOCUMENTS = 2
TOKENS = 512
SEEDS = (1, 2, 3)
_AS_IT_IS = None


def shuffle_losses(setup: Setup) -> dict[str, Any]:
    """The relative rise with its error, and each seed's."""
    documents = routing_documents(setup.evaluation, setup.number(DOCUMENTS), 0)
    tokens = min(TOKENS, setup.model.context - 1)
    with setup.results.open(setup.model.key, "demo-shuffle", {"tokens": tokens}) as units:
        _measure(setup, documents, tokens, units)
        own = [units[_unit(one, _AS_IT_IS)][0] for one in documents]
        by_seed = {seed: [units[_unit(one, seed)][0] for one in documents] for seed in SEEDS}
        count = sum(units[_unit(one, _AS_IT_IS)][1] for one in documents)
    mean = [math.fsum(nats) / len(SEEDS) for nats in zip(*by_seed.values(), strict=True)]
    return {
        "rise": rise(mean, own).to_dict(),
        "seeds": {str(seed): rise(nats, own).value for seed, nats in by_seed.items()},
        "loss": math.fsum(own) / count,
        "tokens": count,
    }


def rise(shuffled_nats: Sequence[float], own_nats: Sequence[float]) -> Estimate:
    """(shuffled - own) / own, of sums over documents."""
    more = [a - b for a, b in zip(shuffled_nats, own_nats, strict=True)]
    return ratio_of(more, own_nats)


def _measure(setup: Setup, documents: Sequence[RoutingDocument], tokens: int, units: Units) -> None:
    missing = [
        (seed, one)
        for seed in (_AS_IT_IS, *SEEDS)
        for one in documents
        if _unit(one, seed) not in units
    ]
    if not missing:
        return
    model = plain_model(setup.model_path, setup.progress)
    llm, context = setup.model.llm, setup.model.context
    label = "shuffled experts"
    with (
        torch_threads(llm.settings.threads),
        setup.progress.task(label, len(missing), "items") as advance,
    ):
        for seed, one in missing:
            ids = llm.encode(one.text)[:tokens]
            with shuffled(model, seed):
                units.add(_unit(one, seed), document_loss(model, ids, context))
            advance(1)


def document_loss(model: Mixtral, ids: Sequence[int], context: int) -> list[float]:
    """Nats of the tokens but the first, and how many those are."""
    found = perplexity(model, ids, context)
    return [math.log(found.value) * found.tokens, found.tokens]


def _unit(document: RoutingDocument, seed: int | None) -> str:
    return f"{document.key} {'own' if seed is None else seed}"

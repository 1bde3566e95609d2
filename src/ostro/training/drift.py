"""How far the routing has moved since the run began, on a few samples that stay the same."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ostro.data.batch import Sample
from ostro.training.task import Learner


class RoutingDrift:
    """Compares the routers' probabilities on a probe with those at the beginning."""

    def __init__(self, learner: Learner, probe: Sample) -> None:
        """``probe`` is on the model's device. :meth:`begin` or :meth:`load` comes first."""
        self._learner, self._probe = learner, probe
        self._first_LTE: Tensor | None = None

    def begin(self) -> None:
        """The routing is now what it will be compared with."""
        layers = self._logits()
        self._first_LTE = torch.stack(layers) if layers else None

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps, so that a resumed run compares with the same."""
        return {} if self._first_LTE is None else {"drift.logits": self._first_LTE}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """What :meth:`tensors` gave."""
        self._first_LTE = tensors.get("drift.logits")

    def report(self) -> dict[str, list[float]]:
        """``drift`` by layer: KL(probabilities at the beginning || now), in nats a token.

        ``moved`` by layer: the share of tokens whose first expert is another one.
        """
        if self._first_LTE is None:
            return {}
        now_LTE = torch.stack(self._logits())
        first, now = self._first_LTE.log_softmax(2), now_LTE.log_softmax(2)
        divergence_L = (first.exp() * (first - now)).sum(2).mean(1)
        moved_L = (first.argmax(2) != now.argmax(2)).float().mean(1)
        return {
            name: torch.round(values.double(), decimals=6).tolist()
            for name, values in (("drift", divergence_L), ("moved", moved_L))
        }

    @torch.no_grad()
    def _logits(self) -> list[Tensor]:
        self._learner.record.start()
        self._learner.root(self._learner.hidden, self._probe)
        logits = [layer.logits_TE for layer in self._learner.record.layers]
        self._learner.record.start()
        return logits

"""Learning the tokens that follow: pretraining and supervised fine-tuning."""

from torch import Tensor

from ostro.config.recipe import Distillation, Router
from ostro.data.batch import Sample
from ostro.objectives.distillation import distillation
from ostro.objectives.language import IGNORED, causal_lm
from ostro.training.expert_loads import ExpertLoads
from ostro.training.parent_rows import ParentRows
from ostro.training.router_losses import RouterLosses
from ostro.training.task import Counts, Learner, Part


class LanguageTask:
    """Cross entropy of learned tokens, the router's losses, and a parent's probabilities."""

    def __init__(
        self,
        learner: Learner,
        router: Router,
        parent: ParentRows | None = None,
        recipe: Distillation | None = None,
        loads: ExpertLoads | None = None,
    ) -> None:
        self._learner, self._router = learner, RouterLosses(learner.record, router, loads)
        self._parent, self._distillation = parent, recipe or Distillation()

    def __call__(self, sample: Sample, whole: Counts) -> Part:
        """Figures: ``lm`` in nats a token, ``parent`` likewise, and the router's."""
        self._learner.record.start()
        hidden_TD, head_VD = self._learner.hidden(sample), self._learner.model.head()
        targets_T = targets(sample)
        learned = max(whole.learned, 1)
        language = causal_lm(hidden_TD, head_VD, targets_T).total / learned
        figures = {"lm": language.detach()}
        loss = language
        if self._parent is not None:
            kept = self._distillation.weight
            parents = self._parents_loss(sample, hidden_TD, targets_T) / learned
            figures["parent"] = parents.detach()
            loss = (1 - kept) * language + kept * parents
        loss = loss + self._router.add_to(figures, len(sample.tokens_T) / whole.rows)
        return Part(loss, figures | {"loss": loss.detach()})

    def _parents_loss(self, sample: Sample, hidden_TD: Tensor, targets_T: Tensor) -> Tensor:
        """KL divergence in nats, summed over the learned rows: only those have their like."""
        assert self._parent is not None
        return distillation(
            hidden_TD[sample.learned_T],
            self._learner.model.head(),
            self._parent(sample),
            self._parent.model.head(),
            targets_T[sample.learned_T],
            temperature=self._distillation.temperature,
        ).total


def targets(sample: Sample) -> Tensor:
    """The token to be learned after each row, or ``IGNORED``."""
    return sample.targets_T.masked_fill(~sample.learned_T, IGNORED)

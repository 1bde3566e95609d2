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
        if self._parent is None:
            language = causal_lm(hidden_TD, head_VD, targets_T).total / learned
            figures, loss = {"lm": language.detach()}, language
        else:
            figures, loss = self._with_parent(self._parent, sample, hidden_TD, learned)
        loss = loss + self._router.add_to(figures, len(sample.tokens_T) / whole.rows)
        return Part(loss, figures | {"loss": loss.detach()})

    def _with_parent(
        self, parent: ParentRows, sample: Sample, hidden_TD: Tensor, learned: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Where the parent has a say, its share of the loss is ``weight``; elsewhere nothing."""
        head_VD, targets_T, told_T = (
            self._learner.model.head(),
            targets(sample),
            parent.told(sample),
        )
        told, alone = (
            causal_lm(hidden_TD, head_VD, targets_T.masked_fill(~rows_T, IGNORED)).total / learned
            for rows_T in (told_T, ~told_T)
        )
        # KL divergence in nats, summed over the rows that have their like.
        divergence = distillation(
            hidden_TD[told_T],
            head_VD,
            parent(sample),
            parent.model.head(),
            targets_T[told_T],
            temperature=self._distillation.temperature,
        )
        parents, weight = divergence.total / learned, self._distillation.weight
        figures = {"lm": (told + alone).detach(), "parent": parents.detach()}
        return figures, alone + (1 - weight) * told + weight * parents


def targets(sample: Sample) -> Tensor:
    """The token to be learned after each row, or ``IGNORED``."""
    return sample.targets_T.masked_fill(~sample.learned_T, IGNORED)

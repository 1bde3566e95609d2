"""Learning which of two answers is preferred: DPO and IPO over pairs."""

from ostro.config.recipe import PreferenceOptions, Router
from ostro.data.batch import Sample
from ostro.objectives.preference import Answers, preference_loss
from ostro.training.expert_loads import ExpertLoads
from ostro.training.reference import Reference, answer_logprobs
from ostro.training.router_losses import RouterLosses
from ostro.training.task import Counts, Learner, Part


class PreferenceTask:
    """The loss over a micro-batch of pairs; both answers of a pair stand one after the other."""

    def __init__(
        self,
        learner: Learner,
        router: Router,
        options: PreferenceOptions,
        reference: Reference,
        loads: ExpertLoads | None = None,
    ) -> None:
        self._learner, self._options, self._reference = learner, options, reference
        self._router = RouterLosses(learner.record, router, loads)

    def __call__(self, sample: Sample, whole: Counts) -> Part:
        """Figures, all means over pairs: ``preference``, ``accuracy``, ``margin``, both rewards,
        and both answers' log probabilities.
        """
        reference_N = self._reference(sample)
        self._learner.record.start()
        own_N, tokens_N = answer_logprobs(self._learner, sample)
        chosen, rejected = (
            Answers(own_N[side::2], reference_N[side::2], tokens_N[side::2]) for side in (0, 1)
        )
        found = preference_loss(chosen, rejected, self._options)
        pairs = whole.sequences // 2
        means = {
            "preference": found.loss_N,
            "accuracy": (found.margin_N > 0).float(),
            "margin": found.margin_N,
            "chosen_reward": found.chosen_reward_N,
            "rejected_reward": found.rejected_reward_N,
            "chosen_logprob": chosen.logprobs_N,
            "rejected_logprob": rejected.logprobs_N,
        }
        loss = found.loss_N.sum() / pairs
        figures = {name: values_N.detach().sum() / pairs for name, values_N in means.items()}
        loss = loss + self._router.add_to(figures, len(sample.tokens_T) / whole.rows)
        return Part(loss, figures | {"loss": loss.detach()})

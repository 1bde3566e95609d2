"""How many guessed tokens to check in a step: as many as are likely to pay.

A guessed token adds a row to the step, and in a mixture it may add experts that nobody else in the
step wants; :mod:`ostro.engine.step_cost` measures what both cost. What a guess is worth is the
chance that it, and all before it, are right; that is measured at every token, checked or not, by
how long the agreement before the guess was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ostro.engine.answer import Answer
from ostro.engine.lookup import LONGEST_MATCH, PromptLookup
from ostro.engine.step_cost import MOST_DRAFTS, StepCost, WeightBytes

# A draft is checked if it pays by so much in tokens per second; estimates are noisy.
_MARGIN = 1.25
_RATE = 0.1


class Chances:
    """How often guesses are right, by the length of the agreement before them."""

    def __init__(self) -> None:
        self._chances = [0.0] * (LONGEST_MATCH + 1)
        self._seen = [0] * (LONGEST_MATCH + 1)

    def __getitem__(self, match: int) -> float:
        return self._chances[min(match, LONGEST_MATCH)]

    def observe(self, match: int, right: bool) -> None:
        """A guess after ``match`` equal tokens was right or not."""
        match = min(match, LONGEST_MATCH)
        self._seen[match] += 1
        rate = max(_RATE, 1 / (self._seen[match] + 1))  # As if one had been wrong before.
        self._chances[match] += rate * (right - self._chances[match])


@dataclass(frozen=True)
class Candidate:
    """An answer that may check guesses: its lookup, and the most it has room for."""

    lookup: PromptLookup
    most: int


def choose_depths(
    candidates: Sequence[Candidate], chances: Chances, cost: StepCost, *, rows: int
) -> list[int]:
    """How many guesses each candidate checks in a step that has ``rows`` rows without them."""
    depths = [0] * len(candidates)
    if not cost.is_known:
        return depths
    matches = [candidate.lookup.match if candidate.most else 0 for candidate in candidates]
    worth = [chances[match] if match else 0.0 for match in matches]
    distinct = cost.distinct(rows)
    tokens, seconds = float(rows), cost.seconds(rows, distinct)
    while (
        worth and (best := max(range(len(worth)), key=worth.__getitem__)) >= 0 and worth[best] > 0
    ):
        more = cost.new_experts(depths[best] + 1, distinct)
        added = cost.seconds(rows + 1, distinct + more) - cost.seconds(rows, distinct)
        if worth[best] / added < _MARGIN * tokens / seconds:
            break
        depths[best] += 1
        rows, distinct = rows + 1, distinct + more
        tokens, seconds = tokens + worth[best], seconds + added
        is_full = depths[best] >= min(candidates[best].most, MOST_DRAFTS)
        worth[best] *= 0.0 if is_full else chances[matches[best] + depths[best]]
    return depths


class Speculator:
    """Guesses for all answers of an engine."""

    def __init__(self, weights: WeightBytes) -> None:
        self.cost = StepCost(weights)
        self.chances = Chances()
        self.checked = 0
        """Guesses that were computed."""
        self.right = 0
        """Those of them that the model agreed with."""
        self._choices: list[Tensor] = []

    def propose(self, answers: Sequence[Answer]) -> None:
        """Give answers that are about to write the guesses worth checking in the next step."""
        for answer in answers:
            answer.lookup.update()
        candidates = [Candidate(a.lookup, a.limit - len(a.tokens) - 1) for a in answers]
        depths = choose_depths(candidates, self.chances, self.cost, rows=len(answers))
        for answer, depth in zip(answers, depths, strict=True):
            answer.drafts = answer.lookup.guess(depth)

    def chosen(self, answer: Answer) -> None:
        """The answer has a new last token: would it have been guessed?"""
        lookup = answer.lookup
        if match := lookup.match:  # The lookup does not know of the new token yet.
            self.chances.observe(match, right=lookup.guess(1) == answer.tokens[-1:])
        lookup.update()

    def observe(self, rows: int, seconds: float, chosen_LTK: Tensor | None, first: slice) -> None:
        """A step of so many rows took so long.

        ``chosen_LTK`` are the experts, if they were kept, which they are for several consecutive
        steps or none; ``first`` are the rows of the first answer whose tokens were all right.
        """
        if chosen_LTK is not None:
            self.cost.observe_distinct(rows, count_distinct(chosen_LTK))
            self._choices += chosen_LTK[:, first].unbind(1)
        self.cost.observe(rows, self.cost.distinct(rows), seconds)
        if chosen_LTK is None and self._choices:
            last = self._choices[-MOST_DRAFTS - 1 :]
            ahead = range(1, len(last) + 1)
            self.cost.observe_reach([count_distinct(torch.stack(last[:n], 1)) for n in ahead])
            self._choices = []


def count_distinct(chosen_LTK: Tensor) -> int:
    """Experts that any of the rows chose, counted over the layers."""
    layers = chosen_LTK.shape[0]
    flat = chosen_LTK.reshape(layers, -1).long() + 1  # A slot that is not used has expert -1.
    seen = torch.zeros(layers, int(flat.max()) + 1, dtype=torch.bool)
    seen.scatter_(1, flat, value=True)
    return int(seen[:, 1:].sum())

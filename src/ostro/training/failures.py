"""Steps that go wrong: losses that are not finite, or jump; and the batches that caused it."""

import json
import math
import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ostro.config.recipe import Failure
from ostro.data.batch import Sample
from ostro.errors import OstroError
from ostro.runtime.files import whole_directory

_REMEMBERED = 32


class Watch:
    """Judges each step before its gradients change anything."""

    def __init__(self, recipe: Failure, state: Mapping[str, Any] | None = None) -> None:
        """``state`` is what :meth:`state` gave when the run was left."""
        self._recipe = recipe
        remembered = [] if state is None else state["losses"]
        self._losses: deque[float] = deque(remembered, maxlen=_REMEMBERED)
        self.skipped: int = 0 if state is None else state["skipped"]

    def state(self) -> dict[str, Any]:
        """What a resumed run must know to judge alike."""
        return {"losses": list(self._losses), "skipped": self.skipped}

    def problem(self, loss: float, gradient_norm: float) -> str | None:
        """What is wrong with a step; None: nothing, and its loss is remembered."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not math.isfinite(gradient_norm):
            return f"the gradient's norm is {gradient_norm}"
        if self._recipe.spike and len(self._losses) == _REMEMBERED:
            usual = statistics.median(self._losses)
            if loss > self._recipe.spike * usual:
                return f"the loss jumped to {loss:.4g}, {loss / usual:.1f} times the usual"
        self._losses.append(loss)
        return None

    def skip_or_stop(self, problem: str, step: int, saved: Path) -> None:
        """Count a batch that is left out, or raise the OstroError that ends the run."""
        if self._recipe.action == "stop":
            raise OstroError(
                f"stopped at step {step}: {problem}; its batch is in {saved}. Lower optimizer.lr, "
                'or leave such batches out with --set failure.action="skip"'
            )
        self.skipped += 1
        if self.skipped > self._recipe.most_skipped:
            raise OstroError(
                f"stopped at step {step}: {problem}, and {self._recipe.most_skipped} batches were "
                f"left out before; this one is in {saved}"
            )


def save_batch(
    folder: Path, step: int, samples: Sequence[Sample], problem: str, *, rank: int = 0
) -> Path:
    """Keep a rank's samples of a step as NumPy arrays in a folder of their own, which is given."""
    target = folder / (f"step-{step:08d}" + (f"-rank-{rank}" if rank else ""))
    if target.exists():  # A resumed run came here again.
        return target
    arrays = {
        f"{number}.{name}": getattr(sample, name).cpu().numpy()
        for number, sample in enumerate(samples)
        for name in ("tokens_T", "positions_T", "targets_T", "learned_T")
    }
    about = {
        "step": step,
        "problem": problem,
        "samples": [
            {"lengths": list(sample.lengths), "numbers": list(sample.numbers)} for sample in samples
        ],
    }
    with whole_directory(target) as temporary:
        np.savez(temporary / "samples.npz", **arrays)
        (temporary / "about.json").write_text(json.dumps(about, indent=2) + "\n")
    return target

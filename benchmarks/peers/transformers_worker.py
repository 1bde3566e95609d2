"""transformers with a model of the same geometry and random weights in bfloat16.

It computes nothing quantised on a CPU, so bfloat16 is the least that it reads.
"""

from collections.abc import Sequence
from typing import Any

import torch
import transformers

from protocol import Setup, serve


class Transformers:
    """One sequence or a batch of sequences of equal length, over the library's own cache."""

    def __init__(self, setup: Setup) -> None:
        torch.set_num_threads(setup.threads)
        config = transformers.AutoConfig.for_model(**(setup.options or {})["config"])
        model: Any = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        self._model = model.eval()
        self.vocab_size = int(config.vocab_size)
        self._batch = setup.sequences
        self.clear()

    def clear(self) -> None:
        """A new cache."""
        self._cache = transformers.DynamicCache()
        self._waiting: list[Sequence[int]] = []

    @torch.inference_mode()
    def feed(self, tokens: Sequence[Sequence[int]]) -> None:
        """Append; prompts that come one by one are read together once the last has come."""
        if len(tokens) < self._batch or not all(tokens):
            self._waiting.append(tokens[-1])
            if len(self._waiting) < self._batch:
                return
            tokens, self._waiting = self._waiting, []
        self._model(
            torch.tensor([list(part) for part in tokens]),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )

    def about(self) -> dict[str, Any]:
        """Name, version and the type of the weights."""
        return {"engine": "transformers", "version": transformers.__version__, "type": "BF16"}


serve(Transformers)

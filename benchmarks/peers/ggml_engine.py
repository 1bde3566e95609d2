"""llama.cpp and its relatives, through the C functions that their Python bindings export."""

from collections.abc import Sequence
from typing import Any

from protocol import Setup, switched_on


class GgmlEngine:
    """One context over one model; ``api`` is the binding's module of C functions."""

    def __init__(self, api: Any, model_params: Any, context_params: Any, setup: Setup) -> None:
        self.api = api
        model = api.llama_model_load_from_file(setup.path.encode(), model_params)
        if not model:
            raise SystemExit(f"{setup.path} was not loaded")
        context_params.n_ctx = setup.context
        context_params.n_batch = context_params.n_ubatch = max(512, setup.sequences)
        context_params.n_seq_max = setup.sequences
        context_params.n_threads = context_params.n_threads_batch = setup.threads
        self.context = api.llama_init_from_model(model, context_params)
        if not self.context:
            raise SystemExit("the context was not created")
        self.vocab_size = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
        self._batch = api.llama_batch_init(context_params.n_batch, 0, 1)
        self._chunk = context_params.n_batch
        self._lengths = [0] * setup.sequences

    def clear(self) -> None:
        """Forget all tokens."""
        self._lengths = [0] * len(self._lengths)
        self._clear_cache()

    def feed(self, tokens: Sequence[Sequence[int]]) -> None:
        """Append to the sequences; a prompt longer than a batch is read in several."""
        rows = [
            (sequence, token, index == len(part) - 1)
            for sequence, part in enumerate(tokens)
            for index, token in enumerate(part)
        ]
        for start in range(0, len(rows), self._chunk):
            self._decode(rows[start : start + self._chunk])

    def about(self) -> dict[str, Any]:
        """The library's own words on what it was built for."""
        return {"system": switched_on(self._system_info().decode())}

    def _decode(self, rows: Sequence[tuple[int, int, bool]]) -> None:
        batch = self._batch
        batch.n_tokens = len(rows)
        for row, (sequence, token, last) in enumerate(rows):
            batch.token[row] = token
            batch.pos[row] = self._lengths[sequence]
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = sequence
            batch.logits[row] = last
            self._lengths[sequence] += 1
        if self.api.llama_decode(self.context, batch) != 0:
            raise SystemExit("the step failed")
        if rows[-1][2]:
            # Asking for logits waits for them.
            self.api.llama_get_logits_ith(self.context, -1)

    def _clear_cache(self) -> None:
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def _system_info(self) -> bytes:
        return bytes(self.api.llama_print_system_info())

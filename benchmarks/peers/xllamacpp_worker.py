"""llama.cpp as prebuilt for any processor in ``xllamacpp``, whose server times itself."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import xllamacpp

from protocol import Setup, ids, serve, switched_on

# Every vocabulary that is measured has more pieces.
_WORDS = 32_000


class XLlamaCpp:
    """One sequence. The server reads a prompt and continues it; both times are in its answer."""

    def __init__(self, setup: Setup) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = setup.path
        params.n_ctx = setup.context
        params.n_parallel = 1
        params.n_gpu_layers = 0
        params.no_extra_bufts = not setup.repack
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = setup.threads
        self._server = xllamacpp.Server(params)

    def timings(self, prompt: Sequence[int], tokens: int) -> dict[str, Any]:
        """What the server says of one prompt and ``tokens`` tokens after it."""
        answer = self._server.handle_completions(
            {
                "prompt": list(prompt),
                "n_predict": tokens,
                "ignore_eos": True,
                "cache_prompt": False,
                "temperature": 0,
            }
        )
        return dict(answer["timings"])

    def about(self) -> dict[str, Any]:
        """Name, version and processor features."""
        return {
            "engine": "llama.cpp",
            "version": version("xllamacpp"),
            "system": switched_on(xllamacpp.get_system_info()),
        }


def answer(engine: XLlamaCpp, request: Mapping[str, Any]) -> float:
    """Seconds, as the server took them itself."""
    tokens = request["tokens"]
    if request["measure"] == "prefill":
        return float(engine.timings(ids(tokens, _WORDS, 0), 1)["prompt_ms"]) / 1000
    # The first token comes out of the prompt, and the server's clock starts with it.
    timings = engine.timings(ids(request["prompt"], _WORDS, 0), tokens + 1)
    return float(timings["predicted_ms"]) / 1000 * tokens / (timings["predicted_n"] - 1)


serve(XLlamaCpp, answer)

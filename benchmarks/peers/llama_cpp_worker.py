"""llama.cpp through ``llama-cpp-python``."""

from typing import Any

import llama_cpp

from ggml_engine import GgmlEngine
from protocol import Setup, serve


class LlamaCpp(GgmlEngine):
    """llama.cpp, with its repacking of weights where the setup wants that."""

    def __init__(self, setup: Setup) -> None:
        api = llama_cpp.llama_cpp
        api.llama_backend_init()
        model = api.llama_model_default_params()
        model.n_gpu_layers = 0
        model.use_extra_bufts = setup.repack
        super().__init__(api, model, api.llama_context_default_params(), setup)

    def about(self) -> dict[str, Any]:
        """Name, version and processor features."""
        return {"engine": "llama.cpp", "version": llama_cpp.__version__, **super().about()}


serve(LlamaCpp)

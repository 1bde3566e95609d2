"""ik_llama.cpp, a fork with integer kernels of its own, through ``ik-llama-cpp-python``."""

import ctypes
from importlib.metadata import version
from typing import Any

from ik_llama_cpp import _ctypes_api as api

from ggml_engine import GgmlEngine
from protocol import Setup, serve


class IkLlamaCpp(GgmlEngine):
    """The fork, with run-time repacking where the setup wants it."""

    def __init__(self, setup: Setup) -> None:
        api.llama_backend_init()
        model = api.llama_model_default_params()
        model.n_gpu_layers = 0
        model.repack_tensors = setup.repack
        model.use_mmap = not setup.repack
        context = api.llama_context_default_params()
        # Its flash attention stops at a block of keys that one of several sequences sees none of.
        context.flash_attn = setup.sequences == 1
        super().__init__(api, model, context, setup)

    def about(self) -> dict[str, Any]:
        """Name, version and processor features."""
        return {
            "engine": "ik_llama.cpp",
            "version": version("ik-llama-cpp-python"),
            **super().about(),
        }

    def _clear_cache(self) -> None:
        api.llama_kv_cache_clear(self.context)

    def _system_info(self) -> bytes:
        function = api._lib.llama_print_system_info
        function.restype = ctypes.c_char_p
        return bytes(function())


serve(IkLlamaCpp)

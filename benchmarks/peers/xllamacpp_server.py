"""llama.cpp's own server, as ``xllamacpp`` brings it: prints its port and serves until it is ended.

python xllamacpp_server.py MODEL CONTEXT SLOTS THREADS
"""

import sys
import time

import xllamacpp


def main() -> None:
    """Serve; every slot may hold ``CONTEXT`` tokens."""
    path, context, slots, threads = sys.argv[1], *map(int, sys.argv[2:5])
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel = context * slots, slots
    params.n_gpu_layers, params.port = 0, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.kv_unified = True  # Slots share what they have in common.
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(60)


main()

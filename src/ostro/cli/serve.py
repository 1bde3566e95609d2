"""``ostro serve``: the model behind the Mistral and OpenAI APIs."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

from ostro.cli.options import Running
from ostro.cli.output import note
from ostro.engine.load import load
from ostro.runtime.extras import require_extra


def run(model: str, running: Running, asked: Mapping[str, Any]) -> None:
    """Load the model and serve it until a signal comes. ``asked`` are fields of ServeOptions."""
    require_extra("fastapi", "serve")
    from ostro.server.serve import listen, serve, url_of
    from ostro.server.serve_options import ServeOptions

    options = ServeOptions(**asked)
    sock = listen(options)
    llm = load(model, concurrency=options.concurrency, **running.arguments())
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    note(f"{llm.name} in {llm.settings.type_name} with {llm.settings.kernels} kernels")
    note(f"keys and values of {llm.cache.tokens} tokens in {llm.cache.type.name}")
    note(f"{url_of(sock, options)} (documentation at /docs); Ctrl-C stops")
    serve(llm, options, sock)

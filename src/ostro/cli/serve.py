"""``ostro serve``: the model behind the Mistral and OpenAI APIs."""

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ostro.cli.options import Running
from ostro.cli.output import note
from ostro.engine.load import load
from ostro.errors import OstroError
from ostro.runtime.extras import require_extra


def run(model: str, running: Running, adapters: Sequence[str], asked: Mapping[str, Any]) -> None:
    """Load the model and serve it until a signal comes.

    ``adapters`` are NAME=FOLDER each, and ``asked`` fields of ServeOptions.
    """
    require_extra("fastapi", "serve")
    from ostro.server.serve import listen, serve, url_of
    from ostro.server.serve_options import ServeOptions

    options = ServeOptions(**asked)
    sock = listen(options)
    llm = load(model, concurrency=options.concurrency, **running.arguments())
    for adapter in adapters:
        name, equals, folder = adapter.partition("=")
        if not (name and equals and folder):
            raise OstroError(f"--adapter must be NAME=FOLDER, not {adapter!r}")
        llm.add_adapter(folder, name)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    note(f"{llm.name} in {llm.settings.type_name} with {llm.settings.kernels} kernels")
    note(f"keys and values of {llm.cache.tokens} tokens in {llm.cache.type.name}")
    note(f"{url_of(sock, options)} (documentation at /docs); Ctrl-C stops")
    serve(llm, options, sock)

"""``ostro generate``: continue a text."""

import sys

from ostro.cli.options import Running, Sampling
from ostro.cli.output import print_json
from ostro.engine.load import load


def run(
    model: str,
    prompt: str,
    sampling: Sampling,
    running: Running,
    *,
    raw: bool,
    as_json: bool,
) -> None:
    """Continue ``prompt``; the text streams to standard output, or comes as one JSON object."""
    arguments = sampling.arguments()
    llm = load(model, **running.arguments())
    if as_json:
        print_json(llm.generate(prompt, raw=raw, **arguments).to_dict())
        return
    for piece in llm.stream(prompt, raw=raw, **arguments):
        sys.stdout.write(piece.text)
        sys.stdout.flush()
    sys.stdout.write("\n")

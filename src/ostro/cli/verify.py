"""``ostro verify``: a report on a checkpoint that can be pasted."""

from pathlib import Path

from ostro.cli.options import Running
from ostro.cli.output import print_json
from ostro.engine.load import load, locate
from ostro.evaluation.verify import verify_model
from ostro.runtime.environment import Environment
from ostro.runtime.files import whole_file
from ostro.runtime.progress import TerminalProgress


def run(model: str, report: Path | None, running: Running, *, as_json: bool) -> None:
    """Check ``model`` and print the report."""
    environment, progress = Environment.read(), TerminalProgress()
    located = locate(model, environment, progress)
    llm = load(located.path, environment=environment, progress=progress, **running.arguments())
    llm.name = located.name
    result = verify_model(llm, located.path, progress)
    text = result.to_markdown()
    if report is not None:
        with whole_file(report) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if as_json:
        print_json(result.to_dict())
    else:
        print(text)

"""The prompting guide's snippets on the real demo model, through the clients it was written for.

They name no limit of tokens, and so small a model may not come to an end by itself: here the
server's default ends it early.
"""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

import ostro
from clients.checks import Outcomes, checks_of, require, run_checks
from ostro.runtime.progress import SilentProgress
from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions

pytestmark = [pytest.mark.slow, pytest.mark.demo]

CLIENTS = ("mistralai-0.0.12", "mistralai-0.1.8", "mistralai-0.4.2")


@pytest.fixture(scope="module")
def outcome(demo_model, demo_environment) -> Iterator[Callable[[str], Outcomes]]:
    """What all snippets came to, by name."""
    llm = ostro.load(demo_model, progress=SilentProgress())
    with RunningServer(llm, ServeOptions(port=0, max_tokens=160)) as server:
        yield cache(
            lambda client: run_checks(
                client, ["guide"], {"demo": server.url}, demo_environment.pip_args
            )
        )


@pytest.mark.parametrize("check", checks_of("guide"))
@pytest.mark.parametrize("client", CLIENTS)
def test_guide(outcome, client: str, check: str) -> None:
    require(outcome(client), check)

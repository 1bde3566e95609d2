"""The clients that people have, each in its own environment, against real servers.

Every check is one test, so that a failure names the client and what it could not do.
"""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from clients.checks import SCRIPTS, Outcomes, checks_of, require, run_checks
from clients.served import key_of, serving

pytestmark = pytest.mark.slow

CLIENTS = {
    "mistralai-0.0.12": ("legacy", "legacy_first"),
    "mistralai-0.1.8": ("legacy", "legacy_tools", "legacy_lists"),
    "mistralai-0.4.2": ("legacy", "legacy_tools", "legacy_fim"),
    "mistralai-1.12.4": ("modern",),
    "mistralai-2.10.1": ("modern", "modern_nulls"),
    "mistralai-3.7.0": ("modern", "modern_nulls", "modern_logprobs"),
    "openai-3.57.0": ("openai_3",),
    "langchain-mistralai-1.1.6": ("langchain_1",),
}


CHECKS = [
    (client, name) for client, modules in CLIENTS.items() for m in modules for name in checks_of(m)
]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, demo_environment) -> Iterator[Callable[[str], Outcomes]]:
    """What all checks of a client came to, by name."""
    with serving(tmp_path_factory.mktemp("servers"), tuple(CLIENTS)) as world:
        yield cache(
            lambda client: run_checks(
                client,
                CLIENTS[client],
                {**world, "key": key_of(client)},
                demo_environment.pip_args,
            )
        )


@pytest.mark.parametrize(("client", "check"), CHECKS)
def test_client(outcome, client: str, check: str) -> None:
    require(outcome(client), check)


def test_every_pin_has_its_checks() -> None:
    pinned = {path.stem for path in (SCRIPTS.parent / "requirements").glob("*.txt")}
    assert pinned == set(CLIENTS)
    used = {module for modules in CLIENTS.values() for module in modules}
    written = {path.stem for path in SCRIPTS.glob("*.py") if checks_of(path.stem)}
    assert written == used | {"guide"}

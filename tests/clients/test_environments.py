"""What is told where a client cannot be installed."""

from pathlib import Path

import pytest

from clients import environments
from clients.environments import NoNetworkError, interpreter

pytestmark = pytest.mark.slow


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """One that nobody has; it would go into a folder of this test."""
    (tmp_path / "no-such-client-1.0.txt").write_text("no-such-client==1.0\n")
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path)
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "clients")
    return "no-such-client-1.0"


def test_a_network_that_is_away_is_no_failure(client: str) -> None:
    nowhere = ("--index-url", "http://127.0.0.1:9/simple", "--retries", "1", "--timeout", "1")
    with pytest.raises(NoNetworkError, match=r"no network to fetch no-such-client-1.0: "):
        interpreter(client, nowhere)


def test_a_pin_that_does_not_exist_is_one(client: str) -> None:
    with pytest.raises(RuntimeError, match=r"could not install no-such-client-1.0: "):
        interpreter(client, ("--no-index",))

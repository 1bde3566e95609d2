"""A crowd of clients, many of whom go away: nothing is lost, and the others get what is theirs."""

import pytest

from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions
from robustness.conftest import answer, open_files, settle, wait_for
from robustness.soak import soak

MIB = 1 << 20


@pytest.mark.slow
def test_a_crowd_that_comes_and_goes_leaves_nothing_behind(llm, expected, caplog) -> None:
    """Less than a minute here; ``tests/robustness/soak.py`` alone does the same for longer."""
    with RunningServer(llm, ServeOptions(port=0, concurrency=32)) as server:
        assert answer(server) == expected
        settle(server)
        before = open_files()
        tally = soak(server, streams=32, seconds=45, tokens=12)
        assert not tally.wrong, tally.wrong[:3]
        assert tally.right > 100
        assert set(tally.left) == {"request", "silence", "events"}
        assert tally.growth < 24 * MIB
        settle(server)
        wait_for(lambda: open_files() <= before, "file descriptors are lost")
        assert answer(server) == expected
        settle(server)
    assert "Traceback" not in caplog.text

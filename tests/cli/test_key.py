import json
from pathlib import Path

from ostro.server.api_keys import read_api_keys


def test_a_key_and_the_line_that_lets_it_in(run, tmp_path: Path) -> None:
    ran = run("key")
    assert ran.code == 0
    key, line = (row.split()[1] for row in ran.out.splitlines())
    (tmp_path / "keys").write_text(f"{line}\n")
    assert read_api_keys(tmp_path / "keys").check(f"Bearer {key}")
    assert "Clients send the key" in ran.err


def test_a_key_as_json(run) -> None:
    ran = run("key", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert set(json.loads(ran.out)) == {"key", "line"}

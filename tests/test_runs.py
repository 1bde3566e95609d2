"""The scripts of ``runs``, at a smaller size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def ostro(tmp_path: Path) -> Path:
    """The command, wherever the package is."""
    command = tmp_path / "ostro"
    program = "from ostro.cli.main import main; main()"
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT / "src"}" exec "{sys.executable}" -c "{program}" "$@"\n'
    )
    command.chmod(0o755)
    return command


def _run(script: str, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [ROOT / "runs" / script, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_tiny_goes_from_nothing_to_a_chat(ostro: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    variables = {"OSTRO": str(ostro), "SHORT": "1", "OSTRO_HOME": str(tmp_path / "home")}
    told = _run("tiny.sh", str(out), **variables)
    for name in ("pretrained", "tuned", "preferred"):
        assert (out / f"{name}-model" / "model.safetensors").is_file()
        assert name in told.partition("== summary")[2]
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    # Nothing is done twice.
    again = _run("tiny.sh", str(out), **variables)
    assert again.count("done before") == 7


def test_the_sample_is_small() -> None:
    files = list((ROOT / "runs" / "sample").glob("*.jsonl"))
    assert len(files) == 3
    assert sum(file.stat().st_size for file in files) < 2_000_000

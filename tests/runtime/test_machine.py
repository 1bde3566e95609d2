"""The machine in words."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from ostro.runtime import machine
from ostro.runtime.machine import describe_machine, vector_extensions
from ostro.runtime.settings import usable_cores

CPUINFO = """\
processor\t: 0
model name\t: Some Processor 9000 @ 3.00GHz
flags\t\t: fpu sse avx2 fma avx512f vaes

processor\t: 1
model name\t: Another
flags\t\t: fpu amx_int8
"""


def test_processor_cores_and_versions_are_told(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(CPUINFO)
    words = describe_machine(cpuinfo)
    assert words.startswith("Some Processor 9000 @ 3.00GHz (avx2 fma avx512f), ")
    assert f", {usable_cores()} cores, " in words
    assert f"torch {torch.__version__}" in words
    assert "\n" not in words


def test_a_package_that_is_not_installed_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(machine, "version", missing)
    assert describe_machine(tmp_path / "missing").endswith("ostro from its sources, not installed")


def test_features_are_the_first_processors(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(CPUINFO)
    assert vector_extensions(cpuinfo) == ["avx2", "fma", "avx512f"]


def test_what_the_system_does_not_tell_is_no_error(tmp_path: Path) -> None:
    assert vector_extensions(tmp_path / "missing") == []
    assert "(features unknown)" in describe_machine(tmp_path / "missing")

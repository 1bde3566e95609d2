"""The native library is loaded with its types, or its absence is told in one line."""

import ctypes
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ostro.kernels import library
from ostro.kernels.library import NativeLibrary, NoLibrary, load_library

ROOT = Path(__file__).parents[2]
HEADER = ROOT / "src" / "ostro" / "kernels" / "native" / "ostro.h"
ISAS = ("avx2", "avx512")  # As in CMakeLists.txt.
COMPILER = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)


@pytest.fixture
def loaded() -> NativeLibrary:
    """The checkout's own library."""
    found = load_library()
    if isinstance(found, NoLibrary):
        pytest.skip(found.reason)
    return found


def compile_library(folder: Path, source: str) -> Path:
    if COMPILER is None:
        pytest.skip("no C++ compiler")
    text, path = folder / "other.cpp", folder / "libostro.so"
    text.write_text(f'extern "C" {{ {source} }}')
    subprocess.run([COMPILER, "-shared", "-fPIC", text, "-o", path], check=True)
    return path


def refusal(path: Path) -> str:
    """The notice on ``path``, checked to be one line that names it and says what to do."""
    found = load_library(path)
    assert isinstance(found, NoLibrary)
    assert "\n" not in found.notice
    assert str(path) in found.notice
    assert "make native" in found.notice
    return found.notice


def test_a_missing_library_says_how_to_build_it(tmp_path: Path) -> None:
    assert "not built" in refusal(tmp_path / "libostro.so")


@pytest.mark.parametrize("content", [b"", b"not a library\n", b"\x7fELF" + bytes(500)])
def test_a_file_that_is_no_library_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "libostro.so"
    path.write_bytes(content)
    assert "cannot be loaded" in refusal(path)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    assert "cannot be loaded" in refusal(tmp_path)


def test_another_version_of_the_interface_is_refused(tmp_path: Path) -> None:
    path = compile_library(tmp_path, f"int ostro_abi() {{ return {library.ABI + 1}; }}")
    assert f"version {library.ABI + 1}" in refusal(path)


def test_another_library_is_refused(tmp_path: Path) -> None:
    assert "not ostro's" in refusal(compile_library(tmp_path, "int other() { return 0; }"))


def test_a_library_that_lacks_a_function_is_refused(tmp_path: Path) -> None:
    path = compile_library(tmp_path, f"int ostro_abi() {{ return {library.ABI}; }}")
    assert "lacks ostro_context_create" in refusal(path)


def test_other_processors_have_no_library_and_no_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    found = load_library()
    assert isinstance(found, NoLibrary)
    assert "riscv64" in found.notice
    assert found.remedy is None


def test_a_context_comes_and_goes(loaded: NativeLibrary) -> None:
    context = loaded.functions.ostro_context_create(3, b"")
    assert isinstance(context, int)
    loaded.functions.ostro_context_destroy(context)
    with pytest.raises(ctypes.ArgumentError):
        loaded.functions.ostro_context_create("three", b"")


def test_prototypes_and_version_are_those_of_the_header() -> None:
    text = HEADER.read_text()
    declared = re.findall(r"OSTRO_API\s[^;(]*?(ostro_\w+)\(", text)
    assert sorted(name for name, _ in library._PROTOTYPES) == sorted(declared)
    assert re.search(r"#define OSTRO_ABI (\d+)", text).group(1) == str(library.ABI)


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm is not installed")
def test_nothing_but_the_interface_is_visible(loaded: NativeLibrary) -> None:
    command = ["nm", "--dynamic", "--defined-only", "--format=just-symbols", loaded.path]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(names) == sorted(name for name, _ in library._PROTOTYPES)


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not installed")
def test_it_needs_the_c_library_alone(loaded: NativeLibrary) -> None:
    command = ["readelf", "--dynamic", loaded.path]
    env = {**os.environ, "LC_ALL": "C"}
    text = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[([^]]+)\]", text))
    assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2"}


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm is not installed")
def test_code_for_one_instruction_set_is_shared_with_no_other() -> None:
    """The linker keeps one copy of an inline function: it must not be one with wider registers."""
    folder = ROOT / "build" / "native" / "CMakeFiles"
    objects = [(isa, path) for isa in ISAS for path in (folder / f"ostro_{isa}.dir").rglob("*.o")]
    if not objects:
        pytest.skip("nothing is compiled for one instruction set here")
    shared = {}
    for isa, path in objects:
        command = ["nm", "--demangle", "--defined-only", path]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        weak = re.findall(r"^\w+ [WVu] (.*)$", text, re.MULTILINE)
        foreign = [name for name in weak if f"ostro::{isa}::" not in name]
        if foreign:
            shared[f"{isa}/{path.name}"] = foreign
    assert shared == {}, "give these functions internal linkage or a place in the namespace"

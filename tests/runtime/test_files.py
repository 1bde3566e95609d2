"""Files that are whole or not there, whatever interrupts the writing, and the lock."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.runtime import files
from ostro.runtime.files import file_lock, whole_directory, whole_file

Whole = Callable[[Path], AbstractContextManager[Path]]
BOTH = pytest.mark.parametrize("whole", [whole_file, whole_directory])


def fill(temporary: Path) -> None:
    """Write something, into a file or a directory."""
    if temporary.is_dir():
        (temporary / "sub").mkdir()
        temporary = temporary / "sub" / "weights"
    temporary.write_text("new")


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_appears_whole_with_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file"
    with whole_file(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_is_replaced_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with whole_file(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def test_a_directory_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "a" / "model"
    with whole_directory(target) as temporary:
        fill(temporary)
        assert not target.exists()
    assert (target / "sub" / "weights").read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_directory_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(OstroError, match="exists already"), whole_directory(tmp_path):
        raise AssertionError


@BOTH
@pytest.mark.parametrize("failure", [KeyboardInterrupt, ZeroDivisionError, SystemExit])
def test_whatever_interrupts_leaves_nothing(
    tmp_path: Path, whole: Whole, failure: type[BaseException]
) -> None:
    def work() -> None:
        with whole(tmp_path / "model") as temporary:
            fill(temporary)
            raise failure

    with pytest.raises(failure):
        work()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always full device")
@BOTH
def test_a_disk_that_fills_while_writing_leaves_nothing(tmp_path: Path, whole: Whole) -> None:
    target = tmp_path / "model"

    def work() -> None:
        with whole(target) as temporary, Path("/dev/full").open("w") as full:
            fill(temporary)
            full.write("x" * 10_000)

    with pytest.raises(OstroError, match=f"cannot write {target}: No space left on device"):
        work()
    assert list(tmp_path.iterdir()) == []


@BOTH
def test_a_disk_that_turns_out_full_when_synced_leaves_nothing(
    tmp_path: Path, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "fsync", full_disk)
    with pytest.raises(OstroError, match="No space left"), whole(tmp_path / "model") as temporary:
        fill(temporary)
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_survives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    monkeypatch.setattr(files.os, "fsync", full_disk)
    with pytest.raises(OstroError), whole_file(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "old"


@BOTH
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, whole: Whole) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(OstroError, match=r"cannot write .*model"),
        whole(tmp_path / "file" / "model"),
    ):
        raise AssertionError


def test_everything_is_synced_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced = tmp_path / "model", []

    def record(path: Path) -> None:
        synced.append((path.name, target.exists()))

    monkeypatch.setattr(files, "sync", record)
    with whole_directory(target) as temporary:
        fill(temporary)
        part = temporary.name
    before = [("sub", False), ("weights", False), (part, False)]
    assert synced == [*before, (tmp_path.name, True)]


def test_a_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    lock, inside, most = tmp_path / "deep" / "lock", 0, 0

    def work() -> None:
        nonlocal inside, most
        with file_lock(lock, waiting_for="working"):
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.01)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_a_lock_of_another_process_is_told_after_a_while(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = (
        "import sys; from pathlib import Path; from ostro.runtime.files import file_lock\n"
        "with file_lock(Path(sys.argv[1]), waiting_for='testing'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(lock)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = "another process has been preparing the demo for 0 s; if none is, remove"
        with (
            pytest.raises(OstroError, match=message),
            file_lock(lock, waiting_for="preparing the demo", timeout=0.05),
        ):
            raise AssertionError
        holder.communicate("")
    with file_lock(lock, waiting_for="testing", timeout=0.05):
        pass


def test_a_lock_is_given_back_after_an_error_and_does_not_hide_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), file_lock(tmp_path / "lock", waiting_for="x"):
        raise FileNotFoundError("of the work, not of the lock")
    with file_lock(tmp_path / "lock", waiting_for="x", timeout=0.05):
        pass


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(OstroError, match=r"cannot write .*lock"),
        file_lock(tmp_path / "file" / "lock", waiting_for="x"),
    ):
        raise AssertionError

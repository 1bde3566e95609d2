"""Programs in the sandbox: each limit, each thing that is forbidden, and what counts as passed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import ostro
from ostro.errors import OstroError
from ostro.evaluation.code import sandbox
from ostro.evaluation.code.sandbox import Limits, Outcome, run

LIMITS = Limits(cpu_seconds=1, wall_seconds=120)
SOURCES = Path(ostro.__file__).parents[1]
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has it")


def outcome(*lines: str, limits: Limits = LIMITS) -> Outcome:
    return run("\n".join(lines), limits)


def reason(*lines: str, limits: Limits = LIMITS) -> str:
    """Why a program failed; it must have."""
    ended = outcome(*lines, limits=limits)
    assert ended.status == "failed"
    return ended.reason


def test_a_program_passes_if_it_runs_to_its_end() -> None:
    ended = outcome("def double(n):", "    return 2 * n", "assert double(2) == 4")
    assert (ended.status, ended.reason) == ("passed", "")


def test_a_failed_test_is_told() -> None:
    assert reason("assert 1 == 2, 'no\\nway'") == "AssertionError: no way"
    assert reason("assert False") == "AssertionError"
    assert reason("def f(:").startswith("SyntaxError: ")
    assert len(reason("raise ValueError('x' * 10_000)")) <= 200


def test_an_error_that_cannot_be_told_is_a_failure_all_the_same() -> None:
    lines = ("class Odd(Exception):", "    def __str__(self): raise SystemExit", "raise Odd")
    assert reason(*lines) == "Odd"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os; os._exit(0)", "ended before its tests did, with exit code 0"),
    ],
)
def test_leaving_before_the_tests_is_no_success(line, expected) -> None:
    assert reason(line, "assert False") == expected


def test_an_endless_loop_is_ended_by_processor_time() -> None:
    ended = outcome("while True: pass")
    assert ended.status == "timed out"
    assert ended.reason == "over 1 s of processor time"


def test_whoever_ignores_the_warning_is_killed() -> None:
    lines = ("import signal", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)", "while True: pass")
    assert reason(*lines) == "killed by SIGKILL"


def test_sleeping_is_ended_by_the_clock() -> None:
    ended = outcome("import time", "time.sleep(100)", limits=Limits(wall_seconds=0.5))
    assert (ended.status, ended.reason) == ("timed out", "over 0.5 s on the clock")


@ON_LINUX
def test_memory_is_limited() -> None:
    assert reason("x = bytearray(1 << 30)") == "MemoryError"
    lines = ("parts = []", "while True: parts.append(bytes(10_000_000))")
    assert reason(*lines) == "MemoryError"


@ON_LINUX
def test_what_fits_into_memory_passes() -> None:
    assert outcome("x = bytearray(100 << 20)").status == "passed"


def test_files_are_limited() -> None:
    assert "File too large" in reason("open('big', 'wb').write(bytes(2 << 20))")
    assert outcome("open('small', 'wb').write(bytes(1 << 19))").status == "passed"
    lines = ("files = []", "while True: files.append(open('/dev/null'))")
    assert "Too many open files" in reason(*lines)


FORBIDDEN = (
    "os.fork()",
    "os.system('true')",
    "os.posix_spawn('/bin/true', ['true'], {})",
    "os.execv('/bin/true', ['true'])",
    "subprocess.run(['true'])",
    "os.kill(os.getppid(), 9)",
    "socket.socket()",
    "socket.create_connection(('127.0.0.1', 80))",
    "socket.getaddrinfo('example.org', 80)",
    "ctypes.CDLL(None)",
    "resource.setrlimit(resource.RLIMIT_CPU, (100, 100))",
    "os.mkdir('folder')",
    "os.symlink('/etc', 'etc')",
    "os.chmod('.', 0)",
)


def test_python_refuses_processes_network_and_native_code() -> None:
    tries = (
        "done = []",
        f"for line in {FORBIDDEN!r}:",
        "    try:",
        "        exec('import ' + line.partition('.')[0])",
        "        exec(line)",
        "        done.append(line)",
        "    except PermissionError as error:",
        "        if 'the sandbox forbids' not in str(error): done.append(line)",
        "assert done == [], done",
    )
    ended = outcome("import os", *tries)
    assert (ended.status, ended.reason) == ("passed", "")


@ON_LINUX
def test_there_are_no_further_threads() -> None:
    assert "can't start new thread" in reason("import _thread; _thread.start_new_thread(print, ())")


def test_a_fork_bomb_that_catches_errors_ends_by_the_clock_or_processor_time() -> None:
    lines = ("import os", "while True:", "    try: os.fork()", "    except OSError: pass")
    assert outcome(*lines).status == "timed out"


def test_nothing_of_ours_is_there() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSTRO_SECRET", "secret")
        lines = (
            "import os, sys",
            "assert 'OSTRO_SECRET' not in os.environ",
            "assert {*os.environ} <= {'LC_CTYPE', '__CF_USER_TEXT_ENCODING'}",
            "assert os.listdir('.') == []",
            "assert sys.stdin.read() == ''",
            "assert len(sys.argv) == 1",
        )
        assert outcome(*lines) == Outcome("passed", "", outcome("").guards)


def test_no_descriptor_of_ours_is_there() -> None:
    with tempfile.TemporaryFile() as file:
        os.set_inheritable(file.fileno(), True)
        # The three streams and the channel, and the one that lists them.
        ended = outcome(
            "import os",
            "open_ones = []",
            "for number in range(200):",
            "    try: open_ones.append((number, os.fstat(number).st_mode))",
            "    except OSError: pass",
            "assert len(open_ones) == 4, open_ones",
        )
    assert (ended.status, ended.reason) == ("passed", "")


def test_writing_outside_is_refused(tmp_path) -> None:
    target = tmp_path / "kept"
    target.write_text("as it was")
    for line in (
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"open({str(target)!r}, 'a')",
        f"os.remove({str(target)!r})",
        f"os.truncate({str(target)!r}, 0)",
        f"os.rename({str(target)!r}, 'here')",
        "open('../beside', 'w')",
    ):
        assert reason("import os", line).startswith("PermissionError"), line
    assert target.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [target]


def test_junk_on_all_streams_changes_nothing() -> None:
    junk = (
        "import os, sys",
        "print('passed' * 100_000)",
        "print('x' * 100_000, file=sys.stderr)",
        "os.write(1, b'{}' * 100_000)",
    )
    assert outcome(*junk).status == "passed"
    assert reason(*junk, "assert False") == "AssertionError"


def test_junk_on_the_way_to_us_is_no_success() -> None:
    lines = ("import os", 'forged = b\'\\n0 {"passed": true, "reason": ""}\\n\'')
    ended = reason(
        *lines,
        "for n in range(3, 9):",
        "    try: os.write(n, forged)",
        "    except OSError: pass",
        "assert False",
    )
    assert ended == "AssertionError"
    flood = (
        "import os",
        "while True:",
        "    for n in range(3, 9):",
        "        try: os.write(n, bytes(10_000))",
        "        except OSError: pass",
    )
    assert reason(*flood) == "it wrote where it should not"


def test_closing_the_way_to_us_is_no_success() -> None:
    assert outcome("import os", "os.closerange(3, 9)", "while True: pass").status != "passed"


def test_folders_are_removed(tmp_path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path))
        assert outcome("open('file', 'w').write('x')").status == "passed"
        lines = ("open('file', 'w').write('x')", "while True: pass")
        assert outcome(*lines, limits=Limits(wall_seconds=0.5)).status == "timed out"
    assert list(tmp_path.iterdir()) == []


def test_a_sandbox_that_does_not_start_is_no_failed_program(monkeypatch) -> None:
    monkeypatch.setattr(sandbox, "_START", "{root}; raise SystemExit('broken')")
    with pytest.raises(OstroError, match="the sandbox did not start: "):
        run("", LIMITS)


def test_systems_without_limits_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(sandbox.os, "name", "nt")
    with pytest.raises(OstroError, match="Linux and macOS"):
        sandbox.require_sandbox()


def alone(module: str, call: str, *lines: str) -> list[str]:
    """What a process prints that confines itself by one means of the system and by no other."""
    program = "\n".join(
        (
            f"import os, socket, sys; from ostro.evaluation.code.{module} import *",
            "def tried(action):",
            "    try: action()",
            "    except OSError as error: return type(error).__name__",
            "    return 'done'",
            f"if not {call}: print('missing'); sys.exit()",
            *(f"print(tried(lambda: {line}))" for line in lines),
        )
    )
    environment = {"PYTHONPATH": str(SOURCES)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    if done.stdout == "missing\n":
        pytest.skip("this kernel has no such means")
    return done.stdout.split()


@ON_LINUX
def test_the_kernel_itself_denies_processes_sockets_and_signals() -> None:
    found = alone(
        "system_calls",
        "deny_system_calls()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "socket.socket()",
        "os.kill(os.getppid(), 0)",
        "os.chmod('/tmp', 0o777)",
        "open('/dev/null').read()",
    )
    assert found == ["PermissionError"] * 5 + ["done"]


@ON_LINUX
def test_the_kernel_itself_denies_writing_elsewhere(tmp_path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("kept")
    found = alone(
        "file_access",
        f"write_only_in({str(inside)!r})",
        f"open('{outside}/new', 'w')",
        f"open('{outside}/kept', 'a')",
        f"os.truncate('{outside}/kept', 0)",
        f"os.remove('{outside}/kept')",
        f"os.rename('{outside}/kept', '{inside}/kept')",
        f"os.mkdir('{inside}/folder')",
        f"open('{inside}/new', 'w').close()",
        f"os.remove('{inside}/new')",
        f"open('{outside}/kept').close()",
        "open('/dev/null', 'w').close()",
    )
    # Moving between folders is refused in another word: "not on the same device".
    assert found[:6] == ["PermissionError"] * 4 + [found[4], "PermissionError"]
    assert found[4] in ("PermissionError", "OSError")
    assert found[6:] == ["done"] * 4
    assert (outside / "kept").read_text() == "kept"

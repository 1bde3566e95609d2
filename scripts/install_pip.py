"""Running pip inside .venv: its output goes to a log, its progress and its errors come out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

ERROR_LINES = 5
_COMPILER_ERROR = re.compile(r":\d+(:\d+)?: (fatal )?error: |CMake Error at ")
_INDEX_OPTION = re.compile(r"(-i|--index-url)(=.*)?$")


class InstallError(Exception):
    """What went wrong and what to do, for the person at the terminal."""


def environment_words(pip_args: str) -> list[str]:
    """``PIP_ARGS`` as words. A wheel named alone becomes a place to find that wheel."""
    try:
        words = shlex.split(pip_args)
    except ValueError as error:
        raise InstallError(f"cannot read PIP_ARGS={pip_args!r}: {error}") from error
    result: list[str] = []
    for word in words:
        alone = not result or result[-1] not in ("-f", "--find-links")
        if word.endswith(".whl") and not word.startswith("-") and alone:
            result.append("--find-links")
        result.append(word)
    return result


def run(
    command: Sequence[str],
    log: Path,
    what: str,
    *,
    tick: Callable[[], None],
    on_line: Callable[[str], None] | None = None,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run ``command`` with its output in ``log``; call ``tick`` five times a second meanwhile.

    ``variables`` are added to the environment.
    """
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {shlex.join(command)}\n")
        file.flush()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(variables or {})},
        )
        lines: list[str] = []
        reader = threading.Thread(target=_read_lines, args=(process, file, lines, on_line))
        reader.start()
        try:
            while process.poll() is None:
                tick()
                time.sleep(0.2)
        except BaseException:
            process.terminate()
            raise
        finally:
            process.wait()
            reader.join()
    if process.returncode != 0:
        reason = "\n".join(last_errors(lines))
        raise InstallError(f"could not {what}; the whole story is in {log}\n{reason}")


def last_errors(lines: Sequence[str]) -> list[str]:
    """A compiler's first errors, or the last ones that pip calls so, or the last lines of all."""
    told = [line for line in lines if line.strip()]
    compiler = [line.strip() for line in told if _COMPILER_ERROR.search(line)]
    if compiler:
        return compiler[:ERROR_LINES]  # The later ones mostly follow from these.
    errors = [line for line in told if line.lstrip().lower().startswith("error")]
    return (errors or told)[-ERROR_LINES:]


class Pip:
    """pip of one environment, with the user's own arguments added to every call."""

    def __init__(self, python: Path, log: Path, words: Sequence[str]) -> None:
        self._python = python
        self._log = log
        self.words = list(words)

    def install(
        self,
        arguments: Sequence[str],
        what: str,
        *,
        tick: Callable[[], None],
        on_line: Callable[[str], None] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """``pip install``. An index that has only torch is used beside the ordinary one."""
        options = {"tick": tick, "on_line": on_line, "variables": variables}
        try:
            run(self._command(arguments), self._log, what, **options)
        except InstallError as error:
            beside = add_index(self.words)
            if beside == self.words or "No matching distribution" not in str(error):
                raise
            self.words = beside
            run(self._command(arguments), self._log, what, **options)

    def report(self, requirements: Sequence[str]) -> str | None:
        """What pip would install, as its JSON report, without downloading; None if it can't say."""
        options = ["--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
        command = self._command([*options, *requirements])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"$ {shlex.join(command)}\n{done.stderr}")
        return done.stdout if done.returncode == 0 else None

    def _command(self, arguments: Sequence[str]) -> list[str]:
        # The raw progress bar came with pip 24.1; the first call runs whatever Debian has.
        raw = ["--progress-bar", "raw"] if self._is_new() else []
        common = ["--disable-pip-version-check", "--no-input", *raw]
        return [str(self._python), "-m", "pip", "install", *common, *arguments, *self.words]

    def _is_new(self) -> bool:
        folders = self._python.parent.parent.glob("lib/python3*/site-packages/pip-*.dist-info")
        versions = [re.match(r"pip-(\d+)\.(\d+)", folder.name) for folder in folders]
        return any(match and (int(match[1]), int(match[2])) >= (24, 1) for match in versions)


def add_index(words: Sequence[str]) -> list[str]:
    """The same words with ``--index-url`` turned into ``--extra-index-url``."""
    return [_INDEX_OPTION.sub(r"--extra-index-url\2", word) for word in words]


class PipProgress:
    """How far one ``pip install`` is, read from its output.

    Finding the packages counts a tenth, downloading half, unpacking the rest; the last part says
    nothing while it runs, so it goes by the clock.
    """

    def __init__(
        self, packages: int, megabytes: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._packages = packages
        self._bytes = megabytes * 1e6
        self._clock = clock
        self._found = 0
        self._whole_files = 0
        self._this_file = 0
        self._unpacking_since: float | None = None

    def feed(self, line: str) -> None:
        """Take one line of pip's output."""
        numbers = re.match(r"Progress (\d+) of (\d+)", line)
        if numbers is not None:
            if int(numbers[1]) < self._this_file:  # The next file has begun.
                self._whole_files += self._this_file
            self._this_file = int(numbers[1])
        elif line.startswith(("Collecting ", "Requirement already satisfied")):
            self._found += 1
        elif line.startswith("Installing collected packages"):
            self._unpacking_since = self._clock()

    def fraction(self) -> float:
        """From 0 to 1, never quite 1."""
        if self._unpacking_since is not None:
            expected = 15 + self._bytes / 10e6
            passed = self._clock() - self._unpacking_since
            return 0.6 + 0.4 * min(0.95, passed / expected)
        found = min(1.0, self._found / self._packages)
        loaded = min(1.0, (self._whole_files + self._this_file) / self._bytes)
        return 0.1 * found + 0.5 * loaded


def _read_lines(
    process: subprocess.Popen[str],
    log: TextIO,
    lines: list[str],
    on_line: Callable[[str], None] | None,
) -> None:
    """Drain the output, so that the process never waits for a reader."""
    assert process.stdout is not None
    with process.stdout as output:
        for raw in output:
            line = raw.rstrip(os.linesep)
            if on_line is not None:
                on_line(line)
            if not line.startswith("Progress "):
                lines.append(line)
                log.write(raw)

"""A worker from the outside: started, asked, stopped."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from quiet import Moment, busy_share
from rounds import EngineFailed, Sample

_FOLDER = Path(__file__).parent
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Worker:
    """One engine with one model, in a process of its own."""

    def __init__(
        self,
        python: Path,
        script: str,
        setup: Mapping[str, Any],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """Start and wait until the model is loaded; ``prefix`` goes before the command."""
        self._log = log
        command = [*prefix, str(python), str(_FOLDER / script), json.dumps(dict(setup))]
        start = time.perf_counter()
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env={**os.environ, **(environment or {})},
            )
        about = self._answer()
        self.about = " ".join(str(value) for value in about.values())
        """Its name, its version, and what it uses of the processor."""
        self.load_seconds = time.perf_counter() - start

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def measure(self, request: Mapping[str, Any]) -> Sample:
        """One measurement: tokens a second, and what others used of the processor meanwhile."""
        before, own = Moment.now(), self._own_seconds()
        assert self._process.stdin is not None
        try:
            print(json.dumps(dict(request)), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise self._failure() from None
        answer = self._answer()
        after = Moment.now()
        busy = busy_share(before, after)
        all_seconds = (after.total - before.total) / _TICKS_PER_SECOND
        mine = (self._own_seconds() - own) / all_seconds if all_seconds else 0.0
        return Sample(answer["tokens"] / answer["seconds"], max(0.0, busy - mine))

    def close(self) -> None:
        """End the process and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return dict(json.loads(line))

    def _failure(self) -> EngineFailed:
        self.close()
        words = [line for line in self._log.read_text(errors="replace").splitlines() if line]
        return EngineFailed(words[-1] if words else f"exit code {self._process.returncode}")

    def _own_seconds(self) -> float:
        """Processor seconds of the worker so far; 0 where the system does not tell."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return 0.0
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

"""A conversation in the terminal: streaming Markdown, history, and a few commands."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from ostro.cli.fitting import fitting
from ostro.cli.output import pool_line
from ostro.config import format_bytes
from ostro.engine.completion import Timer
from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.memory import peak_resident_bytes
from ostro.text.messages import Message

_HELP = """\
/system TEXT  set the system message (without TEXT: remove it)
/reset        forget the conversation
/safe         switch Mistral's guard-rail message on or off
/stats        tokens per second, tokens in the context, memory
/help         this list
/quit         leave (so does Ctrl-D); Ctrl-C stops an answer"""


class Repl:
    """One conversation."""

    def __init__(
        self,
        llm: LLM,
        sampling: Mapping[str, Any],
        environment: Environment,
        system: str | None,
        *,
        safe: bool,
        console: Console | None = None,
    ) -> None:
        self.llm, self.sampling, self.system, self.safe = llm, sampling, system, safe
        self.turns: list[Message] = []
        self.last: Timer | None = None
        self.console = console or Console()
        self._history = environment.home / "chat_history"
        self._commands: dict[str, Callable[[str], None]] = {
            "/system": self._set_system,
            "/reset": self._reset,
            "/safe": self._switch_safe,
            "/stats": self._stats,
            "/help": lambda _: self.console.print(_HELP, highlight=False),
        }

    def run(self, read: Callable[[str], str] = input) -> None:
        """Read lines and answer them until /quit or the end of the input."""
        self.console.print("Ask something; /help lists the commands, Ctrl-D leaves.\n")
        with _input_history(self._history):
            while True:
                try:
                    line = read("> ").strip()
                    if line == "/quit":
                        return
                    if line:
                        self.handle(line)
                except EOFError:
                    self.console.print()
                    return
                except KeyboardInterrupt:
                    self.console.print("\n(Ctrl-D or /quit leaves)")

    def handle(self, line: str) -> None:
        """A command or a question. A mistake is told and the conversation goes on."""
        name, _, rest = line.partition(" ")
        try:
            if name in self._commands:
                self._commands[name](rest.strip())
            elif line.startswith("/"):
                self.console.print(f"unknown command {name}; /help lists them", markup=False)
            else:
                self.ask(line)
        except OstroError as error:
            self.console.print(f"{error}", style="red", markup=False)

    def ask(self, question: str) -> None:
        """Answer as streaming Markdown; Ctrl-C keeps what has come so far."""
        turns = [*self.turns, Message("user", question)]
        system = [Message("system", self.system)] if self.system else []
        maximum = self.sampling["max_tokens"]
        messages = fitting(self.llm, [*system, *turns], safe=self.safe, max_tokens=maximum)
        self.last, text = Timer(), ""
        with (
            _silent_interrupt(),
            Live(console=self.console, refresh_per_second=8, vertical_overflow="visible") as live,
        ):
            pieces = self.llm.stream(
                messages, safe_prompt=self.safe, timer=self.last, **self.sampling
            )
            try:
                for piece in pieces:
                    text += piece.text
                    live.update(Markdown(text))
            except KeyboardInterrupt:
                live.update(Markdown(f"{text} …"))
        if text:  # A question without an answer would leave a conversation that no template takes.
            self.turns = [m for m in messages if m.role != "system"]
            self.turns.append(Message("assistant", text))

    def _set_system(self, text: str) -> None:
        self.system = text or None
        self.console.print(f"(system message {'set' if text else 'removed'})")

    def _reset(self, _: str) -> None:
        self.turns = []
        self.console.print("(the conversation is forgotten)")

    def _switch_safe(self, _: str) -> None:
        self.safe = not self.safe
        self.console.print(f"(guard-rail message {'on' if self.safe else 'off'})")

    def _stats(self, _: str) -> None:
        speed = (
            f"{self.last.tokens_per_second:.1f} tokens/s in the last answer" if self.last else ""
        )
        used = f"{format_bytes(self.llm.cache_bytes)} of keys and values"
        peak = f"{format_bytes(peak_resident_bytes())} at most so far"
        pool = "" if self.llm.experts is None else pool_line(self.llm.experts)
        self.console.print("; ".join(filter(None, [speed, used, peak, pool])), highlight=False)


@contextmanager
def _silent_interrupt() -> Iterator[None]:
    """Ctrl-C stops an answer; the terminal must not write ^C into the middle of it."""
    try:
        import termios

        before = termios.tcgetattr(sys.stdin)
    except Exception:  # No such module, or no terminal: termios has an error class of its own.
        yield
        return
    changed = [*before]
    changed[3] &= ~termios.ECHOCTL
    termios.tcsetattr(sys.stdin, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


@contextmanager
def _input_history(path: Path) -> Iterator[None]:
    """Arrow keys recall earlier questions, also those of earlier days."""
    try:
        import readline
    except ImportError:  # Windows has none; input() still works.
        yield
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(1000)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)

"""A conversation in the terminal: its commands, its limits, and how one leaves it."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from rich.console import Console

import ostro
from ostro.cli.options import Sampling
from ostro.cli.repl import Repl
from ostro.engine.llm import LLM
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.text.messages import Message
from ostro.text.safe_prompt import SAFE_PROMPT
from tiny_chat import ANSWER, chat_ids


@pytest.fixture
def llm(speller: Path) -> LLM:
    return ostro.load(speller, progress=SilentProgress())


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def repl(llm: LLM, home: Path, screen: io.StringIO) -> Repl:
    return make(llm, home, screen)


def make(llm: LLM, home: Path, screen: io.StringIO, *, system: str | None = None) -> Repl:
    sampling = Sampling().arguments()
    console = Console(file=screen, width=100)
    return Repl(llm, sampling, Environment(home=home), system, safe=False, console=console)


def reader(lines: Iterable[str | type[BaseException]]) -> Callable[[str], str]:
    """What a person types, one line at a time; then Ctrl-D."""
    left = iter(lines)

    def read(prompt: str) -> str:
        line = next(left, EOFError)
        if isinstance(line, str):
            return line
        raise line

    return read


def asked(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Where the ids of every coming prompt are kept."""
    prompts: list[list[int]] = []
    encode_chat = llm.encode_chat

    def encode(messages, **options):
        prompts.append(encode_chat(messages, **options))
        return prompts[-1]

    monkeypatch.setattr(llm, "encode_chat", encode)
    return prompts


def test_a_question_is_answered_and_remembered(repl: Repl, screen: io.StringIO) -> None:
    repl.run(reader(["Hello"]))
    assert ANSWER in screen.getvalue()
    assert repl.turns == [Message("user", "Hello"), Message("assistant", ANSWER)]


def test_the_next_question_comes_after_the_ones_before(repl, llm, monkeypatch) -> None:
    prompts = asked(llm, monkeypatch)
    repl.run(reader(["One", "Two"]))
    turns = [("user", "One"), ("assistant", ANSWER), ("user", "Two")]
    assert prompts[-1] == chat_ids(*turns)
    assert len(repl.turns) == 4


def test_reset_forgets(repl, llm, monkeypatch, screen) -> None:
    prompts = asked(llm, monkeypatch)
    repl.run(reader(["One", "/reset", "Two"]))
    assert prompts[-1] == chat_ids(("user", "Two"))
    assert "forgotten" in screen.getvalue()


def test_the_system_message_is_set_and_removed(repl, llm, monkeypatch, screen) -> None:
    prompts = asked(llm, monkeypatch)
    repl.run(reader(["/system Be brief.", "One"]))
    assert prompts[-1] == chat_ids(("system", "Be brief."), ("user", "One"))
    assert "system message set" in screen.getvalue()
    assert [message.role for message in repl.turns] == ["user", "assistant"]
    repl.run(reader(["/system", "/reset", "Two"]))
    assert prompts[-1] == chat_ids(("user", "Two"))
    assert "system message removed" in screen.getvalue()


def test_the_system_message_of_the_command_line_counts(llm, home, screen, monkeypatch) -> None:
    prompts = asked(llm, monkeypatch)
    make(llm, home, screen, system="Be kind.").run(reader(["One"]))
    assert prompts[-1] == chat_ids(("system", "Be kind."), ("user", "One"))


def test_the_guard_rail_is_switched_on_and_off(repl, llm, monkeypatch, screen) -> None:
    prompts = asked(llm, monkeypatch)
    repl.run(reader(["/safe", "One"]))
    assert prompts[-1] == chat_ids(("system", SAFE_PROMPT), ("user", "One"))
    repl.run(reader(["/reset", "/safe", "One"]))
    assert prompts[-1] == chat_ids(("user", "One"))
    assert "guard-rail message on" in screen.getvalue()
    assert "guard-rail message off" in screen.getvalue()


def test_stats_tell_speed_tokens_and_memory(repl, screen) -> None:
    repl.run(reader(["/stats", "Hello", "/stats"]))
    first, second = (line for line in screen.getvalue().splitlines() if "at most" in line)
    assert "tokens/s" not in first
    assert first.startswith("0 B of keys and values")
    assert "tokens/s in the last answer" in second
    assert not second.startswith("0 B")


def test_help_lists_every_command(repl, screen) -> None:
    repl.run(reader(["/help"]))
    for command in ("/system", "/reset", "/safe", "/stats", "/help", "/quit"):
        assert f"\n{command}" in screen.getvalue()


@pytest.mark.parametrize("line", ["/dance", "/dance now", "/"])
def test_an_unknown_command_is_told_and_not_asked(repl, llm, monkeypatch, screen, line) -> None:
    prompts = asked(llm, monkeypatch)
    repl.run(reader([line]))
    assert f"unknown command {line.split()[0]}; /help lists them" in screen.getvalue()
    assert prompts == []


@pytest.mark.parametrize("line", ["", "   "])
def test_an_empty_line_asks_nothing(repl, line) -> None:
    repl.run(reader([line]))
    assert repl.turns == []


def test_quit_leaves_and_reads_no_further(repl) -> None:
    left = iter(["/quit", "Hello"])
    repl.run(lambda prompt: next(left))
    assert list(left) == ["Hello"]
    assert repl.turns == []


def test_ctrl_c_at_the_prompt_only_says_how_to_leave(repl, screen) -> None:
    repl.run(reader([KeyboardInterrupt, "Hello"]))
    assert "Ctrl-D or /quit leaves" in screen.getvalue()
    assert len(repl.turns) == 2


def test_ctrl_c_stops_an_answer_and_not_the_program(repl, llm, monkeypatch, screen) -> None:
    stream = llm.stream

    def interrupted(*arguments, **options):
        for count, piece in enumerate(stream(*arguments, **options)):
            if count == 3:
                raise KeyboardInterrupt
            yield piece

    monkeypatch.setattr(llm, "stream", interrupted)
    repl.run(reader(["One"]))
    assert repl.turns == [Message("user", "One"), Message("assistant", "abc")]
    assert "abc …" in screen.getvalue()
    monkeypatch.setattr(llm, "stream", stream)
    repl.run(reader(["Two"]))
    assert repl.turns[2:] == [Message("user", "Two"), Message("assistant", ANSWER)]


def test_ctrl_c_before_the_first_word_leaves_a_conversation_that_goes_on(
    repl, llm, monkeypatch
) -> None:
    stream = llm.stream

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(llm, "stream", interrupted)
    repl.run(reader(["One"]))
    assert repl.turns == []
    monkeypatch.setattr(llm, "stream", stream)
    repl.run(reader(["Two"]))
    assert repl.turns == [Message("user", "Two"), Message("assistant", ANSWER)]


def test_ctrl_c_outside_an_answer_does_not_end_the_program(repl, llm, monkeypatch) -> None:
    encode_chat = llm.encode_chat

    def interrupted(*_, **__):
        monkeypatch.setattr(llm, "encode_chat", encode_chat)
        raise KeyboardInterrupt

    monkeypatch.setattr(llm, "encode_chat", interrupted)
    repl.run(reader(["One", "Two"]))
    assert repl.turns == [Message("user", "Two"), Message("assistant", ANSWER)]


def test_a_long_conversation_drops_its_oldest_turns_and_says_so(
    speller, home, screen, capsys
) -> None:
    llm = ostro.load(speller, context=300, progress=SilentProgress())
    repl = make(llm, home, screen)
    questions = [f"{n} {'x' * 40}" for n in range(4)]
    repl.run(reader(questions))
    assert "the context is full: the 1 oldest turn was left out" in capsys.readouterr().err
    assert repl.turns[0] != Message("user", questions[0])
    assert repl.turns[-2:] == [Message("user", questions[3]), Message("assistant", ANSWER)]
    assert len(llm.encode_chat(repl.turns[:-1])) <= 300


def test_a_question_that_is_too_long_is_told_and_forgotten(repl, screen) -> None:
    repl.run(reader(["x" * 600, "Hello"]))
    assert "shorten it or give a larger --context" in " ".join(screen.getvalue().split())
    assert repl.turns == [Message("user", "Hello"), Message("assistant", ANSWER)]


def test_square_brackets_are_not_taken_for_markup(repl, screen) -> None:
    repl.run(reader(["/[bold]x", "/[/bold]"]))
    assert "unknown command /[bold]x;" in screen.getvalue()
    assert "unknown command /[/bold];" in screen.getvalue()


def test_questions_are_kept_for_another_day(repl, home) -> None:
    readline = pytest.importorskip("readline")
    readline.add_history("What is a mistral?")
    try:
        repl.run(reader([]))
    finally:
        readline.clear_history()
    assert "What is a mistral?" in (home / "chat_history").read_text().replace("\\040", " ")


def test_a_terminal_opens_a_conversation(run, speller, monkeypatch) -> None:
    lines = reader(["Hello"])
    monkeypatch.setattr(Repl.run, "__defaults__", (lines,))
    ran = run("chat", speller, terminal=True)
    assert ran.code == 0
    assert "/help lists the commands" in ran.out
    assert ANSWER in ran.out
    assert "speller: 8 experts, top-2" in ran.err

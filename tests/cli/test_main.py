"""The command as a whole: its help, and one line for every mistake of a user."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import ostro

COMMANDS = (
    "chat",
    "generate",
    "routing",
    "plan",
    "convert",
    "upcycle",
    "pull",
    "list",
    "remove",
    "verify",
    "key",
)
COUNT_MODULES = """
import sys
sys.argv = ["ostro", "--help"]
from ostro.cli.main import main
try:
    main()
except SystemExit as exit:
    assert not exit.code
print("MODULES", *sys.modules)
"""


def test_help_lists_the_commands_and_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT_MODULES], capture_output=True, text=True, check=True
    )
    text, _, modules = done.stdout.partition("MODULES")
    for command in COMMANDS:
        assert command in text.split()
    loaded = modules.split()
    roots = {name.partition(".")[0] for name in loaded}
    heavy = {"torch", "numpy", "rich", "gguf", "safetensors", "tokenizers", "huggingface_hub"}
    assert roots.isdisjoint(heavy | {"mistral_common", "jinja2", "transformers"})
    assert len(loaded) < 400


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run, command) -> None:
    for option in ("--help", "-h"):
        ran = run(command, option)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(f"Usage: ostro {command}")


def test_no_command_shows_the_help(run) -> None:
    ran = run()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: ostro [OPTIONS] COMMAND")
    assert ran.err.strip() == run("--help").out.strip()


def test_version(run) -> None:
    ran = run("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"{ostro.__version__}\n", "")


def test_the_console_script_is_this_command() -> None:
    script = Path(sys.executable).with_name("ostro")
    if not script.exists():
        pytest.skip("ostro is not installed beside this Python")
    done = subprocess.run([script, "plan", "nobody"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ostro: no model 'nobody'")


def refused(ran, *words: str) -> None:
    """Exit code 2, nothing on standard output, one line on standard error that says this."""
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("ostro: ")
    assert ran.err.count("\n") == 1
    assert ran.err.endswith("\n")
    for word in words:
        assert word.lower() in ran.err.lower()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dance"], ["No such command 'dance'", "see 'ostro --help'"]),
        (["chat", "--loud"], ["No such option", "--loud", "see 'ostro chat --help'"]),
        (["generate"], ["Missing argument 'MODEL'", "see 'ostro generate --help'"]),
        (["generate", "m"], ["Missing option '--prompt'"]),
        (["convert", "a"], ["Missing argument 'TARGET'"]),
        (["plan", "demo", "--batch", "0"], ["--batch"]),
        (["plan", "demo", "--batch", "many"], ["--batch"]),
        (["plan", "demo", "extra"], ["extra"]),
        (["chat", "--max-tokens", "0", "--prompt", "a"], ["--max-tokens"]),
        (["chat", "--top-p", "2", "--prompt", "a"], ["--top-p"]),
        (["chat", "--prompt"], ["--prompt"]),
        (["chat", "nobody", "--prompt", "a"], ["no model 'nobody'", "ostro pull"]),
        (["generate", "org/nobody", "--prompt", "a"], ["try ostro pull org/nobody"]),
        (["verify", "nobody"], ["no model 'nobody'"]),
        (["plan", "nobody"], ["no model 'nobody'", "mixtral-8x7b"]),
        (["plan", "demo", "--type", "Q9"], ["unknown weight type 'Q9'; known: F32"]),
        (["plan", "demo", "--context", "9999999"], ["context 9999999 is out of range"]),
        (["plan", "demo", "--memory", "lots"], ["lots"]),
        (["remove", "nobody"], ["no model 'nobody' to remove; there are: none yet"]),
        (["remove", "../home"], ["not a model's name"]),
        (["pull", "one-word"], ["one-word"]),
        (["pull", "org/name", "--dense-parent", "f"], ["belongs to 'ostro pull demo' alone"]),
    ],
)
def test_a_mistake_is_one_line(run, arguments, words) -> None:
    refused(run(*arguments), *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--context", "513"], ["context 513 is out of range", "reads 1 to 512"]),
        (["--type", "Q4_0"], ["dtype 'Q4_0' is not supported; use float32"]),
        (["--type", "int3"], ["dtype 'int3' is not supported"]),
        (["--device", "abacus"], ["unknown device 'abacus'"]),
        (["--messages", "m.json"], ["either --prompt or --messages, not both"]),
        (["--stop", ""], ["stop"]),
        (["--repetition-penalty", "0"], ["repetition_penalty = 0.0 is out of range"]),
        (["--seed", str(1 << 64)], ["seed"]),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_mistake_about_a_real_model_is_one_line(run, speller, options, words, as_json) -> None:
    json_option = ["--json"] if as_json else []
    ran = run("chat", speller, "--prompt", "Hello", *options, *json_option)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("ostro: ")
    assert ran.err.count("ostro: ") == 1
    for word in words:
        assert word in ran.err


@pytest.mark.parametrize("command", ["chat", "generate", "plan", "verify", "convert", "upcycle"])
def test_a_damaged_checkpoint_is_one_line(run, speller, tmp_path, command) -> None:
    damaged = shutil.copytree(speller, tmp_path / "damaged")
    tensors = load_file(damaged / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, damaged / "model.safetensors")
    rest = {
        "chat": ["--prompt", "a"],
        "generate": ["--prompt", "a"],
        "convert": [tmp_path / "new", "--to", "gguf"],
        "upcycle": [tmp_path / "new"],
    }
    refused(run(command, damaged, *rest.get(command, [])), "model.norm.weight")
    assert not (tmp_path / "new").exists()


def test_a_bad_environment_variable_is_one_line(run, monkeypatch) -> None:
    monkeypatch.setenv("OSTRO_THREADS", "two")
    refused(run("list"), "OSTRO_THREADS must be a whole number above 0, not 'two'")


def test_ctrl_c_is_no_traceback(run, monkeypatch) -> None:
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr("ostro.cli.models.run_list", interrupt)
    ran = run("list")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.strip() == "ostro: stopped"


def test_a_bug_is_not_taken_for_a_mistake(monkeypatch) -> None:
    from ostro.cli.main import main

    def fail(**_):
        raise ZeroDivisionError

    monkeypatch.setattr("ostro.cli.models.run_list", fail)
    monkeypatch.setattr(sys, "argv", ["ostro", "list"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_the_list_is_json_when_asked(run) -> None:
    assert json.loads(run("list", "--json").out) == []

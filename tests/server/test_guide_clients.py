"""The Prompt Engineering Guide's way of asking, unchanged, with Mistral's real clients.

Fresh environments are made with pip, which is why these are slow: about 20 s for each.
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_chat import ANSWER, FakeChat
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress
from ostro.server.launch import child_variables, ready_client, run_program
from ostro.server.legacy_client import cache_folder

pytestmark = pytest.mark.slow

# The guide's code: a key, a helper without an endpoint, and each of its kinds of prompt.
GUIDE = '''
import json, os, sys
from mistralai.client import MistralClient
from mistralai.models.chat_completion import ChatMessage

api_key = os.environ["MISTRAL_API_KEY"]
client = MistralClient(api_key=api_key)

def get_completion(messages, model="mistral-small"):
    return client.chat(model=model, messages=messages)

def get_completion_safe(messages, model="mistral-small"):
    return client.chat(model=model, messages=messages, safe_mode=True)

joke = [ChatMessage(role="user", content="Tell me a joke about sharks")]
raw = [ChatMessage(role="user", content="[INST]Extract the name as JSON: Ada, 36.[/INST]")]
turns = """<s>[INST] What is your favourite condiment? [/INST]
"Lemon juice."</s>[INST] The right amount of what? [/INST]"""
multi_turn = [ChatMessage(role="user", content=turns)]
conversation = [
    ChatMessage(role="user", content="Name a sea."),
    ChatMessage(role="assistant", content="The Tyrrhenian Sea."),
    ChatMessage(role="user", content="Name another."),
]
few_shot = [
    ChatMessage(role="system", content="Label a text neutral, negative or positive."),
    ChatMessage(role="user", content="Text: It was fine.\\nSentiment:"),
    ChatMessage(role="assistant", content="neutral"),
    ChatMessage(role="user", content="Text: I love it!\\nSentiment:"),
]
code = [
    ChatMessage(role="system", content="You write Python functions, and nothing but code."),
    ChatMessage(role="user", content="A function that turns Celsius into Fahrenheit."),
]
answers = [
    get_completion(messages)
    for messages in (joke, raw, multi_turn, conversation, few_shot, code)
]
answers.append(get_completion_safe(joke))
answers.append(client.chat(model="mistral-small", messages=joke, safe_prompt=True))
said = [answer.choices[0].message.content for answer in answers]
json.dump([said, answers[0].usage.prompt_tokens], open(sys.argv[1], "w"))
'''
LATER = """
import json, sys
from mistralai.client import Mistral

client = Mistral(api_key="k")
answer = client.chat.complete(
    model="mistral-small", messages=[{"role": "user", "content": "Tell me a joke about sharks"}]
)
json.dump(answer.choices[0].message.content, open(sys.argv[1], "w"))
"""


class Machine:
    """A folder of environments, and ostro's own home for the cache."""

    def __init__(self, root: Path, environment: Environment) -> None:
        self.root = root
        self.environment = environment

    def python(self, *requirements: str) -> str:
        """The Python of a fresh environment with ``requirements``."""
        folder = self.root / "-".join(["venv", *requirements])
        venv.create(folder, with_pip=True)
        python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
        if requirements:
            pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            command = [*pip, *self.environment.pip_args, *requirements]
            subprocess.run(command, check=True, stderr=subprocess.PIPE)
        return python

    def run(self, python: str, code: str, chat: FakeChat) -> object:
        """Run ``code`` as ``ostro run`` does; what it wrote."""
        script, written = self.root / "script.py", self.root / "written.json"
        script.write_text(code)
        own = {**os.environ, "PYTHONPATH": ""}
        command = [python, str(script), str(written)]
        fetch = [sys.executable, "-c", "raise SystemExit('it was not there before the start')"]
        ready_client(command, self.environment, own, TerminalProgress())
        variables = child_variables(own, chat.url, self.environment, fetch)
        assert run_program(command, variables) == 0
        return json.loads(written.read_text())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    root = tmp_path_factory.mktemp("guide")
    pip_args = Environment.read().pip_args
    return Machine(root, Environment(home=root / "home", pip_args=pip_args))


@pytest.fixture
def chat() -> Iterator[FakeChat]:
    with FakeChat() as chat:
        yield chat


def check_guide(machine: Machine, python: str, chat: FakeChat) -> None:
    """Run the guide's code and compare what arrived with what it says."""
    assert machine.run(python, GUIDE, chat) == [[ANSWER] * 8, 15]
    joke, raw, multi_turn, conversation, few_shot, code, safe, safe_too = chat.requests
    assert joke["path"] == "/v1/chat/completions"
    assert {request["model"] for request in chat.requests} == {"mistral-small"}
    assert joke["messages"] == [{"role": "user", "content": "Tell me a joke about sharks"}]
    assert raw["messages"][0]["content"].startswith("[INST]Extract")
    assert multi_turn["messages"][0]["content"].startswith("<s>[INST] What")
    roles = [[m["role"] for m in r["messages"]] for r in (conversation, few_shot, code)]
    assert roles[0] == ["user", "assistant", "user"]
    assert roles[1] == ["system", "user", "assistant", "user"]
    assert roles[2] == ["system", "user"]
    prompts = [request.get("safe_prompt", False) for request in chat.requests]
    assert prompts == [False] * 6 + [True, True]
    assert safe["messages"] == safe_too["messages"] == joke["messages"]


@pytest.mark.parametrize("version", ["0.0.12", "0.4.2"])
def test_the_guide_with_a_client_of_its_time(
    machine: Machine, chat: FakeChat, version: str, capfd: pytest.CaptureFixture[str]
) -> None:
    check_guide(machine, machine.python(f"mistralai=={version}"), chat)
    assert capfd.readouterr().err == ""
    assert not cache_folder(machine.environment).exists()


def test_the_guide_with_the_newest_client(
    machine: Machine, chat: FakeChat, capfd: pytest.CaptureFixture[str]
) -> None:
    python = machine.python("mistralai==3.7.0")
    assert machine.run(python, LATER, chat) == ANSWER
    assert chat.requests.pop()["path"] == "/v1/chat/completions"
    assert capfd.readouterr().err == ""
    check_guide(machine, python, chat)
    progress, used = capfd.readouterr().err.splitlines()
    assert progress.startswith("fetching mistralai 0.4.2 for Python 3.")
    assert used == "ostro: this Python has mistralai 3.7.0 without MistralClient; using 0.4.2"


def test_the_guide_without_any_client(
    machine: Machine, chat: FakeChat, capfd: pytest.CaptureFixture[str]
) -> None:
    check_guide(machine, machine.python(), chat)
    used = capfd.readouterr().err.splitlines()[-1]
    assert used == "ostro: this Python has no mistralai; using 0.4.2"

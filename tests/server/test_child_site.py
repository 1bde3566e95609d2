"""What a program's Python does with ostro's folder on its path, with packages like Mistral's."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fake_mistralai import PUBLIC, write_legacy, write_one, write_three
from ostro.server.child_site import ostro_legacy
from ostro.server.legacy_client import CHILD_SITE

URL = "http://127.0.0.1:9"
GUIDE = (
    "from mistralai.client import MistralClient\n"
    "from mistralai.models.chat_completion import ChatMessage\n"
    "print(MistralClient(api_key='k')._endpoint)\n"
)
MESSAGES_FIRST = (
    "from mistralai.models.chat_completion import ChatMessage\n"
    "import mistralai.models.chat_completion\n"
    "assert mistralai.models.chat_completion.ChatMessage is ChatMessage\n"
    "from mistralai.client import MistralClient\n"
    "print(MistralClient(api_key='k')._endpoint)\n"
)
ASYNC = (
    "from mistralai.async_client import MistralAsyncClient\nprint(MistralAsyncClient()._endpoint)\n"
)
LATER = {
    "1": "from mistralai import Mistral\n",
    "3": "from mistralai.client import Mistral\n",
}
WRITERS: dict[str, Callable[[Path], None]] = {"1": write_one, "3": write_three}


@dataclass
class Program:
    """Runs code in a Python that has ``packages`` and ostro's folder on its path."""

    root: Path
    path: list[Path] = field(default_factory=list)

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    @property
    def cached(self) -> Path:
        return self.root / "cache" / ostro_legacy.tag()

    def run(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        self.packages.mkdir(exist_ok=True)
        script = self.root / "program.py"
        script.write_text(code)
        fetch = [sys.executable, "-c", f"open({str(self.root / 'asked')!r}, 'a').write('x')"]
        own = {
            "PYTHONPATH": os.pathsep.join(map(str, [CHILD_SITE, *self.path, self.packages])),
            "OSTRO_URL": URL,
            "OSTRO_RUN_CLIENTS": str(self.root / "cache"),
            "OSTRO_RUN_FETCH": json.dumps(fetch),
        }
        return subprocess.run(
            [sys.executable, str(script)],
            env={**os.environ, **own, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def lines(self, code: str, **variables: str) -> list[str]:
        """What it prints; it must succeed and say nothing on standard error."""
        done = self.run(code, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    def times_asked(self) -> int:
        """How often ostro was asked to fetch."""
        asked = self.root / "asked"
        return len(asked.read_text()) if asked.exists() else 0


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.mark.parametrize("code", [GUIDE, MESSAGES_FIRST, ASYNC])
def test_an_earlier_client_asks_ostro(program: Program, code: str) -> None:
    write_legacy(program.packages, "0.0.12")
    assert program.lines(code) == [URL]


def test_an_endpoint_that_the_program_names_stays(program: Program) -> None:
    write_legacy(program.packages)
    named = (
        "from mistralai.client import MistralClient as C\nprint(C(endpoint='http://own')._endpoint)"
    )
    assert program.lines(named) == ["http://own"]
    public = (
        f"from mistralai.client import MistralClient as C\nprint(C(endpoint={PUBLIC!r})._endpoint)"
    )
    assert program.lines(public) == [PUBLIC]


@pytest.mark.parametrize("major", ["1", "3"])
def test_a_later_client_asks_ostro_unless_told_whom(program: Program, major: str) -> None:
    WRITERS[major](program.packages)
    code = (
        "print(Mistral(api_key='k').endpoint)\n"
        "print(Mistral(server_url='http://own').endpoint)\n"
        "print(Mistral(server='us').endpoint)\n"
        "c = Mistral().sdk_configuration\n"
        "print(c.get_server_details()[0])\n"
    )
    own, us = "http://own", "https://api.us.mistral.ai"
    assert program.lines(LATER[major] + code) == [URL, own, us, URL]
    assert program.times_asked() == 0


def test_a_later_client_with_another_configuration_is_told_of(program: Program) -> None:
    write_three(program.packages)
    configuration = program.packages / "mistralai/client/sdkconfiguration.py"
    configuration.write_text("class SDKConfiguration: ...")
    done = program.run("import mistralai.client.sdkconfiguration")
    assert (
        done.stderr == f"ostro: this mistralai asks Mistral's server; give it server_url={URL!r}\n"
    )


@pytest.mark.parametrize("code", [GUIDE, MESSAGES_FIRST, ASYNC])
@pytest.mark.parametrize(
    ("write", "have"),
    [
        (write_one, "mistralai 1.12.4 without MistralClient"),
        (write_three, "mistralai 3.7.0 without MistralClient"),
        (None, "no mistralai"),
    ],
)
def test_a_program_for_the_earlier_client_gets_it(
    program: Program, write: Callable[[Path], None] | None, have: str, code: str
) -> None:
    if write is not None:
        write(program.packages)
    write_legacy(program.cached)
    done = program.run(code)
    assert (done.returncode, done.stdout) == (0, f"{URL}\n")
    assert done.stderr == f"ostro: this Python has {have}; using 0.4.2\n"
    assert program.times_asked() == 0


def test_exceptions_alone_are_enough_to_ask(program: Program) -> None:
    write_three(program.packages)
    write_legacy(program.cached)
    done = program.run("from mistralai.exceptions import MistralException\nprint('ok')")
    assert done.stdout == "ok\n"


def test_packages_that_are_here_are_used_before_those_of_the_cache(program: Program) -> None:
    write_three(program.packages)
    write_legacy(program.cached)
    for folder, value in ((program.packages, "own"), (program.cached, "cached")):
        (folder / "shared.py").write_text(f"VALUE = {value!r}")
    (program.cached / "lacking.py").write_text("VALUE = 'cached'")
    done = program.run(f"{GUIDE}import shared, lacking\nprint(shared.VALUE, lacking.VALUE)")
    assert done.stdout.splitlines() == [URL, "own cached"]


def test_ostro_is_asked_once_when_the_cache_lacks_it(program: Program) -> None:
    write_three(program.packages)
    code = (
        "for attempt in range(2):\n"
        "    try:\n"
        "        from mistralai.client import MistralClient\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
        "from mistralai.client import Mistral\n"
        "print(Mistral().endpoint)\n"
    )
    *errors, endpoint = program.lines(code)
    assert len(errors) == 2
    assert "cannot import name 'MistralClient'" in errors[0]
    assert endpoint == URL
    assert program.times_asked() == 1


def test_what_ostro_fetches_is_used_at_once(program: Program) -> None:
    write_three(program.packages)
    write_legacy(program.root / "fetched")
    copy = "import shutil, sys; shutil.copytree(*sys.argv[1:3])"
    fetch = [sys.executable, "-c", copy, str(program.root / "fetched"), str(program.cached)]
    done = program.run(GUIDE, OSTRO_RUN_FETCH=json.dumps(fetch))
    assert done.stdout == f"{URL}\n"


def test_the_stub_of_1_stays_where_the_earlier_client_cannot_be_had(program: Program) -> None:
    write_one(program.packages)
    done = program.run("from mistralai.client import MistralClient\nMistralClient(api_key='k')")
    assert "NotImplementedError: pin your version to 0.4.2" in done.stderr


def test_an_installed_package_that_asks_for_it_is_left_alone(program: Program) -> None:
    write_three(program.packages)
    write_legacy(program.cached)
    installed = program.root / "site-packages"
    installed.mkdir()
    (installed / "adapter.py").write_text(
        "try:\n    from mistralai.client import MistralClient as Client\n"
        "except ImportError:\n    from mistralai.client import Mistral as Client\n"
    )
    program.path.append(installed)
    assert program.lines("from adapter import Client\nprint(Client.__name__)") == ["Mistral"]


def test_a_missing_mistralai_is_missing_for_those_who_look(program: Program) -> None:
    write_legacy(program.cached)
    code = (
        "import importlib.util\n"
        "print(importlib.util.find_spec('mistralai'))\n"
        "for statement in ('import mistralai', 'from mistralai import Mistral',\n"
        "                  'from mistralai.client import Mistral'):\n"
        "    try:\n        exec(statement)\n"
        "    except ModuleNotFoundError as error:\n        print(error)\n"
    )
    assert program.lines(code) == ["None", *["No module named 'mistralai'"] * 3]


def test_an_earlier_client_of_the_programs_own_is_never_replaced(program: Program) -> None:
    write_legacy(program.packages, "0.0.12")
    write_legacy(program.cached)
    (program.cached / "mistralai/jobs.py").write_text("")
    done = program.run(f"{GUIDE}import mistralai.jobs")
    assert "No module named 'mistralai.jobs'" in done.stderr
    assert "using 0.4.2" not in done.stderr


def test_packages_that_do_not_go_with_it_are_told_of(program: Program) -> None:
    write_three(program.packages)
    write_legacy(program.cached)
    base = program.cached / "mistralai/client_base.py"
    base.write_text("from json import no_such_thing")
    done = program.run("from mistralai.client import MistralClient")
    assert done.returncode == 1
    assert "ostro: install mistralai==0.4.2 here; it does not go with what is here" in done.stderr


def test_what_the_program_starts_asks_ostro_too(program: Program) -> None:
    write_legacy(program.packages)
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {GUIDE!r}], check=True)"
    assert program.lines(code) == [URL]


def test_a_program_without_mistral_notices_nothing(program: Program) -> None:
    code = (
        "import sys\n"
        f"print({str(CHILD_SITE)!r} in sys.path)\n"
        "print([name for name in ('subprocess', 'platform', 'importlib.metadata')\n"
        "       if name in sys.modules])\n"
    )
    assert program.lines(code) == ["False", "[]"]


def test_without_an_address_nothing_is_watched(program: Program) -> None:
    write_legacy(program.packages)
    assert program.lines(GUIDE, OSTRO_URL="") == [PUBLIC]


def test_the_programs_own_sitecustomize_runs(program: Program) -> None:
    own = program.root / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("print('own', __name__)")
    program.path.append(own)
    code = "import sitecustomize\nprint(sitecustomize.__file__)"
    assert program.lines(code) == ["own sitecustomize", str(own / "sitecustomize.py")]


@pytest.mark.parametrize("statement", ["1 / 0", "import no_such_module"])
def test_a_broken_sitecustomize_fails_as_it_does_without_ostro(
    program: Program, statement: str
) -> None:
    (program.root / "sitecustomize.py").write_text(statement)
    program.path.append(program.root)
    with_ostro = program.run("print('went on')")
    without = program.run("print('went on')", PYTHONPATH=str(program.root))
    assert "Error in sitecustomize" in with_ostro.stderr
    assert with_ostro.stderr == without.stderr
    assert with_ostro.stdout == without.stdout == "went on\n"


def test_the_folder_is_readable_by_every_python_from_3_8() -> None:
    for path in CHILD_SITE.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 8))

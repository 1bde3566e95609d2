"""The installation script and the Makefile around it, without a network."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import install
import install_pip
import install_torch
from install_pip import InstallError, Pip, PipProgress
from install_steps import Steps
from install_torch import Package

ROOT = Path(__file__).parents[1]
CUDA = ("nvidia-cublas==13; platform_system == 'Linux'", "triton==3.7.1", "sympy>=1.13")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakePip(Pip):
    """Answers pip's reports from a table of requirement to packages."""

    def __init__(self, offers: dict[str, list[Package]], words: list[str] | None = None) -> None:
        super().__init__(Path("python"), Path("log"), words or [])
        self.offers = offers

    def report(self, requirements: list[str]) -> str | None:
        packages = self.offers.get(requirements[0])
        if packages is None:
            return None
        entries = [
            {
                "metadata": {"name": p.name, "version": p.version, "requires_dist": p.requires},
                "download_info": {"url": p.url},
            }
            for p in packages
        ]
        return json.dumps({"install": entries})


def torch_build(version: str, *requires: str) -> Package:
    return Package("torch", version, "file:///nowhere/torch.whl", requires)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("requirements", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.fixture
def on_linux(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    monkeypatch.setattr(sys, "platform", "linux")

    def with_gpu(present: bool) -> None:
        monkeypatch.setattr(install_torch, "has_nvidia_gpu", lambda: present)

    return with_gpu


@pytest.mark.parametrize(
    ("version", "complaint"), [((3, 10, 4), "3.10"), ((3, 14, 0), "3.14"), ((2, 7, 1), "2.7")]
)
def test_a_python_out_of_range_is_refused_by_version(
    version: tuple[int, ...], complaint: str
) -> None:
    with pytest.raises(InstallError, match=complaint):
        install.check_python(version, has_venv=True)


def test_a_missing_venv_module_names_the_package() -> None:
    with pytest.raises(InstallError, match="python3-venv"):
        install.check_python((3, 11, 2), has_venv=False)
    install.check_python((3, 13, 0), has_venv=True)


def test_every_requirement_is_pinned_exactly_once() -> None:
    names = []
    for file in ("chat.txt", "dev.txt", "pip.txt"):
        for line in (ROOT / "requirements" / file).read_text().splitlines():
            if line and not line.startswith("#"):
                name, _, version = line.partition("==")
                assert version, f"{file}: {line!r} is not pinned"
                names.append(name.partition("[")[0])
    assert len(names) == len(set(names))


def test_every_dependency_of_the_package_is_pinned_for_the_chat() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = (ROOT / "requirements" / "chat.txt").read_text()
    for dependency in project["dependencies"]:
        name = dependency.partition(">=")[0]
        assert f"\n{name}==" in pinned, f"requirements/chat.txt lacks {name}"


@pytest.mark.parametrize(
    ("package", "platform", "is_cpu"),
    [
        (torch_build("2.13.0+cpu"), "linux", True),
        (torch_build("2.13.0", *CUDA), "linux", False),
        (torch_build("2.13.0", "sympy>=1.13"), "linux", True),
        (torch_build("2.13.0", *CUDA), "darwin", True),
        (torch_build("2.13.0+cu130"), "linux", False),
    ],
)
def test_a_cpu_build_is_told_from_one_for_cuda(
    package: Package, platform: str, is_cpu: bool
) -> None:
    assert package.is_cpu_torch(platform) is is_cpu


def test_a_cuda_build_without_a_gpu_is_announced_with_its_size(
    checkout: Path, on_linux: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_linux(False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    ordinary, cublas = torch_build("2.13.0", *CUDA), Package("nvidia-cublas", "13", "x:/y", ())
    monkeypatch.setattr(install_torch, "sizes_of", lambda packages: [527_000_000, None])
    said = io.StringIO()
    pip = FakePip({"torch==2.13.0": [ordinary, cublas]})
    choice = install_torch.choose_torch(checkout, pip, Steps([("torch", 1)], said))
    assert choice.words == ()
    assert choice.megabytes > 527
    for words in ("torch 2.13.0", "527.0 MB", "nvidia-cublas 13", "size unknown", "PIP_ARGS="):
        assert words in said.getvalue()


def test_a_cpu_build_is_taken_in_silence(checkout: Path, on_linux: Callable[[bool], None]) -> None:
    on_linux(False)
    said = io.StringIO()
    pip = FakePip({"torch==2.13.0": [torch_build("2.13.0+cpu")]})
    assert install_torch.choose_torch(checkout, pip, Steps([], said)).words == ()
    assert said.getvalue() == ""


@pytest.mark.parametrize(
    ("words", "expected"), [([], ("torch===2.13.0",)), (["--find-links", "here"], ())]
)
def test_a_gpu_gets_the_ordinary_build_unless_the_user_chose(
    checkout: Path, on_linux: Callable[[bool], None], words: list[str], expected: tuple[str, ...]
) -> None:
    on_linux(True)
    offers = {
        "torch==2.13.0": [torch_build("2.13.0+cpu")],
        "torch===2.13.0": [torch_build("2.13.0", *CUDA)],
    }
    pip = FakePip(offers, words)
    assert install_torch.choose_torch(checkout, pip, Steps([])).words == expected


def test_an_installed_torch_is_not_asked_for_again(checkout: Path) -> None:
    site = checkout / ".venv" / "lib" / "python3.11" / "site-packages"
    (site / "torch-2.13.0+cpu.dist-info").mkdir(parents=True)
    choice = install_torch.choose_torch(checkout, FakePip({}), Steps([]))
    assert choice.megabytes == install_torch.OTHER_MEGABYTES


def test_pip_arguments_are_split_as_a_shell_would_and_a_wheel_becomes_a_place() -> None:
    words = install_pip.environment_words("--extra-index-url 'a b' here/torch-2.13.0+cpu.whl")
    assert words == ["--extra-index-url", "a b", "--find-links", "here/torch-2.13.0+cpu.whl"]
    assert install_pip.environment_words("-f x.whl") == ["-f", "x.whl"]
    with pytest.raises(InstallError, match="PIP_ARGS"):
        install_pip.environment_words("'open")


def test_an_index_can_be_used_beside_the_ordinary_one() -> None:
    words = ["--index-url", "a", "--index-url=b", "-i", "c", "--pre"]
    beside = ["--extra-index-url", "a", "--extra-index-url=b", "--extra-index-url", "c", "--pre"]
    assert install_pip.add_index(words) == beside


def test_a_failed_command_shows_its_errors_and_the_log(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    program = "print('noise'); print('ERROR: no space left'); raise SystemExit(3)"
    with pytest.raises(InstallError) as caught:
        install_pip.run([sys.executable, "-c", program], log, "try", tick=lambda: None)
    assert str(log) in str(caught.value)
    assert str(caught.value).endswith("ERROR: no space left")
    assert "noise" in log.read_text()


def test_progress_grows_with_every_line_and_stays_below_one() -> None:
    clock = Clock()
    progress = PipProgress(packages=2, megabytes=2.0, clock=clock)
    seen = [progress.fraction()]
    for line in (
        "Collecting torch==2.13.0",
        "Progress 400000 of 900000",
        "Progress 900000 of 900000",
        "Collecting numpy==2.3.5",
        "Progress 100000 of 100000",
        "Installing collected packages: numpy, torch",
    ):
        progress.feed(line)
        seen.append(progress.fraction())
    clock.now += 1e6
    seen.append(progress.fraction())
    assert seen == sorted(set(seen))
    assert seen[-1] < 1


def test_time_left_follows_the_pace_of_the_steps_that_are_done() -> None:
    clock, out = Clock(), io.StringIO()
    steps = Steps([("one", 10), ("two", 30)], out, clock)
    steps.start("first")
    expected = steps.time_left()
    assert expected == pytest.approx(40)
    clock.now += 5
    assert steps.time_left() == pytest.approx(35)
    clock.now += 25  # Three times as long as planned: the rest will take longer too.
    steps.start("second")
    slow = steps.time_left()
    assert 30 < slow < 90
    steps.finish()
    assert out.getvalue().splitlines() == [
        "[1/2] first (about 40 s left)",
        "[2/2] second (about 50 s left)",
        "Installed in 30 s.",
    ]


def test_an_environment_that_is_not_ours_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "precious").touch()
    stamp, log = install.Stamp(checkout), checkout / "log"
    with pytest.raises(InstallError, match="not made by this script"):
        install.make_environment(checkout, stamp, log, Steps([("venv", 1)], io.StringIO()))
    assert (checkout / ".venv" / "precious").exists()
    assert stamp.read() is None


def test_an_unfinished_environment_is_made_anew(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = install.Stamp(checkout)
    stamp.write({})
    (checkout / ".venv" / "half").touch()
    monkeypatch.setattr(install, "run", lambda *args, **options: None)
    steps = Steps([("venv", 1)], io.StringIO())
    install.make_environment(checkout, stamp, checkout / "log", steps)
    assert not (checkout / ".venv" / "half").exists()
    assert stamp.read() == {}


def test_a_failed_addition_keeps_what_worked_before(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = {"chat": install.fingerprint(checkout, "chat")}
    stamp = install.Stamp(checkout)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "ostro"):
        (checkout / ".venv" / "bin" / name).touch()
    stamp.write(finished)

    def refuse(*args: object) -> None:
        raise InstallError("no network")

    monkeypatch.setattr(install, "install_packages", refuse)
    with pytest.raises(InstallError, match="no network"):
        install.install(checkout, "dev", Steps([("venv", 1)], io.StringIO()), "")
    assert stamp.is_current("chat")


def stamp_as_finished(checkout: Path, command: str) -> None:
    script = checkout / ".venv" / "bin" / "ostro"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!{sys.executable}\n{command}\n")
    script.chmod(0o755)
    install.Stamp(checkout).write({"chat": install.fingerprint(checkout, "chat")})


def test_nothing_is_done_when_nothing_has_changed(checkout: Path) -> None:
    stamp_as_finished(checkout, "")
    command = [sys.executable, "scripts/install.py", "chat"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (checkout / "build").exists()
    pins = checkout / "requirements" / "chat.txt"
    pins.write_text(pins.read_text().replace("rich==15.0.0", "rich==15.0.1"))
    assert not install.Stamp(checkout).is_current("chat")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    "prompt",
    [
        """It's a "quoted" word""",
        "costs $5, $(HOME), $$ and ${PATH}",
        "`id` $(shell id) ; rm -rf nothing # not a comment",
        "back\\slash\ttab é ☃ 100%",
        "two\nlines",
        "--help",
    ],
)
def test_a_prompt_reaches_the_program_unchanged(checkout: Path, prompt: str) -> None:
    stamp_as_finished(checkout, "import sys, json; print(json.dumps(sys.argv[1:]))")
    command = ["make", "chat", f"PROMPT={prompt}", f"PYTHON={sys.executable}"]
    # The tests may run under make themselves, which would make this one tell where it goes.
    outer = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")
    env = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(
        command, cwd=checkout, capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["chat", "demo", f"--prompt={prompt}"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_gate_is_a_valid_script() -> None:
    gate = ROOT / ".ci" / "run"
    assert gate.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(gate)], check=True)

"""The installation script and the Makefile around it, without a network."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import install
import install_native
import install_pip
import install_torch
from install_native import Toolchain
from install_pip import InstallError, Pip, PipProgress
from install_steps import Steps
from install_torch import Package

ROOT = Path(__file__).parents[1]
NATIVE = "src/ostro/kernels/native"
COMPLETE = Toolchain("/usr/bin/c++", "/usr/bin/cmake", "/usr/bin/ninja")
BARE = Toolchain(None, None, None)
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
    for name in ("requirements", "scripts", "cmake", NATIVE):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("Makefile", "pyproject.toml", "CMakeLists.txt"):
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
    names, files = [], sorted((ROOT / "requirements").glob("*.txt"))
    assert len(files) == 8
    for file in files:
        for line in file.read_text().splitlines():
            if line and not line.startswith("#"):
                name, _, version = line.partition("==")
                assert version, f"{file.name}: {line!r} is not pinned"
                names.append(name.partition("[")[0])
    assert len(names) == len(set(names))


def pins(kind: str) -> str:
    """The requirements files of one kind of installation, one after another."""
    return "".join((ROOT / "requirements" / name).read_text() for name in install.KINDS[kind])


def test_every_dependency_of_the_package_is_pinned_for_the_kind_that_needs_it() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for kind, dependencies in [
        ("chat", project["dependencies"]),
        *project["optional-dependencies"].items(),
    ]:
        # An extra that no kind of installation has is there for tests.
        pinned = pins(kind if kind in install.KINDS else "dev")
        for dependency in dependencies:
            name = dependency.partition(">=")[0]
            assert f"\n{name}==" in pinned, f"the pins for {kind} lack {name}"


def test_each_kind_of_installation_contains_the_smaller_ones() -> None:
    chat, serve, train, dev = (
        set(install.KINDS[kind]) for kind in ("chat", "serve", "train", "dev")
    )
    assert chat < serve < dev
    assert chat < train < dev


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
    stamp_native(checkout, {"chat": install.fingerprint(checkout, "chat")})


def stamp_native(checkout: Path, entries: dict[str, str]) -> None:
    """Stamp ``entries`` and a native library that is up to date."""
    compiler = install_native.find_toolchain().compiler
    native = install_native.native_fingerprint(checkout, compiler)
    install_native.library_path(checkout).touch()
    install.Stamp(checkout).write({**entries, "native": native, "library": "built"})


def test_nothing_is_done_when_nothing_has_changed(checkout: Path) -> None:
    stamp_as_finished(checkout, "")
    command = [sys.executable, "scripts/install.py", "chat"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (checkout / "build").exists()
    pins = checkout / "requirements" / "chat.txt"
    pins.write_text(pins.read_text().replace("rich==15.0.0", "rich==15.0.1"))
    assert not install.Stamp(checkout).is_current("chat")


class BuildingPip(Pip):
    """Notes what it was asked to install; "builds" the library unless the compiler is broken."""

    def __init__(self, checkout: Path, *, refuses: str = "", compiler_works: bool = True) -> None:
        super().__init__(Path("python"), Path("log"), [])
        self.checkout = checkout
        self.refuses = refuses
        self.compiler_works = compiler_works
        self.asked: list[list[str]] = []
        self.variables: dict[str, str] = {}

    def install(self, arguments: Sequence[str], what: str, **options: Any) -> None:
        self.asked.append(list(arguments))
        if self.refuses and any(self.refuses in word for word in arguments):
            raise InstallError(f"no {self.refuses}")
        if "--editable" not in arguments:
            return
        self.variables = dict(options["variables"])
        if self.compiler_works and "wheel.cmake=false" not in arguments:
            install_native.library_path(self.checkout).touch()
        elif "OSTRO_REQUIRE_NATIVE" in self.variables:
            raise InstallError("does not compile")


@pytest.fixture
def on_x86(monkeypatch: pytest.MonkeyPatch) -> Callable[[Toolchain], None]:
    """A function that sets what build tools this x86-64 machine has."""
    monkeypatch.setattr(install_native, "is_supported", lambda: True)

    def with_tools(tools: Toolchain) -> None:
        monkeypatch.setattr(install, "find_toolchain", lambda: tools)

    return with_tools


def build(checkout: Path, kind: str, pip: Pip) -> tuple[dict[str, str], str]:
    """What the last step stamps, and what it says."""
    (checkout / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    said = io.StringIO()
    return install.install_ostro(checkout, kind, pip, Steps([("ostro", 1)], said)), said.getvalue()


def test_the_systems_tools_are_used_and_nothing_is_fetched(
    checkout: Path, on_x86: Callable[[Toolchain], None]
) -> None:
    on_x86(COMPLETE)
    pip = BuildingPip(checkout)
    entries, said = build(checkout, "chat", pip)
    assert entries["library"] == "built"
    assert len(pip.asked) == 1
    assert "--no-build-isolation" in pip.asked[0]
    assert pip.variables == {"CXX": COMPLETE.compiler}
    assert "plain PyTorch" not in said


def test_what_the_system_lacks_comes_as_wheels(
    checkout: Path, on_x86: Callable[[Toolchain], None]
) -> None:
    on_x86(BARE)
    pip = BuildingPip(checkout)
    build(checkout, "chat", pip)
    tools, _ = pip.asked
    assert [pin.partition("==")[0] for pin in tools] == ["cmake", "ninja", "ziglang"]
    compiler = Path(pip.variables["CXX"])
    assert os.access(compiler, os.X_OK)
    assert "-mcpu=baseline" in compiler.read_text()
    assert pip.variables["ZIG_GLOBAL_CACHE_DIR"].startswith(str(checkout))


def test_without_any_tools_the_chat_is_installed_and_says_what_is_missing(
    checkout: Path, on_x86: Callable[[Toolchain], None]
) -> None:
    on_x86(BARE)
    pip = BuildingPip(checkout, refuses="ziglang")
    entries, said = build(checkout, "chat", pip)
    assert entries["library"] == "none"
    assert "wheel.cmake=false" in pip.asked[-1]
    assert "plain PyTorch runs" in said
    assert "install g++" in said
    with pytest.raises(InstallError, match="ziglang"):
        build(checkout, "dev", pip)


def test_sources_that_do_not_compile_stop_developers_and_not_the_chat(
    checkout: Path, on_x86: Callable[[Toolchain], None]
) -> None:
    on_x86(COMPLETE)
    pip = BuildingPip(checkout, compiler_works=False)
    install_native.library_path(checkout).touch()  # An earlier build's must not pass for this one.
    entries, said = build(checkout, "chat", pip)
    assert entries["library"] == "none"
    assert "install.log" in said
    assert not install_native.library_path(checkout).exists()
    with pytest.raises(InstallError, match="does not compile"):
        build(checkout, "dev", pip)


def test_other_processors_fetch_no_tools_and_say_so(
    checkout: Path, on_x86: Callable[[Toolchain], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_x86(BARE)
    monkeypatch.setattr(install_native, "is_supported", lambda: False)
    pip = BuildingPip(checkout, compiler_works=False)
    entries, said = build(checkout, "dev", pip)
    assert entries["library"] == "none"
    assert len(pip.asked) == 1
    assert "no native kernels for" in said


@pytest.mark.parametrize("name", ["CMakeLists.txt", f"{NATIVE}/ostro.h", f"{NATIVE}/new.cpp"])
def test_a_changed_native_source_reruns_the_last_step_alone(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stamp_as_finished(checkout, "")
    ran: list[str] = []

    def rebuild(root: Path, kind: str, pip: Pip, steps: Steps) -> dict[str, str]:
        steps.start("Installing ostro")
        ran.append(kind)
        compiler = install_native.find_toolchain().compiler
        return {"native": install_native.native_fingerprint(root, compiler), "library": "built"}

    monkeypatch.setattr(install, "install_ostro", rebuild)
    monkeypatch.setattr(install, "install_packages", lambda *arguments: ran.append("packages"))

    def run_install() -> str:
        said = io.StringIO()
        install.install(checkout, "chat", Steps([("venv", 4), ("ostro", 6)], said), "")
        return said.getvalue()

    assert run_install() == ""
    with (checkout / name).open("a") as file:
        file.write("// changed\n")
    assert run_install().startswith("[1/1] Installing ostro (about 5 s left)\n")
    assert run_install() == ""
    assert ran == ["chat"]


def test_a_lost_library_is_built_again_and_one_that_cannot_be_built_is_not(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_native, "is_supported", lambda: True)
    stamp, compiler = install.Stamp(checkout), "/usr/bin/c++"
    entries = {"native": install_native.native_fingerprint(checkout, compiler)}
    library = install_native.library_path(checkout)
    (checkout / ".venv").mkdir()
    stamp.write({**entries, "library": "built"})
    assert not stamp.is_native_current("chat", compiler)
    library.touch()
    assert stamp.is_native_current("chat", compiler)
    library.unlink()
    stamp.write({**entries, "library": "none"})
    assert stamp.is_native_current("chat", compiler)
    assert not stamp.is_native_current("dev", compiler), "a developer's build must succeed"
    assert not stamp.is_native_current("chat", "/usr/bin/clang++"), "another compiler may do it"


def test_tools_are_looked_for_where_the_environment_says(tmp_path: Path) -> None:
    for name, output in (("cmake", "cmake version 3.18.4"), ("ninja", ""), ("clang++", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {output}\n")
        (tmp_path / name).chmod(0o755)
    found = install_native.find_toolchain({"PATH": str(tmp_path)})
    assert found.compiler == str(tmp_path / "clang++")
    assert found.missing == ["cmake"], "a CMake that is too old counts as none"
    (tmp_path / "cmake").write_text("#!/bin/sh\necho cmake version 3.21.0\n")
    assert install_native.find_toolchain({"PATH": str(tmp_path)}).missing == []
    nowhere = {"PATH": str(tmp_path / "none"), "CXX": "ccache g++"}
    assert install_native.find_toolchain(nowhere).missing == ["cmake", "ninja"]


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("", False),
        ("CMAKE_GENERATOR:INTERNAL=Unix Makefiles", True),
        ("CMAKE_CXX_COMPILER:FILEPATH=/gone/c++", True),
        ("CMAKE_HOME_DIRECTORY:INTERNAL=/elsewhere", True),
    ],
)
def test_a_build_folder_of_another_compiler_place_or_generator_is_stale(
    tmp_path: Path, change: str, stale: bool
) -> None:
    assert not install_native.is_stale(tmp_path, "/bin/c++", tmp_path)
    lines = [
        "CMAKE_CXX_COMPILER:FILEPATH=/bin/c++",
        f"CMAKE_HOME_DIRECTORY:INTERNAL={tmp_path}",
        "CMAKE_GENERATOR:INTERNAL=Ninja",
        change,
    ]
    (tmp_path / "CMakeCache.txt").write_text("\n".join(lines))
    assert install_native.is_stale(tmp_path, "/bin/c++ -O3", tmp_path) is stale


def test_a_compilers_first_errors_are_shown() -> None:
    lines = ["ERROR: from pip", *(f"  a.cpp:{n}:1: error: e{n}" for n in range(1, 9)), "error: x"]
    assert install_pip.last_errors(lines)[0] == "a.cpp:1:1: error: e1"
    assert len(install_pip.last_errors(lines)) == install_pip.ERROR_LINES


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

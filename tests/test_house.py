"""The laws of the house as tests: docs/architecture.md says why each one holds."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ostro"
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
ROOMS = sorted(folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists())
NAMED_PATH = r"`((?:src|tests|docs|scripts|requirements|\.ci)(?:/[\w.-]+)+)`"
# What runs in other programs' processes, whose variables are not ostro's.
IN_OTHER_PROGRAMS = "server/child_site/"
MOST_LINES_IN_A_FILE = 600
MOST_LINES_IN_A_FUNCTION = 60
MOST_MODULES_FOR_HELP = 450  # typer and rich bring about 320.

Function = ast.FunctionDef | ast.AsyncFunctionDef
MUTABLE = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def public_definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Functions, classes and methods without an underscore, outside functions."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of an attribute chain; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of imported packages, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]


def is_overload(node: ast.stmt) -> bool:
    return isinstance(node, Function) and any(
        dotted(decorator).endswith("overload") for decorator in node.decorator_list
    )


def test_public_things_have_a_docstring_and_annotations() -> None:
    lacking = []
    for path, tree in TREES.items():
        if not ast.get_docstring(tree):
            lacking.append(f"{path}: docstring")
        for name, node in public_definitions(tree.body):
            assert isinstance(node, Function | ast.ClassDef)
            if not ast.get_docstring(node) and not is_overload(node):
                lacking.append(f"{path}: {name}: docstring")
            if isinstance(node, Function):
                lacking += [f"{path}: {name}: {what}" for what in unannotated(node)]
    assert lacking == []


def unannotated(node: Function) -> list[str]:
    """Arguments without a type, and a missing return type."""
    a = node.args
    arguments = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
    names = [
        argument.arg
        for argument in arguments
        if argument is not None
        and argument.annotation is None
        and argument.arg not in ("self", "cls")
    ]
    return names if node.returns is not None else [*names, "return type"]


def test_files_and_functions_stay_small() -> None:
    long = {}
    for path, tree in TREES.items():
        lines = len((PACKAGE / path).read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES_IN_A_FILE:
            long[path] = lines
        for node in functions(tree):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > MOST_LINES_IN_A_FUNCTION:
                long[f"{path}: {node.name}"] = length
    assert long == {}


def uses(tree: ast.AST, *names: str) -> list[str]:
    """Where one of the dotted ``names`` stands."""
    return [
        f"line {node.lineno}: {dotted(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name) and dotted(node) in names
    ]


def test_the_environment_is_read_in_one_place() -> None:
    names = ("os.environ", "os.getenv", "os.putenv", "os.environb")
    found = {
        path: uses(tree, *names)
        for path, tree in TREES.items()
        if not path.startswith(IN_OTHER_PROGRAMS)
    }
    assert {path for path, lines in found.items() if lines} == {"runtime/environment.py"}


def test_only_the_command_line_and_progress_print() -> None:
    found = {
        path: uses(tree, "print", "sys.stdout")
        for path, tree in TREES.items()
        if not path.startswith("cli/") and path != "runtime/progress.py"
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_reference_implementations_are_never_imported() -> None:
    references = {"transformers", "llama_cpp"}
    assert [path for path, tree in TREES.items() if references & set(imported(tree))] == []


def test_a_pickle_is_never_executed() -> None:
    wrong = []
    for path, tree in TREES.items():
        if {"cloudpickle", "dill", "shelve", "joblib", "marshal"} & set(imported(tree)):
            wrong.append(f"{path}: imports a module that executes pickles")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "pickle":
                wrong.append(f"{path}: line {node.lineno}: from pickle import")
            if isinstance(node, ast.Attribute) and dotted(node).startswith("pickle."):
                # Catching its errors is the only use.
                wrong += [] if node.attr.endswith("Error") else [f"{path}: {dotted(node)}"]
            if isinstance(node, ast.Call) and dotted(node.func) == "torch.load":
                wrong += [] if loads_tensors_only(node) else [f"{path}: line {node.lineno}"]
    assert wrong == []


def loads_tensors_only(call: ast.Call) -> bool:
    """Whether ``weights_only=True`` stands in the call."""
    given = {word.arg: word.value for word in call.keywords}
    safe = given.get("weights_only")
    return isinstance(safe, ast.Constant) and safe.value is True


def test_no_module_keeps_state() -> None:
    wrong = []
    for path, tree in TREES.items():
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign):
                targets = [node.target]
            names = [dotted(target) for target in targets]
            variable = [name for name in names if not (name.isupper() or name.startswith("__"))]
            if isinstance(getattr(node, "value", None), MUTABLE):
                wrong += [f"{path}: {name}" for name in variable]
        wrong += [f"{path}: global" for node in ast.walk(tree) if isinstance(node, ast.Global)]
    assert wrong == [], "what an object needs, it is given"


def layers() -> list[set[str]]:
    """The floors of the layers contract, top first, each a set of rooms."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (entry for entry in contracts if entry["type"] == "layers")
    return [{room.strip() for room in layer.split("|")} for layer in contract["layers"]]


def test_every_room_has_its_floor() -> None:
    named = set().union(*layers())
    assert set(ROOMS) <= named, "add the room to the layers contract in pyproject.toml"
    built = {*ROOMS, *(path.stem for path in PACKAGE.glob("*.py"))}
    assert named <= built, "the layers contract names a room that is not built"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_tests(room: str) -> None:
    assert list((ROOT / "tests" / room).glob("test_*.py")), f"tests/{room} has no test"


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.rpartition("/")[0] for path in TREES}
    assert {
        folder for folder in folders if f"{folder}/__init__.py".lstrip("/") not in TREES
    } == set()


def modules_after(program: str) -> set[str]:
    """What ``program`` has imported by the time it ends, in a fresh interpreter."""
    report = "import json, sys; sys.stderr.write('\\n' + json.dumps(list(sys.modules)))"
    command = [sys.executable, "-c", f"{program}\n{report}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_importing_ostro_is_instant() -> None:
    modules = modules_after("import ostro")
    assert {name for name in modules if name.startswith("ostro")} == {"ostro", "ostro.errors"}
    assert not {"torch", "numpy", "rich", "typer"} & modules


def test_help_imports_nothing_heavy() -> None:
    modules = modules_after(
        "import sys\n"
        "from ostro.cli.main import main\n"
        "sys.argv = ['ostro', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code"
    )
    heavy = {"torch", "numpy", "tokenizers", "mistral_common", "gguf", "huggingface_hub", "jinja2"}
    assert not heavy & modules
    assert len(modules) < MOST_MODULES_FOR_HELP


def test_documents_name_only_files_that_exist() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    missing = []
    for document in documents:
        text = document.read_text(encoding="utf-8")
        named = [ROOT / path for path in re.findall(NAMED_PATH, text)]
        linked = [document.parent / path for path in re.findall(r"\]\(([^):#]+)[)#]", text)]
        missing += [f"{document.name}: {path}" for path in named + linked if not path.exists()]
    assert missing == []

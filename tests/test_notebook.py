"""The notebook on prompting: its form, and that all of its cells run and keep what they assert.

The cells are executed here in one namespace, one after another, as a notebook program would. That
needs no kernel and no further packages, and the cells use nothing that only a notebook has.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ostro.runtime.environment import Environment

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "mixtral_prompting.ipynb"
KEYS = {
    "markdown": {"cell_type", "id", "metadata", "source"},
    "code": {"cell_type", "id", "metadata", "source", "execution_count", "outputs"},
}


def notebook() -> dict[str, Any]:
    return json.loads(NOTEBOOK.read_text("utf-8"))


def code_cells() -> list[tuple[str, str]]:
    cells = notebook()["cells"]
    return [(c["id"], "".join(c["source"])) for c in cells if c["cell_type"] == "code"]


def test_it_is_a_notebook_of_format_4_5() -> None:
    value = notebook()
    assert set(value) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert (value["nbformat"], value["nbformat_minor"]) == (4, 5)
    assert value["metadata"]["kernelspec"]["name"] == "python3"
    for cell in value["cells"]:
        assert set(cell) == KEYS[cell["cell_type"]]
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", cell["id"])
        assert all(line.endswith("\n") for line in cell["source"][:-1])
    ids = [cell["id"] for cell in value["cells"]]
    assert len(set(ids)) == len(ids)


def test_it_holds_no_results() -> None:
    for cell in notebook()["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_every_cell_is_plain_python_and_small() -> None:
    for name, source in code_cells():
        compile(source, name, "exec")
        assert source.count("\n") < 45


@pytest.mark.slow
@pytest.mark.demo
def test_all_cells_run(
    demo_model: Path, demo_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTRO_HOME", str(demo_environment.home))
    names: dict[str, object] = {"__name__": "__main__"}
    asserted = 0
    for name, source in code_cells():
        exec(compile(source, f"{NOTEBOOK.name}: {name}", "exec"), names)
        asserted += source.count("assert ")
    assert asserted >= len(code_cells())

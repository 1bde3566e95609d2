"""Recipes: strict, changeable by name, told as what differs from the defaults."""

import json
from pathlib import Path

import pytest

from ostro.config.recipe import Recipe, parse_recipe, read_recipe
from ostro.config.strict_tables import differences, flattened, parse_table, to_table
from ostro.errors import OstroError

LEAST = """
[model]
path = "demo"
[data]
folder = "data"
[optimizer]
lr = 1e-3
[schedule]
steps = 10
"""


def _read(tmp_path: Path, text: str = LEAST, changes=(), task="pretrain") -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return read_recipe(path, task, changes)


def test_what_is_not_given_has_its_default(tmp_path: Path) -> None:
    recipe = _read(tmp_path)
    assert recipe.optimizer.beta2 == 0.95
    assert differences(recipe) == {
        "task": "pretrain",
        "model.path": "demo",
        "data.folder": "data",
        "optimizer.lr": 1e-3,
        "schedule.steps": 10,
    }


def test_changes_come_after_the_file_and_make_tables(tmp_path: Path) -> None:
    changes = ["optimizer.lr=2e-4", "router.balance=0.01", "model.path = other", "seed=7"]
    recipe = _read(tmp_path, changes=changes)
    assert (recipe.optimizer.lr, recipe.router.balance) == (2e-4, 0.01)
    assert (recipe.model.path, recipe.seed) == ("other", 7)
    assert differences(recipe)["router.balance"] == 0.01


def test_new_weights_have_a_geometry(tmp_path: Path) -> None:
    text = (
        LEAST.replace('path = "demo"', 'tokenizer = "t"')
        + """
[model.geometry]
vocab_size = 512
dim = 64
num_layers = 2
num_heads = 4
num_kv_heads = 2
head_dim = 16
ffn_dim = 128
context_length = 256
num_experts = 8
top_k = 2
"""
    )
    geometry = _read(tmp_path, text).model.geometry
    assert geometry is not None
    assert (geometry.num_experts, geometry.dim) == (8, 64)
    with pytest.raises(OstroError, match="top_k must be 1 to num_experts"):
        _read(tmp_path, text, ["model.geometry.top_k=9"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("optimizer.learning_rate=1", "unknown key 'learning_rate'; known: beta1, beta2"),
        ("optimizer.beta_1=0.5", "unknown key 'beta_1'; did you mean 'beta1'?"),
        ("optimzer.lr=1", "unknown key 'optimzer'; did you mean 'optimizer'?"),
        ("optimizer.lr=fast", "lr must be a number, not 'fast'"),
        ("optimizer.lr=true", "lr must be a number, not True"),
        ("optimizer.lr=0", r"\[optimizer\] lr must be a number above 0"),
        ("optimizer.lr=nan", r"\[optimizer\] lr must be a number above 0"),
        ("data.batch=1.5", "batch must be a whole number, not 1.5"),
        ("data=3", "data must be a table, not 3"),
        ("schedule.kind=step", "kind must be one of 'cosine', 'wsd', 'linear', 'constant'"),
        ("schedule.epochs=2", "wants either steps or epochs above 0"),
        ("model.path=", "wants either path, or geometry"),
        ("data.micro_batch=3", "batch must be a multiple of micro_batch"),
        ("preference.beta=0.5", r"\[preference\] is for dpo; task is pretrain"),
        ("lora.quantised=true", r"\[lora\] quantised means nothing without a rank"),
        ("lora.router=true", r"\[lora\] router means nothing without a rank"),
        ("lora.path=adapter", r"\[lora\] path means nothing without a rank"),
        ("task=sft", "is a recipe for sft, not for pretrain"),
        ("seed", "write it as table.key=value"),
        ("seed.x.y=1", "seed.x.y"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(tmp_path: Path, change, words) -> None:
    with pytest.raises(OstroError, match=words):
        _read(tmp_path, changes=[change] if change != "seed.x.y=1" else ["seed=1", change])


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(OstroError, match=r"recipe.toml: optimizer: lr is missing"):
        _read(tmp_path, LEAST.replace("lr = 1e-3", ""))


@pytest.mark.parametrize("change", ["lora.router=true", "lora.path=adapter"])
def test_a_reference_without_the_adapter_is_not_where_such_a_run_begins(
    tmp_path: Path, change
) -> None:
    changes = ["lora.rank=4", "preference.reference=adapter_off"]
    assert _read(tmp_path, changes=changes, task="dpo").lora.rank == 4
    with pytest.raises(OstroError, match='use "stored"'):
        _read(tmp_path, changes=[*changes, change], task="dpo")


def test_distillation_is_for_documents_and_conversations(tmp_path: Path) -> None:
    parent, data = "distillation.parent=p", "distillation.data=d"
    for task in ("pretrain", "sft"):
        assert _read(tmp_path, changes=[parent], task=task).distillation.parent == "p"
    with pytest.raises(OstroError, match="is for pretrain and sft; task is dpo"):
        _read(tmp_path, changes=[parent], task="dpo")
    assert _read(tmp_path, changes=[parent, data], task="sft").distillation.data == "d"
    with pytest.raises(OstroError, match=r"data is for sft, .*; task is pretrain"):
        _read(tmp_path, changes=[parent, data])
    with pytest.raises(OstroError, match="name the parent too"):
        _read(tmp_path, changes=[data], task="sft")


def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(OstroError, match=r"recipe.toml: not readable as TOML"):
        _read(tmp_path, "[model")
    with pytest.raises(OstroError, match="cannot read the recipe"):
        read_recipe(tmp_path / "none.toml", "sft")


def test_a_recipe_survives_json(tmp_path: Path) -> None:
    recipe = _read(tmp_path, changes=["router.z=0.001"])
    again = parse_table(Recipe, json.loads(json.dumps(to_table(recipe))), "stored")
    assert again == recipe
    assert flattened(recipe)["router.z"] == 0.001
    assert parse_recipe(to_table(recipe), "pretrain", "stored", ["seed=3"]).seed == 3

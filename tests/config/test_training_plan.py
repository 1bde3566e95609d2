"""What a run takes, counted by hand."""

from ostro.config import PRESETS, WEIGHT_TYPES, Geometry, count_parameters, weight_bytes
from ostro.config.recipe import Recipe, parse_recipe
from ostro.config.training_plan import training_plan

DEMO = PRESETS["demo"]
F32, Q4_0 = WEIGHT_TYPES["F32"], WEIGHT_TYPES["Q4_0"]


def _recipe(*changes: str) -> Recipe:
    values = {
        "model": {"path": "demo"},
        "data": {"folder": "data"},
        "optimizer": {"lr": 1e-4},
        "schedule": {"steps": 1},
    }
    return parse_recipe(values, "sft", "test", changes)


def _total(geometry: Geometry = DEMO) -> int:
    return count_parameters(geometry).total


def test_all_weights_in_bfloat16_take_eighteen_bytes_each() -> None:
    plan = training_plan(DEMO, _recipe(), stored=F32)
    of_weights = plan.weights + plan.masters + plan.gradients + plan.moments
    assert of_weights == 18 * _total()
    assert plan.total == of_weights + plan.activations


def test_float32_needs_no_masters() -> None:
    plan = training_plan(DEMO, _recipe("precision.dtype=float32"), stored=F32)
    assert plan.masters == 0
    assert plan.weights + plan.gradients + plan.moments == 16 * _total()


def test_beside_an_adapter_the_weights_are_only_read() -> None:
    adapter = 1_000_000
    plan = training_plan(DEMO, _recipe("lora.rank=8"), stored=F32, adapter=adapter)
    assert plan.weights == weight_bytes(DEMO, WEIGHT_TYPES["BF16"]) + 2 * adapter
    assert plan.masters + plan.gradients + plan.moments == 16 * adapter
    quantised = training_plan(
        DEMO, _recipe("lora.rank=8", "lora.quantised=true"), stored=Q4_0, adapter=adapter
    )
    assert quantised.weights == weight_bytes(DEMO, Q4_0) + 2 * adapter


def test_ranks_share_the_weights_and_a_parent_comes_on_top() -> None:
    alone = training_plan(DEMO, _recipe(), stored=F32)
    shared = training_plan(DEMO, _recipe(), stored=F32, ranks=4, parent=PRESETS["mistral-7b"])
    assert shared.moments == alone.moments // 4
    assert shared.activations == alone.activations
    assert shared.parent == 2 * _total(PRESETS["mistral-7b"])


def test_computing_again_keeps_less() -> None:
    plain = training_plan(DEMO, _recipe("data.micro_batch=8"), stored=F32).activations
    again = training_plan(
        DEMO, _recipe("data.micro_batch=8", "precision.recompute=true"), stored=F32
    ).activations
    assert again < plain / 4

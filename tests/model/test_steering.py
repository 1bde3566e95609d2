"""Steering: what is refused and how that is said, and what the rules mean."""

import itertools
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.config import Geometry
from ostro.errors import OstroError
from ostro.kernels.router import RouterRule, RowRules, route
from ostro.model.steering import LayerSteering, Steering, parse_steering

E, LAYERS, TOP_K = 6, 3, 2
GEOMETRY = Geometry(
    vocab_size=16,
    dim=8,
    num_layers=LAYERS,
    num_heads=1,
    num_kv_heads=1,
    head_dim=8,
    ffn_dim=8,
    context_length=64,
    num_experts=E,
    top_k=TOP_K,
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"force": [0, 1, 2]}, r"steering: 3 experts are forced and top_k is 2; force fewer"),
        ({"force": [0, 1], "top_k": 1}, r"2 experts are forced and top_k is 1"),
        ({"forbid": [0, 1, 2, 3, 4]}, r"5 of 6 experts are forbidden, which leaves 1, and top_k"),
        ({"force": [4], "forbid": [4]}, r"expert 4 is both forced and forbidden"),
        ({"force": [6]}, r"there is no expert 6; they are 0 to 5"),
        ({"forbid": [-1]}, r"there is no expert -1"),
        ({"reweight": {"17": 0.5}}, r"there is no expert 17"),
        ({"reweight": {"x": 0.5}}, r"keys of reweight must be whole numbers, not 'x'"),
        ({"reweight": {"01": 0.5}}, r"keys of reweight must be whole numbers, not '01'"),
        ({"reweight": {"1" * 5000: 0.5}}, r"keys of reweight must be whole numbers"),
        ({"reweight": {"1": 10**400}}, r"must be a finite number"),
        ({"reweight": {"1": float("nan")}}, r"must be a finite number, not nan"),
        ({"reweight": {"1": "2"}}, r"must be a finite number, not '2'"),
        ({"reweight": [1]}, r"reweight must be a table"),
        ({"top_k": 7}, r"top_k must be 1 to 6, not 7"),
        ({"top_k": 0}, r"top_k must be 1 to 6, not 0"),
        ({"top_k": True}, r"top_k must be a whole number, not True"),
        ({"force": "0"}, r"force must be a list of whole numbers"),
        ({"force": [0.0]}, r"force must be a list of whole numbers"),
        ({"boost": [1]}, r"unknown key 'boost'; there are force, forbid, reweight and top_k"),
        ({"layers": {"3": {}}}, r"there is no layer 3; they are 0 to 2"),
        ({"layers": {"1": {"top_k": 9}}}, r"steering, layer 1: top_k must be 1 to 6, not 9"),
        ({"layers": {"1": {"layers": {}}}}, r"steering, layer 1: unknown key 'layers'"),
        ({"layers": [1]}, r"layers must be a table"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(values, message) -> None:
    with pytest.raises(OstroError, match=message):
        parse_steering(values).rules(GEOMETRY)


def test_a_dense_model_has_nothing_to_steer() -> None:
    from dataclasses import replace

    with pytest.raises(OstroError, match="this model is dense"):
        Steering().rules(replace(GEOMETRY, num_experts=0, top_k=0))


def test_a_layer_replaces_the_default() -> None:
    steering = parse_steering(
        {"force": [1], "top_k": 3, "layers": {"2": {"forbid": [0], "reweight": {"5": 2}}}}
    )
    rule, other = RouterRule(63, 2, 3), RouterRule(62, 0, 2, (1, 1, 1, 1, 1, 2.0))
    assert steering.rules(GEOMETRY) == (rule, rule, other)


def test_equal_steering_is_equal_and_cannot_be_changed() -> None:
    one, two = (
        parse_steering({"force": [1, 2], "layers": {"0": {"reweight": {"1": 2}}}}) for _ in range(2)
    )
    assert one == two
    assert hash(one) == hash(two)
    assert one == Steering(
        default=LayerSteering(force=(2, 1)), layers={0: LayerSteering(reweight={1: 2.0})}
    )
    with pytest.raises(TypeError):
        one.layers[0].reweight[1] = 3
    with pytest.raises(AttributeError):
        one.default = LayerSteering()


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"force": [1, 2], "forbid": [3], "reweight": {"0": 0.5, "4": -2.0}, "top_k": 3},
        {"force": [5], "layers": {"1": {"top_k": 1}, "2": {}}},
    ],
)
def test_the_table_of_steering_is_read_back(table) -> None:
    steering = parse_steering(table)
    assert steering.to_dict() == table
    assert parse_steering(json.loads(json.dumps(steering.to_dict()))) == steering


EXPERTS = st.sets(st.integers(0, E - 1))


@settings(max_examples=200, deadline=None)
@given(EXPERTS, EXPERTS, st.one_of(st.none(), st.integers(1, E)), st.integers(0, 1000))
def test_rules_are_either_refused_or_kept(force, forbid, top_k, seed) -> None:
    """Against the meaning written out: of all sets that obey, the one with the largest logits."""
    k = TOP_K if top_k is None else top_k
    obeying = [
        set(chosen)
        for chosen in itertools.combinations(range(E), k)
        if force <= set(chosen) and not forbid & set(chosen)
    ]
    steering = Steering(default=LayerSteering(force=force, forbid=forbid, top_k=top_k))
    if not obeying:
        with pytest.raises(OstroError):
            steering.rules(GEOMETRY)
        return
    rules = RowRules(torch.tensor([0], dtype=torch.int32), (steering.rules(GEOMETRY)[0],), E)
    logits = torch.randn(E, generator=torch.Generator().manual_seed(seed))
    experts, weights = route(torch.ones(1, 1), logits[:, None], TOP_K, rules)
    best = max(obeying, key=lambda chosen: sum(float(logits[e]) for e in chosen))
    in_order = sorted(best, key=lambda e: -float(logits[e]))
    assert experts[0].tolist() == in_order + [-1] * (E - k)
    torch.testing.assert_close(weights[0, :k], logits[in_order].softmax(-1))
    assert weights[0, k:].tolist() == [0.0] * (E - k)


def test_factors_multiply_after_the_softmax() -> None:
    steering = Steering(default=LayerSteering(reweight={1: 0.5, 3: -2.0, 4: 9.0}))
    rules = RowRules(torch.tensor([0], dtype=torch.int32), (steering.rules(GEOMETRY)[0],), 2)
    logits = torch.tensor([0.0, 2.0, 0.0, 1.0, 0.0, 0.0])
    experts, weights = route(torch.ones(1, 1), logits[:, None], TOP_K, rules)
    plain = torch.tensor([2.0, 1.0]).softmax(-1)
    assert experts.tolist() == [[1, 3]]
    torch.testing.assert_close(weights[0], plain * torch.tensor([0.5, -2.0]))


def test_rows_without_a_rule_are_routed_as_ever() -> None:
    generator = torch.Generator().manual_seed(0)
    x, router = (torch.randn(rows, 4, generator=generator) for rows in (9, E))
    rule = Steering(default=LayerSteering(top_k=4)).rules(GEOMETRY)[0]
    numbers = torch.tensor([-1, 0, -1, 0, -1, -1, -1, 0, -1], dtype=torch.int32)
    experts, weights = route(x, router, 2, RowRules(numbers, (rule,), 4))
    plain = numbers < 0
    expected = route(x, router, 2)
    assert torch.equal(experts[plain][:, :2], expected[0][plain])
    assert torch.equal(weights[plain][:, :2], expected[1][plain])
    assert (experts[plain][:, 2:] == -1).all()
    assert (experts[~plain] >= 0).all()

"""Learning rates by step."""

import pytest

from ostro.config.recipe import Schedule
from ostro.training.schedule import rate


def _rates(kind: str, steps: int = 100, **options: float) -> list[float]:
    schedule = Schedule(kind=kind, steps=steps, **options)
    return [rate(schedule, step, steps) for step in range(steps)]


@pytest.mark.parametrize("kind", ["cosine", "wsd", "linear", "constant"])
def test_the_rate_rises_evenly_to_its_highest(kind: str) -> None:
    rates = _rates(kind, warmup=0.1)
    assert rates[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert rates[10] == max(rates) == 1.0


@pytest.mark.parametrize("kind", ["cosine", "wsd", "linear"])
def test_the_last_step_takes_the_final_rate_and_none_goes_below(kind: str) -> None:
    rates = _rates(kind, warmup=0.05, final=0.1)
    assert rates[-1] == pytest.approx(0.1)
    assert rates[5:] == sorted(rates[5:], reverse=True)


def test_cosine_is_half_way_at_half_time() -> None:
    assert _rates("cosine", steps=101, final=0.0)[50] == pytest.approx(0.5)


def test_wsd_is_stable_until_its_last_part() -> None:
    rates = _rates("wsd", warmup=0.1, decay=0.2, final=0.0)
    assert rates[10:79] == [1.0] * 69
    assert rates[89] == pytest.approx(0.5)


def test_constant_stays() -> None:
    assert _rates("constant") == [1.0] * 100


@pytest.mark.parametrize("kind", ["cosine", "wsd", "linear", "constant"])
def test_one_step_is_a_schedule_too(kind: str) -> None:
    assert 0 < _rates(kind, steps=1)[0] <= 1

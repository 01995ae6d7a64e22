"""Change points of a series: found where a level changes, and nowhere else."""

import numpy as np
import pytest
from sklearn.base import clone
from ultravires_models.estimators.change_points import ChangePoints


def found(values: list[float]) -> list[int]:
    return ChangePoints().fit(values).change_points_


def test_steps_are_found_on_their_days() -> None:
    """Up, up again and down, as a role that is widened twice and taken back."""
    assert found([0.0] * 20 + [3.0] * 20 + [13.0] * 20 + [3.0] * 40) == [20, 40, 60]


@pytest.mark.parametrize("values", [[], [4.0], [4.0, 4.0], [7.0] * 100])
def test_no_change_has_no_points(values: list[float]) -> None:
    """Nothing, one day, and a level that stays."""
    assert found(values) == []


@pytest.mark.parametrize("seed", range(20))
def test_noise_about_one_level_is_no_change(seed: int) -> None:
    """Counts that go up and down about the same mean; of twenty such years none is cut more than once."""
    counts = np.random.default_rng(seed).poisson(20, 365).astype(float)
    assert len(found(list(counts))) <= 1


def test_noise_is_seldom_cut_at_all() -> None:
    """In at most one of twenty series of a hundred days, counted over two hundred."""
    random = np.random.default_rng(0)
    assert sum(bool(found(list(random.poisson(20, 100).astype(float)))) for _ in range(200)) <= 20


@pytest.mark.parametrize("seed", range(10))
def test_a_change_is_found_in_noise(seed: int) -> None:
    """Three times as much from the fortieth day on, to the day or the next."""
    random = np.random.default_rng(seed)
    values = [*random.normal(10, 3, 40), *random.normal(30, 3, 60)]
    assert any(abs(place - 40) <= 1 for place in found(values))


def test_one_odd_day_is_a_change_and_back() -> None:
    """A right that was held for a day: both of its ends."""
    assert found([0.0] * 30 + [10.0] + [0.0] * 30) == [30, 31]


def test_it_is_cloned_as_scikit_learn_clones() -> None:
    """It has nothing to set, and a clone knows nothing of what was fitted."""
    assert not hasattr(clone(ChangePoints().fit([1.0, 9.0])), "change_points_")

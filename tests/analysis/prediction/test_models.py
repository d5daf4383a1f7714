"""Single models on what is known about them."""

import numpy as np
import pytest

from analysis.frames import frame_of
from analysis.prediction.answer import Task
from analysis.prediction.features import design_of
from analysis.prediction.models import GRADIENT_BOOSTING, LINEAR, fit, quiet_threads


@pytest.mark.parametrize("name", [LINEAR, GRADIENT_BOOSTING])
def test_a_null_is_a_value_like_others(name: str) -> None:
    """Where b is missing y is higher by 4, and nothing else tells."""
    random = np.random.default_rng(1)
    missing = random.uniform(size=500) < 0.3
    y = 4.0 * missing + 0.1 * random.normal(size=500)
    frame = frame_of({"b": np.ma.masked_array(random.normal(size=500), missing)})
    design, _ = design_of(frame, np.arange(500), ["b"], 10)
    matrix = design.trees(np.arange(500))
    with quiet_threads(1):
        guess = fit(name, matrix, y, design, Task.REGRESSION, 0, 0).predict(matrix)
    assert guess[missing].mean() - guess[~missing].mean() == pytest.approx(4.0, abs=0.2)


@pytest.mark.parametrize("name", [LINEAR, GRADIENT_BOOSTING])
def test_levels_and_parts_of_times_are_learned(name: str) -> None:
    """Sundays have 5 more, the third level 3."""
    random = np.random.default_rng(2)
    days = np.datetime64("2024-01-01") + random.integers(0, 700, 3000)
    level = random.integers(0, 4, 3000)
    sunday = (days.astype(np.int64) + 3) % 7 == 6
    y = 5.0 * sunday + 3.0 * (level == 2)
    frame = frame_of({"day": days, "level": [f"l{number}" for number in level]})
    design, features = design_of(frame, np.arange(3000), ["day", "level"], 10)
    assert [feature.column for feature in features] == ["day", "level"]
    matrix = design.trees(np.arange(3000))
    with quiet_threads(1):
        guess = fit(name, matrix, y, design, Task.REGRESSION, 0, 0).predict(matrix)
    assert guess[level == 2].mean() - guess[level != 2].mean() == pytest.approx(3.0, abs=0.3)
    if name == GRADIENT_BOOSTING:
        assert np.abs(guess - y).mean() < 0.1

"""Tables with nothing in them: at most the promised rate of them gives any insight."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.frames import frame_of
from analysis.insights.discover import find_insights
from analysis.insights.options import InsightOptions
from benchmarks.insights_data import NOW, SHAPES, days, levels, nothing

LEVEL = 0.05


def test_no_shape_of_noise_gives_insights_beyond_the_promised_rate() -> None:
    """One table of each shape; of 11 tables, 4 alarms are less likely than one in 600 at the promised rate."""
    alarms = []
    for shape in SHAPES:
        frame = nothing(shape, np.random.default_rng(500))
        found = find_insights(frame, InsightOptions(level=LEVEL, now=NOW, seconds=100))
        assert found.tests_performed > 100
        alarms += [f"{shape}, seed 500: {insight.sentence}" for insight in found.insights[:1]]
    print("\n".join(alarms))
    assert len(alarms) <= 3, alarms


def test_walks_beside_what_persists_are_no_finding() -> None:
    """Walks, categories and nulls that remember the rows before: plain tests find relations in three tables of four.

    The rows come in any order; that of time is the one that matters.
    """
    alarms = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        gaps = rng.standard_normal(400)
        gaps[np.repeat(rng.random(40) < 0.25, 10)] = np.nan
        columns = {
            "day": days(rng, 400, one_each=True),
            "walk": np.cumsum(rng.standard_normal(400)),
            "other": np.cumsum(rng.standard_normal(400)),
            "held": np.repeat(levels(rng, 40, 4), 10),
            "gaps": np.ma.masked_invalid(gaps),
        }
        wanted = frozenset({"category_outlier_top", "category_outlier_bottom", "correlation", "null_depends"})
        found = find_insights(frame_of(columns).take(rng.permutation(400)), InsightOptions(types=wanted))
        alarms += [f"seed {seed}: {insight.sentence}" for insight in found.insights[:1]]
    assert len(alarms) <= 3, alarms


def test_equal_counts_happen_by_chance() -> None:
    """51 each of 153 rows come in one of 185 tables without any reason: with p = 0 they would always be found."""
    frame = frame_of({"of": np.repeat(np.array(["a", "b", "c"], dtype=object), 51)})
    (found,) = find_insights(frame, InsightOptions(types=frozenset({"evenness"}))).insights
    assert found.p is not None
    assert 0.0054 <= found.p <= 0.011


@pytest.mark.parametrize("level", [0.01, 0.2])
def test_the_level_is_that_of_the_request(level: float) -> None:
    frame = nothing("normal", np.random.default_rng(1))
    found = find_insights(frame, InsightOptions(level=level, now=NOW))
    assert found.level == level
    assert all(insight.q is None or insight.q <= level for insight in found.insights)

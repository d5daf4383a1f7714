"""Each type of insight is found where it was planted strongly, and hardly anything else is."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.insights.discover import find_insights
from analysis.insights.registry import TYPES
from benchmarks.insights import false_ones, is_found
from benchmarks.insights_data import PLANTS


@pytest.mark.parametrize("kind", PLANTS)
def test_what_was_planted_is_found(kind: str) -> None:
    made = PLANTS[kind](np.random.default_rng(2001), 2)
    found = find_insights(made.frame, made.options)
    assert is_found(found, kind, made), f"seed 2001: {[insight.sentence for insight in found.insights]}"
    assert false_ones(found, made) <= 1, f"seed 2001: {[insight.sentence for insight in found.insights]}"
    assert found.complete


def test_every_type_is_planted() -> None:
    assert set(PLANTS) == set(TYPES)

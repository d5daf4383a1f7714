"""q is that of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.associations.multiplicity import corrected
from analysis.associations.results import Correction


@pytest.mark.parametrize("correction", list(Correction))
def test_q_is_that_of_scipy(correction: Correction) -> None:
    p = np.random.default_rng(1).random(200) ** 3
    expected = stats.false_discovery_control(p, method=correction.value)
    assert corrected(p, len(p), correction) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("correction", list(Correction))
def test_hypotheses_that_were_only_looked_at_count(correction: Correction) -> None:
    p = np.array([1e-6, 0.001, 0.3])
    with_others = np.concatenate([p, np.ones(997)])
    expected = stats.false_discovery_control(with_others, method=correction.value)[:3]
    assert corrected(p, 1_000, correction) == pytest.approx(expected, abs=1e-12)


def test_no_hypothesis_no_q() -> None:
    assert corrected(np.empty(0), 0, Correction.BY).tolist() == []

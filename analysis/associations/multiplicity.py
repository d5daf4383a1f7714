"""p corrected for how many hypotheses were tested."""

from __future__ import annotations

import numpy as np

from analysis.associations.results import Correction
from analysis.columns import Array
from analysis.significance import adjusted


def corrected(p: Array, tests: int, correction: Correction) -> Array:
    """q of each p: the smallest false discovery rate at which it would be called a discovery.

    `tests` may exceed len(p): hypotheses that were looked at but have no p count as if theirs were 1.
    Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001.
    """
    tests = max(tests, len(p))
    factor = float(tests)
    if correction is Correction.BY and tests:
        factor *= float(np.sum(1 / np.arange(1, tests + 1)))
    return adjusted(p, factor)

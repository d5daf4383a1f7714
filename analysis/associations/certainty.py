"""Whether a pair of numbers can be measured at all, and whether it is more than correlated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.associations import numeric_pairs
from analysis.associations.columns import FEWEST_ROWS, Numbers
from analysis.associations.results import Method, Pair, Relation, Status

# A relation that holds in fewer rows may be chance.
FEWEST_CERTAIN = 10


def status_of(n: int, r: float) -> Status:
    """Of a correlation of n rows, NaN where one of the columns does not vary."""
    if n == 0:
        return Status.NO_OVERLAP
    if n < FEWEST_ROWS:
        return Status.TOO_FEW
    return Status.CONSTANT if np.isnan(r) else Status.OK


def certain(pair: Pair, a: Numbers, b: Numbers) -> Pair:
    """The pair with its relation, where its coefficient is nearly 1 and one holds in every row."""
    relation = numeric_pairs.relation(a, b) if pair.n >= FEWEST_CERTAIN else None
    if relation is None:
        return pair
    status = Status.DUPLICATE if relation is Relation.IDENTICAL else Status.DETERMINISTIC
    assert pair.effect is not None
    exact = 1.0 if pair.effect > 0 else -1.0
    if relation is Relation.MONOTONE and pair.method is Method.PEARSON:
        return replace(pair, relation=relation, status=status)
    return replace(pair, status=status, relation=relation, effect=exact, low=exact, high=exact, strength=1.0)

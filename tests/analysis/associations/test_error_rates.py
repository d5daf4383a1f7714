"""Columns that have nothing in common: how often something is found all the same.

ASSOCIATION_REPETITIONS=1000 is the long form; seeds run from 0, and a failure names them.
"""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

from analysis.associations.matrix import associate
from analysis.associations.results import AssociationOptions, Correction, Method
from analysis.columns import objects
from analysis.frames import Frame, frame_of

REPETITIONS = int(os.environ.get("ASSOCIATION_REPETITIONS", "150"))
LEVEL = 0.95
ROWS = 150


def permuted(seed: int) -> Frame:
    """Columns of a shared cause, long-tailed, tied, with nulls, of few and many levels; each permuted by itself."""
    chance = np.random.default_rng(seed)
    cause = chance.normal(size=ROWS)
    names = objects([f"v{i}" for i in range(12)])
    numbers = {
        "normal": np.where(chance.random(ROWS) < 0.1, np.nan, cause),
        "long tail": np.exp(1.5 * cause),
        "ties": np.where(chance.random(ROWS) < 0.2, np.nan, np.round(cause)),
        "half zeros": np.maximum(cause, 0.0),
    }
    categories = {
        "rare": names[(cause > 1.4).astype(int)],
        "even": names[np.searchsorted([-0.7, 0, 0.7], cause)],
        "many": names[np.clip((cause * 3 + 6).astype(int), 0, 11)],
    }
    return frame_of({name: chance.permutation(values) for name, values in {**numbers, **categories}.items()})


def most_allowed(repetitions: int, rate: float) -> float:
    """Beyond three standard errors above the promised rate it is no bad luck."""
    return repetitions * rate + 3 * math.sqrt(repetitions * rate * (1 - rate))


@pytest.mark.parametrize("method", [Method.AUTO, Method.PEARSON, Method.KENDALL, Method.XI, Method.MUTUAL_INFORMATION])
def test_permuted_columns_are_found_no_more_often_than_promised(method: Method) -> None:
    wrong = [
        seed for seed in range(REPETITIONS) if associate(permuted(seed), AssociationOptions(method=method)).discoveries
    ]
    assert len(wrong) <= most_allowed(REPETITIONS, 1 - LEVEL), f"{method}: {len(wrong)} of {REPETITIONS}, seeds {wrong}"


def test_without_the_correction_something_would_be_found_most_of_the_time() -> None:
    """The tests have teeth: p alone calls at least one of 21 pairs in about two of three samples."""
    wrong = sum(
        any(pair.p is not None and pair.p <= 1 - LEVEL for pair in associate(permuted(seed)).pairs)
        for seed in range(40)
    )
    assert wrong > 0.4 * 40


def test_a_weak_cause_is_found_among_noise_and_little_else() -> None:
    """False discoveries are at most a twentieth of all, on the average of 60 seeds; the true pairs are found."""
    false, found = [], 0
    for seed in range(60):
        chance = np.random.default_rng(seed)
        data = {f"n{i}": chance.normal(size=300) for i in range(12)}
        for i in (0, 2, 4):
            data[f"n{i + 1}"] = 0.35 * data[f"n{i}"] + chance.normal(size=300)
        matrix = associate(frame_of(data), AssociationOptions(correction=Correction.BH))
        called = {(pair.a, pair.b) for pair in matrix.pairs if pair.q is not None and pair.q <= 1 - LEVEL}
        true = {(f"n{i}", f"n{i + 1}") for i in (0, 2, 4)}
        found += len(called & true)
        false.append(len(called - true) / max(len(called), 1))
    assert np.mean(false) <= 1 - LEVEL + 3 * np.std(false) / math.sqrt(60)
    assert found >= 0.95 * 180

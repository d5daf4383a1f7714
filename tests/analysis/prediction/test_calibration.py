"""Probabilities that say too much are corrected, by other folds only, and the error told is that of the truth."""

import numpy as np
import pytest

from analysis.columns import Array
from analysis.prediction.calibration import corrected, correction, expected_error, looked_at


def two_classes(seed: int, rows: int, confidence: float) -> tuple[Array, Array, Array]:
    """Probabilities as a model tells them, labels drawn from the true ones, and the true ones."""
    random = np.random.default_rng(seed)
    odds = random.normal(size=rows)
    truth = 1 / (1 + np.exp(-odds))
    told = 1 / (1 + np.exp(-confidence * odds))
    return np.column_stack([1 - told, told]), (random.uniform(size=rows) < truth).astype(int), truth


@pytest.mark.parametrize("confidence", [3.0, 0.4])
def test_too_much_and_too_little_confidence_is_taken_back(confidence: float) -> None:
    told, labels, truth = two_classes(1, 5000, confidence)
    numbers = np.arange(5000) % 5
    after = corrected(told, labels, numbers, forward=False)
    assert np.abs(told[:, 1] - truth).mean() > 0.09
    assert np.abs(after[:, 1] - truth).mean() < 0.02
    assert after.sum(axis=1) == pytest.approx(1.0)
    seen = looked_at(told, after, labels, ("no", "yes"), "Platt", 1)
    assert seen.expected_error_before > 0.08
    assert seen.expected_error < seen.due_to_chance < 0.04


def test_several_classes_have_one_temperature() -> None:
    random = np.random.default_rng(2)
    odds = random.normal(size=(4000, 4))
    truth = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    labels = (truth.cumsum(axis=1) < random.uniform(size=(4000, 1))).sum(axis=1)
    told = np.exp(3 * odds) / np.exp(3 * odds).sum(axis=1, keepdims=True)
    after = corrected(told, labels, np.arange(4000) % 5, forward=False)
    assert np.abs(told - truth).mean() > 0.1
    assert np.abs(after - truth).mean() < 0.02


@pytest.mark.parametrize("forward", [False, True])
def test_no_fold_is_corrected_by_its_own_labels(forward: bool) -> None:
    told, labels, _ = two_classes(3, 600, 2.0)
    numbers = np.arange(600) // 120
    other = np.where(numbers == 2, 1 - labels, labels)
    first, second = (corrected(told, some, numbers, forward=forward) for some in (labels, other))
    assert np.array_equal(first[numbers == 2], second[numbers == 2])
    assert not np.array_equal(first[numbers == 3], second[numbers == 3])
    assert np.array_equal(first[numbers == 1], second[numbers == 1]) is forward


def test_perfect_separation_stays_finite() -> None:
    told = np.column_stack([np.linspace(0.999, 0.001, 200), np.linspace(0.001, 0.999, 200)])
    after = correction(told, (np.arange(200) >= 100).astype(int)).apply(told)
    assert np.isfinite(after).all()
    assert (after >= 0).all()


def test_what_is_due_to_chance_holds_as_often_as_it_says() -> None:
    below = 0
    for seed in range(100):
        _, labels, truth = two_classes(seed, 300, 1.0)
        perfect = np.column_stack([1 - truth, truth])
        seen = looked_at(perfect, perfect, labels, ("no", "yes"), "", seed)
        below += seen.expected_error <= seen.due_to_chance
    assert below >= 89, "95 are due"


def test_the_expected_error_is_the_mean_distance_over_bins() -> None:
    scores = np.array([0.1, 0.1, 0.1, 0.1, 0.8, 0.8])
    hits = np.array([False, False, True, True, True, True])
    assert expected_error(scores, hits, np.array([0.5])) == pytest.approx((4 * 0.4 + 2 * 0.2) / 6)

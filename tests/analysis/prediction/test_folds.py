"""No tested row was learned from, in any guise."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.prediction.answer import Task
from analysis.prediction.folds import Plan

numbers = st.lists(st.integers(0, 20), min_size=20, max_size=200).map(np.array)


@given(numbers, st.integers(2, 6), st.integers(0, 3))
def test_every_row_is_tested_once(values: np.ndarray, folds: int, repeat: int) -> None:
    for task in Task:
        splits = Plan(task, folds, 1).splits(values % 4, repeat)
        assert sorted(np.concatenate([fold.tested for fold in splits]).tolist()) == list(range(len(values)))
        for fold in splits:
            assert set(fold.learned.tolist()) == set(range(len(values))) - set(fold.tested.tolist())


@given(numbers, st.integers(2, 6))
def test_groups_are_never_on_both_sides(groups: np.ndarray, folds: int) -> None:
    for fold in Plan(Task.REGRESSION, folds, 2, groups=groups).splits(np.zeros(len(groups)), 0):
        assert not set(groups[fold.learned].tolist()) & set(groups[fold.tested].tolist())


@given(numbers, st.integers(2, 6))
def test_forward_in_time_all_that_is_learned_lies_before(times: np.ndarray, folds: int) -> None:
    for fold in Plan(Task.REGRESSION, folds, 2, times=times).splits(np.zeros(len(times)), 0):
        assert times[fold.learned].max() < times[fold.tested].min()


def test_classes_are_spread_evenly() -> None:
    values = np.repeat([0, 1], [970, 30])
    for fold in Plan(Task.CLASSIFICATION, 5, 3).splits(values, 0):
        assert values[fold.tested].sum() == 6


@pytest.mark.parametrize("module", ["analysis.prediction.predict", "analysis.relationships.discover"])
def test_the_library_is_imported_only_when_it_is_used(module: str) -> None:
    code = f"import sys, {module}; print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]

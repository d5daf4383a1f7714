"""Which rows are learned from and which are tested on, so that no tested row was learned from in any guise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.prediction.answer import Task


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Row numbers, counted within the rows that have the target."""

    learned: Array
    tested: Array


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """`groups` stay together; `times` (rising numbers) make every tested row later than every learned one."""

    task: Task
    folds: int
    seed: int
    groups: Array | None = None
    times: Array | None = None

    @property
    def kind(self) -> str:
        if self.times is not None:
            return "forward in time"
        if self.groups is not None:
            return "groups"
        return "stratified folds" if self.task is Task.CLASSIFICATION else "random folds"

    def repeats(self, wanted: int) -> int:
        """Forward in time there is only one way to split."""
        return 1 if self.times is not None else wanted

    def splits(self, values: Array, repeat: int) -> list[Fold]:
        if self.times is not None:
            return list(_forward(self.times, self.folds))
        generator = np.random.default_rng([self.seed, repeat])
        if self.groups is not None:
            numbers = _grouped(self.groups, self.folds, generator)
        else:
            numbers = _stratified(values if self.task is Task.CLASSIFICATION else _ranks(values), self.folds, generator)
        every = range(self.folds)
        folds = [Fold(np.flatnonzero(numbers != one), np.flatnonzero(numbers == one)) for one in every]
        return [fold for fold in folds if len(fold.tested) and len(fold.learned)]


def _stratified(strata: Array, folds: int, generator: np.random.Generator) -> Array:
    """Each stratum dealt out to the folds in turn, in random order."""
    shuffled = generator.permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    numbers = np.empty(len(strata), dtype=np.int64)
    numbers[order] = np.arange(len(strata)) % folds
    return numbers


def _ranks(values: Array) -> Array:
    """Tenths of the numbers, so that each fold has large and small ones."""
    return np.searchsorted(np.quantile(values, np.linspace(0.1, 0.9, 9)), values)


def _grouped(groups: Array, folds: int, generator: np.random.Generator) -> Array:
    """The largest groups first, each to the fold that has the fewest rows so far."""
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = generator.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(sizes), dtype=np.int64)
    for group in order:
        fold_of[group] = least = int(np.argmin(filled))
        filled[least] += sizes[group]
    return fold_of[codes]


def _forward(times: Array, folds: int) -> Iterator[Fold]:
    """Rows in folds + 1 stretches of time: each but the first is tested by what lies before it.

    Rows of one moment stay together.
    """
    edges = np.unique(np.quantile(times, np.linspace(0, 1, folds + 2)[1:-1], method="higher"))
    stretch = np.searchsorted(edges, times, side="left")
    for number in range(1, len(edges) + 1):
        fold = Fold(np.flatnonzero(stretch < number), np.flatnonzero(stretch == number))
        if len(fold.tested) and len(fold.learned):
            yield fold

"""Functional dependencies: columns that tell what stands in another.

A dependency that nothing could have violated says nothing: keys determine every column, and every column determines one
that is almost constant. So keys are left out on the left, and the violations are compared with how many there would be
were the dependent column shuffled within the rows that could violate it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.columns import Array
from analysis.relationships.coding import CodedColumn
from analysis.relationships.counting import majority_rows, poisson_at_most
from analysis.relationships.findings import Basis, FunctionalDependency, Part, PartStatus, RelationshipOptions
from analysis.relationships.sketches import ValueClass
from analysis.time_budget import TimeBudget

# Pairs that already fail on so many rows are not counted in full.
_TRIED_ROWS = 20_000
# Of the violations that shuffled values would have, so many must be missing.
_LEAST_PREVENTED = 0.9
# By chance alone at most one finding in twenty answers, over all pairs together.
_FALSE_FINDINGS = 0.05


@dataclass(frozen=True, slots=True)
class Counted:
    """Violations of one dependency in the rows where both columns have a value."""

    n: int
    violations: int
    expected: float
    support: int
    groups: int


def functional_dependencies(
    columns: Sequence[CodedColumn], options: RelationshipOptions, budget: TimeBudget
) -> tuple[list[FunctionalDependency], Part]:
    """Of the columns of one dataset, those with the least error first."""
    repeating = [column for column in columns if 1 < column.distinct <= column.present / 2]
    determinants = [column for column in repeating if column.value_class is not ValueClass.FRACTION]
    pairs = [(left, right) for left in determinants for right in repeating if left is not right]
    generator = np.random.default_rng(options.seed)
    tried = _tried_rows(columns[0].rows, generator) if columns else np.empty(0, dtype=np.int64)
    found: list[FunctionalDependency] = []
    by_chance = 0
    for done, (left, right) in enumerate(pairs):
        if budget.spent():
            return _both_ways(found), Part(PartStatus.OUT_OF_TIME, done, len(pairs) - done, by_chance)
        # As many different values on the right as on the left is the most that a dependency allows.
        if right.distinct > left.distinct * (1 + options.max_error) + options.max_error * left.present:
            continue
        if _fails_early(left, right, tried, options.max_error):
            continue
        counted = _counted(left, right, generator)
        if counted.violations > options.max_error * counted.n:
            continue
        if is_by_chance(counted, len(pairs)):
            by_chance += 1
            continue
        found.append(_finding(left, right, counted))
    return _both_ways(found), Part(PartStatus.OK if pairs else PartStatus.NOTHING_TO_TEST, len(pairs), 0, by_chance)


def _tried_rows(rows: int, generator: np.random.Generator) -> Array:
    return np.sort(generator.choice(rows, _TRIED_ROWS, replace=False)) if rows > 4 * _TRIED_ROWS else np.arange(0)


def _fails_early(left: CodedColumn, right: CodedColumn, tried: Array, max_error: float) -> bool:
    """Rows taken away make g3 less in the mean, so what is far too much in some rows is too much in all."""
    if not len(tried):
        return False
    both = _both(left.codes[tried], right.codes[tried])
    n = len(both[0])
    violations = n - majority_rows(*both, left.distinct, right.distinct)
    return violations > max_error * n + 5 * math.sqrt(max_error * n) + 10


def _both(left: Array, right: Array) -> tuple[Array, Array]:
    present = (left >= 0) & (right >= 0)
    return (left, right) if present.all() else (left[present], right[present])


def _counted(left: CodedColumn, right: CodedColumn, generator: np.random.Generator) -> Counted:
    lefts, rights = _both(left.codes, right.codes)
    sizes = np.bincount(lefts, minlength=left.distinct)
    supported = sizes[lefts] > 1
    support = int(np.count_nonzero(supported))
    violations = len(lefts) - majority_rows(lefts, rights, left.distinct, right.distinct)
    inside, shuffled = lefts[supported], generator.permutation(rights[supported])
    expected = support - majority_rows(inside, shuffled, left.distinct, right.distinct)
    return Counted(len(lefts), violations, float(expected), support, int(np.count_nonzero(sizes > 1)))


def is_by_chance(counted: Counted, tests: int) -> bool:
    """Whether shuffled values would do about as well, with the tests of all pairs in mind (Bonferroni)."""
    if counted.violations > (1 - _LEAST_PREVENTED) * counted.expected:
        return True
    return poisson_at_most(counted.violations, counted.expected) > _FALSE_FINDINGS / tests


def _finding(left: CodedColumn, right: CodedColumn, counted: Counted) -> FunctionalDependency:
    return FunctionalDependency(
        left.name.dataset,
        left.name.column,
        right.name.column,
        False,
        counted.violations / counted.n,
        counted.violations,
        counted.expected,
        counted.support,
        counted.groups,
        counted.n,
        left.rows,
        Basis.SAMPLE if left.sampled else Basis.EXACT,
    )


def _both_ways(found: list[FunctionalDependency]) -> list[FunctionalDependency]:
    """Two columns that determine each other are one finding: names of the same things."""
    ways = {(one.determinant, one.dependent) for one in found}
    kept: dict[tuple[str, str], FunctionalDependency] = {}
    for one in found:
        if (one.dependent, one.determinant) not in ways:
            kept[one.determinant, one.dependent] = one
        elif (one.dependent, one.determinant) not in kept:
            kept[one.determinant, one.dependent] = replace(one, both_ways=True)
    return sorted(kept.values(), key=lambda one: (one.error, -one.support, one.determinant, one.dependent))

"""An association matrix out of sums that a source has made of all its rows: Pearson's coefficients and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.associations import intervals
from analysis.associations.columns import FEWEST_ROWS
from analysis.associations.multiplicity import corrected
from analysis.associations.results import (
    AssociatedColumn,
    AssociationMatrix,
    AssociationOptions,
    Method,
    Pair,
    Status,
)
from analysis.associations.work import strength_of
from analysis.columns import Array
from analysis.frames import Role

# What only rows would tell.
NO_ROWS = (
    "no rows were read: formulas, identifiers and trends in time were not looked for; intervals and p are those of "
    "numbers that are spread normally"
)


@dataclass(frozen=True, slots=True)
class ColumnSums:
    """Of a column of numbers: rows with a finite number, with another value, and whether all of them are the same."""

    name: str
    numbers: int
    infinities: int
    is_constant: bool


def from_sums(
    columns: Sequence[ColumnSums], n: Array, correlation: Array, rows: int, options: AssociationOptions
) -> AssociationMatrix:
    """`n` and `correlation` are square matrices over the columns, pairwise-complete; NaN where there is none."""
    told = [_column(column) for column in columns]
    usable = [place for place, column in enumerate(told) if column.status is Status.OK]
    first, second = (np.array(usable, dtype=np.int64)[side] for side in np.triu_indices(len(usable), 1))
    possible = len(first)
    chosen = _strongest(correlation[first, second], options.max_pairs)
    pairs = _pairs(told, first, second, n[first, second], correlation[first, second], options)
    kept = sorted((pairs[place] for place in chosen), key=_order)
    tested = sum(pair.p is not None for pair in pairs)
    left_out = possible - len(kept)
    return AssociationMatrix(
        rows=rows,
        total_rows=rows,
        method=Method.PEARSON,
        level=options.level,
        correction=options.correction,
        seed=options.seed,
        columns=tuple(told),
        pairs=tuple(kept),
        pairs_possible=possible,
        pairs_left_out=left_out,
        rule=f"the {len(kept)} strongest of {possible} pairs are listed" if left_out else None,
        tests=tested,
        discoveries=sum(pair.q is not None and pair.q <= 1 - options.level for pair in pairs),
        time_column=None,
        remarks=(NO_ROWS,),
    )


def _column(column: ColumnSums) -> AssociatedColumn:
    status, reason = Status.OK, None
    if not column.numbers:
        status, reason = Status.ALL_NULL, "no row has a number"
    elif column.is_constant:
        status, reason = Status.CONSTANT, "all rows have the same number"
    elif column.numbers < FEWEST_ROWS:
        status, reason = Status.TOO_FEW, f"{column.numbers} rows have a number; {FEWEST_ROWS} are needed"
    return AssociatedColumn(
        name=column.name,
        role=Role.NUMERIC,
        status=status,
        reason=reason,
        rows_with_value=column.numbers,
        infinities=column.infinities,
    )


def _pairs(
    columns: Sequence[AssociatedColumn], first: Array, second: Array, n: Array, r: Array, options: AssociationOptions
) -> list[Pair]:
    usual = np.maximum(n, FEWEST_ROWS)
    low, high = intervals.fisher_z(r, intervals.pearson_error(r, usual), options.level)
    p = intervals.t_test(r, n)
    measured = (n >= FEWEST_ROWS) & ~np.isnan(r)
    q = np.full(len(r), np.nan)
    q[measured] = corrected(p[measured], int(measured.sum()), options.correction)
    pairs = []
    for place, (a, b) in enumerate(zip(first, second, strict=True)):
        count = int(n[place])
        pair = Pair(columns[a].name, columns[b].name, Method.PEARSON, _status(count, measured[place]), count)
        if measured[place]:
            bounds = float(low[place]), float(high[place])
            pair = replace(
                pair,
                effect=float(r[place]),
                low=bounds[0],
                high=bounds[1],
                strength=strength_of(*bounds),
                p=float(p[place]),
                q=float(q[place]),
                test="Student's t",
            )
        pairs.append(pair)
    return pairs


def _status(n: int, is_measured: bool) -> Status:
    if n == 0:
        return Status.NO_OVERLAP
    if n < FEWEST_ROWS:
        return Status.TOO_FEW
    return Status.OK if is_measured else Status.CONSTANT


def _strongest(r: Array, most: int) -> Array:
    effect = np.where(np.isnan(r), -1.0, np.abs(r))
    return np.argsort(-effect, kind="stable")[:most]


def _order(pair: Pair) -> tuple[float, float]:
    return (1.0 if pair.strength is None else -pair.strength, -abs(pair.effect or 0.0))

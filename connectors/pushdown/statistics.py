"""Figures that a source computes itself: no row leaves it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.connector import Connector, chosen_columns
from connectors.datasets import Description, Kind, LogicalType
from connectors.errors import StatementFailed
from connectors.pushdown.dialects import DIALECTS
from connectors.pushdown.statements import (
    SMALL,
    Name,
    Shifted,
    Statement,
    group_counts,
    products,
    summaries,
)

_NUMERIC = (LogicalType.INTEGER, LogicalType.NUMBER, LogicalType.DECIMAL)
# Types that a source does not compare with numbers, or whose bits are no number to it.
_ODD = re.compile(r"^(money|oid|bit\b)", re.IGNORECASE)
# Deviations that are smaller than this of the greatest are rounding: the column is constant.
_CONSTANT = 1e-12


class CannotPushDown(StatementFailed):
    """The source cannot compute it as it is needed; read rows instead."""

    code = "cannot_push_down"


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one column: rows with a value, with a finite number, and between what these lie. None where there are none."""

    name: str
    present: int
    numbers: int
    least: float | None
    greatest: float | None
    mean: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Pairwise-complete figures of `names`, each a square matrix over them.

    `n` int64: rows with a number in both. `correlation`: Pearson's, NaN where n is below 2 or either is constant over
    these rows. `mean` and `deviation` (population) at [i, j] are of column i over the rows that j has, too.
    """

    names: tuple[str, ...]
    rows: int
    summaries: tuple[Summary, ...]
    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    correlation: NDArray[np.float64]
    statements: int


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows by values, None for null. `complete`: there are no more groups than these."""

    counts: Mapping[tuple[Any, ...], int]
    complete: bool


@dataclass(slots=True)
class _Figures:
    """What statements answered, by name."""

    values: dict[Name, float] = field(default_factory=dict)
    statements: int = 0

    async def ask(self, connector: Connector, statements: Sequence[Statement]) -> None:
        for statement in statements:
            answer = await connector.query(statement.sql, max_rows=1)
            self.statements += 1
            self.values.update(
                {
                    name: math.nan if value is None else float(value)
                    for name, value in zip(statement.names, answer.rows[0], strict=True)
                }
            )

    def of(self, *name: str) -> float:
        what, column, other = (*name, "", "")[:3]
        return self.values[what, column, other]


def numeric_columns(description: Description, names: Sequence[str] | None = None) -> list[str]:
    """The columns over which a source can sum."""
    chosen = chosen_columns(description, names)
    return [
        column.name
        for column in chosen
        if column.logical_type in _NUMERIC and not _ODD.match(column.native_type.strip())
    ]


async def moments(connector: Connector, description: Description, names: Sequence[str]) -> Moments:
    """Two passes of the source over its rows. Raises ConnectorError, CannotPushDown."""
    dialect, ref = DIALECTS[connector.kind], description.dataset.ref
    figures = _Figures()
    await figures.ask(connector, summaries(ref, names, dialect))
    rows = int(figures.of("rows"))
    summed = tuple(_summary(figures, name) for name in names)
    for each in summed:
        if connector.kind is Kind.SQLITE and each.numbers < each.present:
            raise CannotPushDown(f"{each.name!r} holds values that are no finite numbers")
    shifted = [column for each in summed if (column := _shift(each, rows)) is not None]
    if shifted:
        await figures.ask(connector, products(ref, shifted, dialect))
    return _moments(tuple(names), rows, summed, {column.name: column for column in shifted}, figures)


async def counts_by(
    connector: Connector, description: Description, names: Sequence[str], *, most: int = 100_000
) -> Groups:
    """How many rows have which values of these columns. Raises ConnectorError."""
    sql = group_counts(description.dataset.ref, names, DIALECTS[connector.kind], most=most)
    answer = await connector.query(sql, max_rows=most + 1)
    counts = {tuple(row[:-1]): int(row[-1]) for row in answer.rows[:most]}
    return Groups(counts, len(answer.rows) <= most and not answer.truncated)


def _summary(figures: _Figures, name: str) -> Summary:
    def known(what: str) -> float | None:
        value = figures.of(what, name)
        return None if math.isnan(value) else value

    total, numbers = known("sum"), int(figures.of("numbers", name))
    return Summary(
        name,
        int(figures.of("present", name)),
        numbers,
        known("least"),
        known("greatest"),
        None if total is None else total / numbers / SMALL,
    )


def _shift(summary: Summary, rows: int) -> Shifted | None:
    """How the column is shifted; None where it has no number or but one value."""
    least, greatest = summary.least, summary.greatest
    if least is None or greatest is None or summary.mean is None or least == greatest:
        return None
    middle = min(max(summary.mean, least), greatest)
    reach = max(greatest - middle, middle - least)
    if not math.isfinite(reach):
        raise CannotPushDown(f"the numbers of {summary.name!r} lie further apart than a double reaches")
    return Shifted(summary.name, middle, reach, summary.numbers == rows)


def _moments(
    names: tuple[str, ...], rows: int, summed: tuple[Summary, ...], shifted: Mapping[str, Shifted], figures: _Figures
) -> Moments:
    size = len(names)
    n = np.zeros((size, size), dtype=np.int64)
    mean, deviation, correlation = (np.full((size, size), np.nan) for _ in range(3))
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            one, other = shifted.get(a), shifted.get(b)
            if one is None or other is None:
                # Of a constant column it is not known which rows another has; of itself it is.
                n[i, j] = summed[i].numbers if i == j else 0
                continue
            n[i, j] = count = _count(figures, one, other)
            if count:
                total, squares = _own(figures, one, other)
                mean[i, j] = one.shift + one.scale * total / count
                deviation[i, j] = one.scale * math.sqrt(max(0.0, squares / count - (total / count) ** 2))
                correlation[i, j] = _correlation(figures, one, other, count)
    return Moments(names, rows, summed, n, mean, deviation, correlation, figures.statements)


def _count(figures: _Figures, one: Shifted, other: Shifted) -> int:
    if one.name == other.name or other.complete:
        return int(figures.of("n", one.name, one.name))
    if one.complete:
        return int(figures.of("n", other.name, other.name))
    return int(_of_pair(figures, "n", one.name, other.name))


def _own(figures: _Figures, one: Shifted, other: Shifted) -> tuple[float, float]:
    """Sum and sum of squares of the first over the rows that the second has, too."""
    beside = one.name if other.complete else other.name
    return figures.of("sum", one.name, beside), figures.of("squares", one.name, beside)


def _of_pair(figures: _Figures, what: str, a: str, b: str) -> float:
    value = figures.values.get((what, a, b))
    return figures.values[what, b, a] if value is None else value


def _correlation(figures: _Figures, one: Shifted, other: Shifted, count: int) -> float:
    if one.name == other.name:
        return 1.0
    (sum_a, squares_a), (sum_b, squares_b) = _own(figures, one, other), _own(figures, other, one)
    product = _of_pair(figures, "product", one.name, other.name)
    variance_a, variance_b = squares_a - sum_a * sum_a / count, squares_b - sum_b * sum_b / count
    if count < 2 or variance_a <= _CONSTANT * squares_a or variance_b <= _CONSTANT * squares_b:
        return math.nan
    r = (product - sum_a * sum_b / count) / math.sqrt(variance_a * variance_b)
    return min(1.0, max(-1.0, r))

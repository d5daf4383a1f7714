"""What a table offers to the finders: measures, breakdowns, the time column, and the order of its rows.

Figures that several finders need (normal scores, memory between neighbouring rows) are computed once, when first asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from analysis.columns import Array, Kind
from analysis.frames import Frame, FrameColumn, Role
from analysis.insights.findings import Condition
from analysis.insights.options import InsightOptions
from analysis.series.whitening import lag_one, whitened
from analysis.significance import normal_scores

# A breakdown of more levels is read by nobody; a filter of more leaves few rows each.
MOST_LEVELS, MOST_FILTER_LEVELS, MOST_CELLS = 50, 10, 2_000
# Columns beyond these are left to a budget's status.
MOST_MEASURES, MOST_BREAKDOWNS = 100, 20
NAMED_AS_KEY = re.compile(r"(?:^|[_\W]|(?<=[a-z]))(id|Id|ID|uuid|guid|key|pk|nr|oid|rowid)$")
_NAMED_AS_YEAR = re.compile(r"(?:^|[_\W]|(?<=[a-z]))(year|Year|YEAR|yr|jahr|Jahr|annee|ano)$")
_LEAST_STAMPS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Breakdown:
    """A category column: `codes` by row (-1 null) and the levels that occur, by code."""

    name: str
    codes: Array
    levels: tuple[str, ...]
    counts: Array

    @property
    def used(self) -> int:
        return int(np.count_nonzero(self.counts))


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cell of each row: the level of a breakdown times the levels of another one (`width`, 1 without) plus its
    level; one more for rows that have none."""

    codes: Array
    levels: int
    width: int

    def sums(self, weights: Array | None) -> Array:
        """Float, levels x width: sums of the weights, or how many rows."""
        size = self.levels * self.width
        return np.bincount(self.codes, weights, size + 1)[:size].reshape(self.levels, self.width).astype(np.float64)


@dataclass(eq=False)
class Subjects:
    """The table as finders see it."""

    frame: Frame
    options: InsightOptions
    check: Callable[[], None]
    _scores: dict[str, Array] = field(default_factory=dict)
    _whitened: dict[str, Array] = field(default_factory=dict)
    _memory: dict[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.frame.rows

    @cached_property
    def originals(self) -> dict[str, str]:
        return {column.name: column.original or column.name for column in self.frame.columns}

    @cached_property
    def numbers(self) -> tuple[FrameColumn, ...]:
        """Numeric columns with at least two different values that are no identifiers and no years."""
        return tuple(
            c for c in self.frame.of_role(Role.NUMERIC) if varies(c.values) and not self.is_key(c) and not is_year(c)
        )

    @cached_property
    def measures(self) -> tuple[FrameColumn, ...]:
        return self.numbers[:MOST_MEASURES]

    @cached_property
    def breakdowns(self) -> tuple[Breakdown, ...]:
        found = []
        for column in self.frame.of_role(Role.CATEGORY):
            breakdown = breakdown_of(column)
            if breakdown is not None and 2 <= breakdown.used <= MOST_LEVELS and breakdown.used < self.rows / 2:
                found.append(breakdown)
                if len(found) == MOST_BREAKDOWNS:
                    break
        return tuple(found)

    @cached_property
    def filters(self) -> tuple[Breakdown, ...]:
        return tuple(b for b in self.breakdowns if b.used <= MOST_FILTER_LEVELS)[:6] if self.options.subspaces else ()

    def cells(self, breakdown: Breakdown, other: Breakdown | None) -> Cells:
        """Which cell of the two breakdowns each row is in, in the order of time; `other` None for one row of cells."""
        width = 1 if other is None else len(other.levels)
        size = len(breakdown.levels) * width
        codes = breakdown.codes.astype(np.intp)
        if other is not None:
            codes = np.where((codes >= 0) & (other.codes >= 0), codes * width + other.codes, -1)
        return Cells(self.ordered(np.where(codes < 0, size, codes)), len(breakdown.levels), width)

    @cached_property
    def time(self) -> FrameColumn | None:
        """The column asked for, or the time column with the most different stamps that most rows have; failing these,
        whole numbers that are years."""
        times = self.frame.of_role(Role.TIME)
        wanted = self.options.time
        if wanted is None and not times:
            years = next((c for c in self.frame.of_role(Role.NUMERIC) if is_year(c)), None)
            return None if years is None else as_time(years)
        if wanted is not None:
            named = next((column for column in self.frame.columns if column.name == wanted), None)
            if named is not None and named.role is Role.NUMERIC and is_year(named):
                return as_time(named)
            return next((column for column in times if column.name == wanted), None)
        usable = [(len(np.unique(c.values[c.present])), c) for c in times if 2 * c.nulls < len(c)]
        most = max(usable, key=lambda rated: rated[0], default=None)
        return most[1] if most is not None and most[0] >= _LEAST_STAMPS else None

    @cached_property
    def order(self) -> Array | None:
        """Rows in the order of time; None where they already are, or have no time."""
        if self.time is None:
            return None
        stamps = self.time.values.astype(np.int64)
        if bool(np.all(stamps[1:] >= stamps[:-1])):
            return None
        return np.argsort(stamps, kind="stable")

    def ordered(self, values: Array) -> Array:
        return values if self.order is None else values[self.order]

    def is_key(self, column: FrameColumn) -> bool:
        """Whether whole numbers only name the rows: all there, all different, and named so, dense or in order."""
        if column.kind is not Kind.INTEGER or column.nulls or len(column) < 20:
            return False
        ordered = np.sort(column.values)
        if bool(np.any(ordered[1:] == ordered[:-1])):
            return False
        steps = np.diff(column.values)
        dense = ordered[-1] - ordered[0] < 2 * len(ordered)
        return bool(dense or np.all(steps > 0) or np.all(steps < 0) or NAMED_AS_KEY.search(column.name))

    def scores(self, name: str) -> Array:
        """Normal scores of a numeric column, in the order of time; NaN where null."""
        if name not in self._scores:
            self._scores[name] = self.ordered(normal_scores(self.frame.column(name).values))
        return self._scores[name]

    def memory(self, name: str) -> float:
        """The correlation of neighbouring rows' scores."""
        if name not in self._memory:
            self._memory[name] = lag_one(self.scores(name))
        return self._memory[name]

    def remembers(self, name: str) -> bool:
        """Whether neighbouring rows are alike (or unlike) beyond chance."""
        return abs(self.memory(name)) > max(0.02, 3.0 / math.sqrt(max(self.rows, 1)))

    def whitened(self, name: str) -> Array:
        """The scores without what the rows before foretell; 0 where null."""
        if not self.remembers(name):
            scores = self.scores(name)
            return np.nan_to_num(scores) if self.frame.column(name).nulls else scores
        if name not in self._whitened:
            self._whitened[name] = whitened(self.scores(name))
        return self._whitened[name]


def is_year(column: FrameColumn) -> bool:
    """Whether whole numbers are years, by their name and their range."""
    if column.kind is not Kind.INTEGER or not _NAMED_AS_YEAR.search(column.name):
        return False
    known = column.values[~np.isnan(column.values)]
    return len(known) > 0 and bool(known.min() >= 1000 and known.max() <= 2500)


def as_time(years: FrameColumn) -> FrameColumn:
    """The first moments of the years; the kind stays that of whole numbers."""
    known = ~np.isnan(years.values)
    stamps = np.full(len(years), np.datetime64("NaT"), dtype="datetime64[us]")
    stamps[known] = (years.values[known].astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[us]")
    return replace(years, role=Role.TIME, values=stamps, exact=None)


def varies(values: Array) -> bool:
    finite = values[~np.isnan(values)]
    return len(finite) > 1 and bool(finite.min() < finite.max())


def breakdown_of(column: FrameColumn) -> Breakdown | None:
    if column.levels is None or not len(column.levels) or len(column.levels) > 100_000:
        return None
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.levels))
    return Breakdown(column.name, column.values, tuple(map(str, column.levels)), counts)


def persists(codes: Array) -> bool:
    """Whether neighbouring rows have the same level more often than rows at random."""
    known = codes[codes >= 0]
    if len(known) < 20:
        return False
    shares = np.bincount(known) / len(known)
    expected = float(shares @ shares)
    same = float(np.mean(known[1:] == known[:-1]))
    return same > expected + 4.0 * math.sqrt(expected * (1.0 - expected) / len(known))


def crosses(breakdown: Breakdown, other: Breakdown) -> bool:
    """Whether to look at a breakdown within the levels of another one."""
    return breakdown.name != other.name and len(breakdown.levels) * len(other.levels) <= MOST_CELLS


def is_level(breakdown: Breakdown, code: int) -> Condition:
    return Condition(column=breakdown.name, operator="=", value=breakdown.levels[code])

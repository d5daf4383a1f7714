"""What the measures of an association matrix share: columns, options, the clock, and how to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from analysis.associations.columns import Numbers, Prepared
from analysis.associations.results import AssociationOptions, Method, Pair, Status
from analysis.associations.threads import in_threads
from analysis.associations.trend import Clock
from analysis.columns import Array
from analysis.frames import Frame
from analysis.time_budget import TimeBudget

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """`columns` are those that can be computed with; indices of pairs are theirs."""

    frame: Frame
    columns: Sequence[Prepared]
    options: AssociationOptions
    clock: Clock | None
    budget: TimeBudget
    check: Callable[[], None]
    tell: Callable[[float, str], None]

    def in_time(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The items until the time is over."""
        for item in items:
            if self.budget.spent():
                return
            yield item

    def random(self, *place: int) -> np.random.Generator:
        """The same for the same seed and place, whatever else is computed."""
        return np.random.default_rng((self.options.seed, *place))

    def picked(self, most: int) -> Array:
        """Rows chosen by chance in their order, all if there are no more than `most`."""
        rows = self.frame.rows
        return np.arange(rows) if rows <= most else np.sort(self.random(1).choice(rows, most, replace=False))

    def without_effect(self, a: int, b: int, method: Method, status: Status, n: int) -> Pair:
        return Pair(self.columns[a].told.name, self.columns[b].told.name, method, status, n)

    def rank(self, columns: Sequence[Numbers]) -> None:
        """Ranks all of them, several at a time."""
        waiting = [column for column in columns if "ranks" not in column.__dict__]
        for _ in in_threads(lambda column: column.ranks, waiting, self.options.threads, self.check):
            pass


def strength_of(low: float, high: float) -> float:
    """The least |effect| that an interval allows."""
    return 0.0 if low <= 0 <= high else min(abs(low), abs(high))

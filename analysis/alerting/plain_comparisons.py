"""Rules that compare the newest value of each series with a number, all of them at once.

Only those that the comparison finds bad, or that are not inactive, are then judged one by one, as all others are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analysis.alerting.conditions import COMPARE
from analysis.alerting.judging import OfValue
from analysis.alerting.matching import Labels
from analysis.alerting.plans import Happened, Plan
from analysis.alerting.series import Floats, Times

_OPERATORS = tuple(COMPARE)
_VECTORS = (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal)
_LONG_AGO = -(2**62)

Flags = NDArray[np.bool_]


class PlainComparisons:
    """Pairs of a series and a plan."""

    def __init__(self) -> None:
        self._pairs: list[tuple[int, Plan, Labels, int, float]] = []
        self._watchers: dict[int, list[tuple[Plan, Labels]]] = {}
        self._judged_to: dict[int, int] = {}
        self._table: _Table | None = None

    def join(self, series_id: int, plan: Plan, labels: Labels) -> bool:
        """Whether the plan's comparison is one of these; it is then judged here."""
        judge = plan.judge
        if not isinstance(judge, OfValue) or not judge.is_plain or plan.timing.no_data == "alert":
            return False
        spec = judge.condition.spec
        assert spec.op is not None
        assert spec.threshold is not None
        self._pairs.append((series_id, plan, labels, _OPERATORS.index(spec.op), spec.threshold))
        self._watchers.setdefault(series_id, []).append((plan, labels))
        self._table = None
        return True

    def watchers(self, series_id: int) -> Iterator[tuple[Plan, Labels]]:
        """Who looks at a series."""
        yield from self._watchers.get(series_id, ())

    def was_judged(self, series_id: int, at: int) -> None:
        """Samples of up to that time are not to be judged any more."""
        if series_id in self._watchers:
            self._judged_to[series_id] = max(self._judged_to.get(series_id, at), at)
            self._table = None

    def take(self, ids: Times, times: Times, values: Floats, not_before: int) -> list[Happened]:
        """Judges samples, in the order of their series and times, that are in the series' windows already."""
        if not self._pairs:
            return []
        if self._table is None:
            self._table = _Table(self._pairs, self._judged_to)
        happened: list[Happened] = []
        for pair, at in self._table.worth_a_look(ids, times, values, not_before):
            _, plan, labels, _, _ = self._pairs[pair]
            happened += plan.look(labels, at)
        self._judged_to = self._table.judged_to()
        return happened


class _Table:
    """The pairs as columns, in the order of their series."""

    def __init__(self, pairs: list[tuple[int, Plan, Labels, int, float]], judged_to: dict[int, int]) -> None:
        order = sorted(range(len(pairs)), key=lambda number: pairs[number][0])
        self._pair = np.array(order, dtype=np.int64)
        of_series = np.array([pairs[number][0] for number in order], dtype=np.int64)
        self._operator = np.array([pairs[number][3] for number in order], dtype=np.int8)
        self._threshold = np.array([pairs[number][4] for number in order])
        self._ids, self._starts, self._counts = np.unique(of_series, return_index=True, return_counts=True)
        self._judged_to = np.array([judged_to.get(int(each), _LONG_AGO) for each in self._ids], dtype=np.int64)
        self._place = {(pairs[number][1].key, pairs[number][2]): place for place, number in enumerate(order)}
        self._plans = list({pair[1].key: pair[1] for pair in pairs}.values())

    def judged_to(self) -> dict[int, int]:
        return dict(zip(self._ids.tolist(), self._judged_to.tolist(), strict=True))

    def worth_a_look(self, ids: Times, times: Times, values: Floats, not_before: int) -> Iterator[tuple[int, int]]:
        """(pair, time) of all new samples of a pair that is active, or that one of them is bad for; by time each."""
        slots = np.minimum(np.searchsorted(self._ids, ids), self._ids.size - 1)
        is_new = (self._ids[slots] == ids) & (times > self._judged_to[slots]) & (times >= not_before)
        slots, times, values = slots[is_new], times[is_new], values[is_new]
        np.maximum.at(self._judged_to, slots, times)
        counts = self._counts[slots]
        sample = np.repeat(np.arange(slots.size), counts)
        # The pairs of a series stand side by side.
        place = np.arange(sample.size) - np.repeat(np.cumsum(counts) - counts, counts) + self._starts[slots][sample]
        is_bad = self._is_bad(place, values[sample])
        wanted = self._active()
        wanted[place[is_bad]] = True
        chosen = np.flatnonzero(wanted[place])
        yield from zip(self._pair[place[chosen]].tolist(), times[sample[chosen]].tolist(), strict=True)

    def _is_bad(self, place: Times, values: Floats) -> Flags:
        is_bad = np.zeros(place.size, dtype=np.bool_)
        operators = self._operator[place]
        for number in np.unique(operators).tolist():
            mine = operators == number
            is_bad[mine] = _VECTORS[number](values[mine], self._threshold[place[mine]])
        return is_bad & ~np.isnan(values)

    def _active(self) -> Flags:
        active = np.zeros(self._pair.size, dtype=np.bool_)
        for plan in self._plans:
            for labels in plan.instances:
                if (place := self._place.get((plan.key, labels))) is not None:
                    active[place] = True
        return active

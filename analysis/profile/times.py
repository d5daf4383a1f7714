"""The profile of dates and timestamps."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.columns import Array, Column, Kind
from analysis.profile.figures import Gap, TimeFigures
from analysis.profile.multiset import Multiset
from analysis.profile.told import OrderSeen, ProfileOptions, Told, counted, exact, quantile_list

_FIELDS = tuple(TimeFigures.__struct_fields__)

_DAY = 86_400_000_000

# Microseconds of each unit, the coarsest first; months and years are not all of one length and looked at apart.
_UNITS = (
    ("day", _DAY),
    ("hour", 3_600_000_000),
    ("minute", 60_000_000),
    ("second", 1_000_000),
    ("millisecond", 1000),
)

_LONGEST_GAPS = 5


class Times:
    """Values of one temporal kind, added in batches."""

    def __init__(self, kind: Kind, budget_bytes: int | None, seed: int) -> None:
        self._kind = kind
        self._values = Multiset(budget_bytes, seed)
        self._order = OrderSeen()
        self._aware = False
        self._weekdays = np.zeros(7, dtype=np.int64)
        self._days = np.empty(0, dtype=np.int64)
        self._divisible = {name: True for name, _ in _UNITS}
        self._whole_months = self._whole_years = True

    def add(self, column: Column) -> None:
        moments = column.values.view(np.int64)
        if not len(moments):
            return
        days = moments // _DAY
        self._aware = self._aware or column.aware
        # Day 0, the first of January 1970, was a Thursday.
        self._weekdays += np.bincount((days + 3) % 7, minlength=7)
        self._days = np.union1d(self._days, days)
        self._look_at_units(moments, column.values)
        self._order.add(moments)
        self._values.add(moments)

    def merge(self, other: Times) -> None:
        self._aware = self._aware or other._aware
        self._weekdays += other._weekdays
        self._days = np.union1d(self._days, other._days)
        self._divisible = {name: self._divisible[name] and other._divisible[name] for name, _ in _UNITS}
        self._whole_months = self._whole_months and other._whole_months
        self._whole_years = self._whole_years and other._whole_years
        self._order.merge(other._order)
        self._values.merge(other._values)

    def told(self, options: ProfileOptions) -> Told:
        values, bounds = self._values, self._values.bounds()
        distinct, distinct_basis = values.distinct()
        top, top_basis = values.top(options.top)
        quantiles, quantiles_basis = values.quantiles(options.quantiles)
        days = len(self._days)
        figures = TimeFigures(
            aware=self._aware,
            min=None if bounds is None else self._iso(bounds[0]),
            max=None if bounds is None else self._iso(bounds[1]),
            quantiles=quantile_list(options.quantiles, quantiles, self._iso),
            granularity=self._granularity() if days else None,
            weekdays=self._weekdays.tolist(),
            days=days,
            missing_days=int(self._days[-1] - self._days[0]) + 1 - days if days else 0,
            gaps=_gaps(self._days),
            order=self._order.order(),
        )
        basis = exact(_FIELDS) | {"distinct": distinct_basis, "top": top_basis, "quantiles": quantiles_basis}
        return Told(distinct, counted(top, values.count, self._iso), basis, figures)

    def _look_at_units(self, moments: Array, values: Array) -> None:
        for name, size in _UNITS:
            self._divisible[name] = self._divisible[name] and bool(np.all(moments % size == 0))
        if not self._divisible["day"]:
            self._whole_months = self._whole_years = False
        if self._whole_months:
            self._whole_months = bool(np.all(values.astype("datetime64[M]").astype("datetime64[us]") == values))
            self._whole_years = self._whole_years and self._whole_months
        if self._whole_years:
            self._whole_years = bool(np.all(values.astype("datetime64[Y]").astype("datetime64[us]") == values))

    def _granularity(self) -> str:
        if self._whole_years:
            return "year"
        if self._whole_months:
            return "month"
        return next((name for name, _ in _UNITS if self._divisible[name]), "microsecond")

    def _iso(self, value: Any) -> str:
        moment = np.datetime64(int(value), "us")
        if self._kind is Kind.DATE:
            return str(moment.astype("datetime64[D]"))
        text = str(moment).removesuffix(".000000")
        return f"{text}Z" if self._aware else text


def _gaps(days: Array) -> list[Gap]:
    """The longest first, the earlier of equal ones first."""
    missing = np.diff(days) - 1
    longest = sorted(np.flatnonzero(missing > 0).tolist(), key=lambda place: (-int(missing[place]), place))
    return [
        Gap(after=_day(days[place]), before=_day(days[place + 1]), days=int(missing[place]))
        for place in longest[:_LONGEST_GAPS]
    ]


def _day(number: int) -> str:
    return str(np.datetime64(int(number), "D"))

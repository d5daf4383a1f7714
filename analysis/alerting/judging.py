"""What a rule makes of the samples of one group of series at one moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from analysis.alerting import specs
from analysis.alerting.conditions import Condition
from analysis.alerting.matching import Labels
from analysis.alerting.series import RecentSamples, change, rise
from analysis.alerting.specs import Matchers, Selector, SpecError
from analysis.alerting.states import Truth


@dataclass(frozen=True, slots=True)
class Judgement:
    """`value` is what was compared with `threshold`; None where it is not known. `expected`: of a band."""

    truth: Truth
    value: float | None = None
    threshold: float | None = None
    expected: float | None = None


UNKNOWN = Judgement(Truth.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Series that a judge asks for, in its role number `role`; of each it needs so much of the past."""

    role: int
    metric: str
    labels: Matchers
    group_by: tuple[str, ...] | None
    horizon_ms: int


@dataclass(slots=True)
class Group:
    """Series that are judged together: `members` of each role. `kept` is a judge's own, of what it has worked out.

    `ended_ms` is the newest sample of any of them when they were found, as far as its past is not loaded.
    """

    labels: Labels
    members: list[list[RecentSamples]]
    is_counter: bool = False
    ended_ms: int = 0
    kept: Any = field(default=None, repr=False)


class Judge(Protocol):
    """Judges groups. Given the same samples it says the same of a moment, in whatever order moments are asked for."""

    @property
    def wanted(self) -> Sequence[Wanted]: ...

    def judge(self, group: Group, at: int, *, is_firing: bool) -> Judgement:
        """Raises ExpressionFailed where the condition cannot be computed."""
        ...


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


class Measure:
    """A selector, of a group."""

    def __init__(self, selector: Selector, role: int) -> None:
        self._function, self._combine = selector.function, selector.combine
        self._window_ms = milliseconds(selector.window_seconds)
        self._stale_ms = milliseconds(selector.stale_after_seconds)
        reach = self._stale_ms if selector.function == "last" else max(self._stale_ms, self._window_ms)
        self.wanted = Wanted(role, selector.metric, selector.labels, selector.group_by, reach)

    def value(self, group: Group, at: int) -> float | None:
        """None while it is not known: also while that of one of its members has just ended. Missing is not zero."""
        members = group.members[self.wanted.role]
        if len(members) == 1:
            return members[0].value(self._function, at, self._window_ms, self._stale_ms)
        known = []
        for samples in members:
            value = samples.value(self._function, at, self._window_ms, self._stale_ms)
            if value is not None:
                known.append(value)
            elif samples.has_just_ended(at, self._stale_ms):
                return None
        return _combined(self._combine, known)

    def rate(self, group: Group, at: int) -> float | None:
        """How fast a counter rises, or a gauge that does not fall."""
        members = group.members[self.wanted.role]
        rates = [rise(*samples.between(at - self._window_ms, at), per_second=True) for samples in members]
        return _combined(self._combine, [rate for rate in rates if rate is not None])


def _combined(how: str, values: Sequence[float]) -> float | None:
    if not values:
        return None
    if how == "avg":
        return math.fsum(values) / len(values)
    return math.fsum(values) if how == "sum" else min(values) if how == "min" else max(values)


class OfValue:
    """A threshold: one value, compared."""

    def __init__(self, spec: specs.Threshold) -> None:
        self.condition = Condition(spec)
        self.measure = Measure(spec.selector, 0)
        self.wanted = (self.measure.wanted,)
        self.is_plain = self.condition.is_plain and spec.selector.function == "last" and spec.selector.group_by is None

    def judge(self, group: Group, at: int, *, is_firing: bool) -> Judgement:
        value = self.measure.value(group, at)
        if value is None:
            return UNKNOWN
        return _compared(
            self.condition,
            value,
            group,
            at,
            is_firing,
            previous=lambda: self.measure.value(group, at - 1),
            rate=lambda: self.measure.rate(group, at),
        )


class OfChange:
    """A rate of change."""

    def __init__(self, spec: specs.RateOfChange) -> None:
        self._spec, self._condition = spec, Condition(spec)
        self._window_ms = milliseconds(spec.window_seconds)
        self._stale_ms = milliseconds(spec.stale_after_seconds)
        self.wanted = (Wanted(0, spec.metric, spec.labels, None, max(self._window_ms, self._stale_ms)),)

    def judge(self, group: Group, at: int, *, is_firing: bool) -> Judgement:
        value = self._value(group, at)
        if value is None:
            return UNKNOWN
        return _compared(self._condition, value, group, at, is_firing, previous=lambda: self._value(group, at - 1))

    def _value(self, group: Group, at: int) -> float | None:
        return change(group.members[0][0], self._spec.change, at, self._window_ms, self._stale_ms)


class OfRatio:
    """One value divided by another."""

    def __init__(self, spec: specs.Ratio) -> None:
        if _sorted(spec.numerator.group_by) != _sorted(spec.denominator.group_by):
            raise SpecError("the numerator and the denominator of a ratio have the same `group_by`")
        self._spec, self._condition = spec, Condition(spec)
        self._above, self._below = Measure(spec.numerator, 0), Measure(spec.denominator, 1)
        self.wanted = (self._above.wanted, self._below.wanted)

    def judge(self, group: Group, at: int, *, is_firing: bool) -> Judgement:
        above, below = self._above.value(group, at), self._below.value(group, at)
        if above is None or below is None:
            return UNKNOWN
        if below < self._spec.min_denominator or below == 0:
            return Judgement(Truth.FALSE, None, self._spec.threshold)
        return _compared(self._condition, above / below, group, at, is_firing)


def _sorted(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else sorted(set(names))


def _compared(condition: Condition, value: float, group: Group, at: int, is_firing: bool, **others: Any) -> Judgement:
    def facts() -> dict[str, Any]:
        known = {name: find() if condition.uses(name) else None for name, find in others.items()}
        named = {"value": value, "threshold": condition.spec.threshold, "at": at / 1000, "labels": dict(group.labels)}
        return {"previous": None, "rate": None} | known | named

    is_bad = condition.holds(value, is_firing=is_firing, facts=facts)
    return Judgement(Truth(int(is_bad)), value, condition.spec.threshold)

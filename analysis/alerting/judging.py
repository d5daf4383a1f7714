"""What a rule makes of the samples of one group of series at one moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from analysis.alerting import specs
from analysis.alerting.conditions import Condition
from analysis.alerting.matching import Labels
from analysis.alerting.series import RecentSamples, change, rise
from analysis.alerting.specs import Matchers, Selector, SpecError
from analysis.alerting.states import Truth
from analysis.monitoring.bands import BandModel, BandOptions, fit

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """`value` is what was compared with `threshold`; None where it is not known."""

    truth: Truth
    value: float | None = None
    threshold: float | None = None


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
    """Series that are judged together: `members` of each role. `kept` is a judge's own, of what it has worked out."""

    labels: Labels
    members: list[list[RecentSamples]]
    is_counter: bool = False
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


class OfBand:
    """An anomaly. The band of an hour is learned from what came before the hour, and goes on with the samples of it: so
    it is the same whenever it is worked out."""

    def __init__(self, spec: specs.Anomaly) -> None:
        if spec.leave > spec.enter:
            raise SpecError("`leave` is at most `enter`: it is where an anomaly ends")
        self._options = BandOptions(
            spec.false_alarm_rate, spec.enter, spec.direction, spec.leave / spec.enter, spec.least_change
        )
        self._history_ms = milliseconds(spec.history_seconds)
        self._stale_ms = milliseconds(spec.stale_after_seconds)
        self.wanted = (Wanted(0, spec.metric, spec.labels, None, self._history_ms + HOUR_MS),)

    def judge(self, group: Group, at: int, *, is_firing: bool) -> Judgement:
        samples = group.members[0][0]
        if samples.latest(at, self._stale_ms) is None:
            return UNKNOWN
        hour = at - at % HOUR_MS
        if group.kept is None or group.kept.hour != hour or group.kept.until > at:
            group.kept = self._begun(group, hour)
        kept: _HourOfBand = group.kept
        return kept.judge(samples, at, is_firing)

    def _begun(self, group: Group, hour: int) -> _HourOfBand:
        times, values = group.members[0][0].between(hour - self._history_ms, hour - 1)
        if group.is_counter:
            times, values = _rates(times, values)
        return _HourOfBand(hour, fit(times, values, self._options), is_counter=group.is_counter)


class _HourOfBand:
    def __init__(self, hour: int, model: BandModel | None, *, is_counter: bool) -> None:
        self.hour, self.until = hour, hour - 1
        self._model, self._is_counter = model, is_counter

    def judge(self, samples: RecentSamples, at: int, is_firing: bool) -> Judgement:
        if self._model is None:
            return Judgement(Truth.FALSE)  # too little of the past to say what is usual
        times, values = self._since(samples, at)
        self.until = at
        if not times.size or times[-1] != at:
            return UNKNOWN
        for when, value in zip(times[:-1].tolist(), values[:-1].tolist(), strict=True):
            self._model.update(when, value)
        value = float(values[-1])
        said = self._model.judge(at, value, was_anomalous=is_firing)
        self._model.update(at, value)
        limit = said.upper if value >= said.expected else said.lower
        return Judgement(Truth(int(said.is_anomalous)), value, limit)

    def _since(self, samples: RecentSamples, at: int) -> tuple[Any, Any]:
        if not self._is_counter:
            return samples.between(self.until, at)
        times, values = _rates(*samples.between(self.until - HOUR_MS, at))
        return times[times > self.until], values[times > self.until]


def _rates(times: Any, values: Any) -> tuple[Any, Any]:
    """Of a counter, from each sample to the next; NaN across gaps and where it fell."""
    steps = np.diff(values)
    return times[1:], np.where(steps >= 0, steps, np.nan) / (np.diff(times) / 1000)


class OfBurnRate:
    """A multi-window burn rate."""

    def __init__(self, spec: specs.BurnRate) -> None:
        self._spec = spec
        self._stale_ms = milliseconds(spec.stale_after_seconds)
        self._windows = [
            (milliseconds(each.long_seconds), milliseconds(each.short_seconds), each.factor) for each in spec.windows
        ]
        if any(short >= long for long, short, _ in self._windows):
            raise SpecError("the short window of a burn rate is shorter than the long one")
        longest = max(long for long, _, _ in self._windows)
        self.wanted = tuple(
            Wanted(role, counter.metric, counter.labels, spec.group_by, longest)
            for role, counter in enumerate((spec.bad, spec.total))
        )

    def judge(self, group: Group, at: int, *, is_firing: bool) -> Judgement:  # noqa: ARG002 - windows are hysteresis
        if all(samples.latest(at, self._stale_ms) is None for samples in group.members[1]):
            return UNKNOWN
        worst, threshold = 0.0, self._windows[0][2]
        for long, short, factor in self._windows:
            pace = min(self._pace(group, at, long), self._pace(group, at, short))
            if pace >= factor:
                return Judgement(Truth.TRUE, pace, factor)
            if pace > worst:
                worst, threshold = pace, factor
        return Judgement(Truth.FALSE, worst, threshold)

    def _pace(self, group: Group, at: int, window_ms: int) -> float:
        """How many times faster than it may the budget is used up; 0 of too few events."""
        bad, total = (self._risen(group.members[role], at, window_ms) for role in (0, 1))
        if total <= 0 or total < self._spec.min_events:
            return 0.0
        return min(bad / total, 1.0) / (1 - self._spec.objective)

    @staticmethod
    def _risen(members: Sequence[RecentSamples], at: int, window_ms: int) -> float:
        return math.fsum(rise(*each.between(at - window_ms, at), per_second=False) or 0.0 for each in members)


def _compared(condition: Condition, value: float, group: Group, at: int, is_firing: bool, **others: Any) -> Judgement:
    def facts() -> dict[str, Any]:
        known = {name: find() if condition.uses(name) else None for name, find in others.items()}
        named = {"value": value, "threshold": condition.spec.threshold, "at": at / 1000, "labels": dict(group.labels)}
        return {"previous": None, "rate": None} | known | named

    is_bad = condition.holds(value, is_firing=is_firing, facts=facts)
    return Judgement(Truth(int(is_bad)), value, condition.spec.threshold)

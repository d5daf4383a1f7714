"""Whether a value is unusual, by the band that the past of its series makes likely."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np

from analysis.alerting import specs
from analysis.alerting.judging import UNKNOWN, Group, Judgement, Wanted, milliseconds
from analysis.alerting.series import RecentSamples
from analysis.alerting.specs import SpecError
from analysis.alerting.states import Truth
from analysis.monitoring.bands import BandModel, BandOptions, fit

HOUR_MS = 3_600_000


class OfBand:
    """An anomaly. The band of an hour is learned from what came before the hour, and goes on with the samples of it: so
    it is the same whenever it is worked out. Each group has hours of its own: learning takes 20 ms, and those of a
    thousand groups are not to come at once."""

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
        hour = at - (at - crc32(repr(group.labels).encode())) % HOUR_MS
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
        return Judgement(Truth(int(said.is_anomalous)), value, limit, said.expected)

    def _since(self, samples: RecentSamples, at: int) -> tuple[Any, Any]:
        if not self._is_counter:
            return samples.between(self.until, at)
        times, values = _rates(*samples.between(self.until - HOUR_MS, at))
        return times[times > self.until], values[times > self.until]


def _rates(times: Any, values: Any) -> tuple[Any, Any]:
    """Of a counter, from each sample to the next; NaN across gaps and where it fell."""
    steps = np.diff(values)
    return times[1:], np.where(steps >= 0, steps, np.nan) / (np.diff(times) / 1000)

"""Whether the budget of an objective is used up too fast."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.alerting import specs
from analysis.alerting.judging import UNKNOWN, Group, Judgement, Wanted, milliseconds
from analysis.alerting.series import RecentSamples, rise
from analysis.alerting.specs import SpecError
from analysis.alerting.states import Truth


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
            least = self._spec.min_events
            least_long = 1 / min(1.0, factor * (1 - self._spec.objective)) if least is None else least
            pace = min(self._pace(group, at, long, least_long), self._pace(group, at, short, least or 0.0))
            if pace >= factor:
                return Judgement(Truth.TRUE, pace, factor)
            if pace > worst:
                worst, threshold = pace, factor
        return Judgement(Truth.FALSE, worst, threshold)

    def _pace(self, group: Group, at: int, window_ms: int, least: float) -> float:
        """How many times faster than it may the budget is used up; 0 of fewer events than that."""
        bad, total = (self._risen(group.members[role], at, window_ms) for role in (0, 1))
        if total <= 0 or total < least:
            return 0.0
        return min(bad / total, 1.0) / (1 - self._spec.objective)

    @staticmethod
    def _risen(members: Sequence[RecentSamples], at: int, window_ms: int) -> float:
        return math.fsum(rise(*each.between(at - window_ms, at), per_second=False) or 0.0 for each in members)

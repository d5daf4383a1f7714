"""Rules about what does not come: the clock is all that says so."""

from __future__ import annotations

from analysis.alerting import specs
from analysis.alerting.judging import UNKNOWN, Judgement, Wanted, milliseconds
from analysis.alerting.matching import Labels
from analysis.alerting.plans import Happened, Plan
from analysis.alerting.rules import Rule
from analysis.alerting.series import RecentSamples
from analysis.alerting.states import ALLOWANCE_MS, Truth

# What had given nothing for so long when a rule was made is not missed.
GONE_MS = 86_400_000


class AbsencePlan(Plan):
    """The clock is all that says that something is absent."""

    def __init__(self, rule: Rule, source_id: int) -> None:
        super().__init__(rule, source_id)
        assert isinstance(rule.spec.query, specs.Absence)
        self._query = rule.spec.query
        self._window_ms = milliseconds(self._query.window_seconds)
        # The newest sample of each group; of what was never heard of, when the rule began. A group that has just been
        # found is heard of by its first sample.
        self.heard: dict[Labels, int] = {}
        # A rule about one source misses also what never came. One about all sources misses what each of them had: there
        # are others that have nothing of the kind.
        self._is_of_all = not self._query.group_by and rule.source_id is not None
        if self._is_of_all:
            self.group(())
            self.hear((), rule.since_ms)

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        query = self._query
        return (Wanted(0, query.metric, query.labels, query.group_by, 2 * self._window_ms),)

    def join(
        self, wanted: Wanted, labels: Labels, samples: RecentSamples, *, is_counter: bool, last_ms: int
    ) -> Labels | None:
        if not self._is_of_all and last_ms < self.rule.since_ms - GONE_MS:
            return None
        return super().join(wanted, labels, samples, is_counter=is_counter, last_ms=last_ms)

    def hear(self, labels: Labels, at: int) -> None:
        """There was a sample, some time ago."""
        self.heard[labels] = max(self.heard.get(labels, at), at)

    def settle(self, now: int) -> None:
        """Once history is loaded: of what ended before it, the rule hears from when it began."""
        for labels, group in self.groups.items():
            if labels not in self.heard and group.ended_ms <= now:
                self.hear(labels, max(group.ended_ms, self.rule.since_ms))

    def look(self, labels: Labels, at: int, *, is_old: bool = False) -> list[Happened]:  # noqa: ARG002 - signs of life
        happened = self._absent(labels, at - ALLOWANCE_MS)
        self.hear(labels, at)
        return happened + self.take(labels, Judgement(Truth.FALSE, 0.0, self._query.window_seconds), at)

    def now(self, labels: Labels, at: int) -> Judgement:
        if (heard := self.heard.get(labels)) is None:
            return UNKNOWN
        silent = at - heard
        return Judgement(Truth(int(silent >= self._window_ms)), silent / 1000, self._query.window_seconds)

    def advance(self, until: int) -> list[Happened]:
        happened = [one for labels in list(self.heard) for one in self._absent(labels, until)]
        return happened + super().advance(until)

    def resume(self, away_since: int, now: int) -> list[Happened]:
        """What was not heard because nobody was there to hear it is not absent."""
        for labels in self.groups.keys() - self.instances.keys():
            self.hear(labels, now)
        return super().resume(away_since, now)

    def _absent(self, labels: Labels, until: int) -> list[Happened]:
        if labels in self.instances or (heard := self.heard.get(labels)) is None:
            return []
        if (due := heard + self._window_ms) > until:
            return []
        return self.take(labels, Judgement(Truth.TRUE, self._window_ms / 1000, self._query.window_seconds), due)


def plan_of(rule: Rule, source_id: int) -> Plan:
    """Raises SpecError."""
    kind = AbsencePlan if isinstance(rule.spec.query, specs.Absence) else Plan
    return kind(rule, source_id)

"""Rules over the samples of their sources, evaluated in the order of the samples' times and by the clock.

The engine holds what evaluations need: windows of samples, and the states of what is not inactive. It is told of
series, of history (`load`, `restore`) and of what is new (`take`, `advance`), and answers with what happened. The live
evaluation and the preview are the same engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any

import numpy as np

from analysis.alerting import specs
from analysis.alerting.absences import AbsencePlan, plan_of
from analysis.alerting.conditions import compiled
from analysis.alerting.judging import Judgement
from analysis.alerting.matching import Labels
from analysis.alerting.plain_comparisons import PlainComparisons
from analysis.alerting.plans import Happened, Plan
from analysis.alerting.rules import Rule
from analysis.alerting.selection import Selection
from analysis.alerting.series import Floats, RecentSamples, Times
from analysis.alerting.states import ALLOWANCE_MS, Kind, Phase, Truth
from analysis.rules.expressions import ExpressionFailed


@dataclass(slots=True)
class Followed:
    """A series that some rule is about."""

    samples: RecentSamples
    watchers: list[tuple[Plan, Labels]] = field(default_factory=list)
    # The newest time that was judged; what comes later of before that is part of windows only.
    judged_to: int = -(2**62)


# Windows of more than this have so many samples that judging one takes a millisecond and more.
_LONG_MS = 3_600_000

# The moments at which groups are to be judged.
Work = dict[tuple[tuple[int, int], Labels], tuple[Plan, set[int]]]


class Engine:
    """All rules that are evaluated together."""

    def __init__(self) -> None:
        self.plans: dict[tuple[int, int], Plan] = {}
        self._composites: list[Plan] = []
        self._selection = Selection()
        self.series: dict[int, Followed] = {}
        self._plain = PlainComparisons()
        # Whether a few samples may take long.
        self.is_slow = False

    # What there is

    def add(self, rule: Rule, source_id: int) -> Plan:
        """A rule over a source, before the series of the source. Raises SpecError."""
        plan = self.plans[rule.id, source_id] = plan_of(rule, source_id)
        if isinstance(rule.spec.query, specs.Composite):
            self._composites.append(plan)
        self._selection.add(plan)
        self.is_slow = self.is_slow or any(wanted.horizon_ms > _LONG_MS for wanted in plan.wanted)
        return plan

    def metrics_of(self, source_id: int) -> set[str]:
        """What rules are about, of a source."""
        return self._selection.metrics_of(source_id)

    def add_series(
        self, source_id: int, series_id: int, metric: str, labels: Labels, *, is_counter: bool = False, last_ms: int = 0
    ) -> int | None:
        """How much of its past is needed, in ms; None if no rule is about it. `last_ms`: its newest sample."""
        samples = RecentSamples(ALLOWANCE_MS)
        watchers: dict[tuple[tuple[int, int], Labels], tuple[Plan, Labels]] = {}
        for plan, wanted in self._selection.asking(source_id, metric, labels):
            group = plan.join(wanted, labels, samples, is_counter=is_counter, last_ms=last_ms)
            if group is not None:
                watchers[plan.key, group] = plan, group
                samples.horizon_ms = max(samples.horizon_ms, wanted.horizon_ms + ALLOWANCE_MS)
        if not watchers:
            return None
        followed = self.series[series_id] = Followed(samples)
        for plan, group in watchers.values():
            if not self._plain.join(series_id, plan, group):
                followed.watchers.append((plan, group))
        return samples.horizon_ms

    def load(self, series_id: int, at_ms: Times, value: Floats) -> None:
        """Samples of a series that were judged before, in the order of their times."""
        followed = self.series[series_id]
        followed.samples.load(at_ms, value)
        if not at_ms.size:
            return
        followed.judged_to = max(followed.judged_to, int(at_ms[-1]))
        self._plain.was_judged(series_id, followed.judged_to)
        known = at_ms[~np.isnan(value)]
        for plan, group in followed.watchers:
            if isinstance(plan, AbsencePlan) and known.size:
                plan.hear(group, int(known[-1]))

    def settle(self, now: int) -> None:
        """Once all history is loaded: when there was data last, for what was restored.

        Of what there is no history any more, that is now: it did not end while somebody looked.
        """
        for plan in self.plans.values():
            if isinstance(plan, AbsencePlan):
                plan.settle(now)
            for labels, instance in plan.instances.items():
                if instance.missing_since is None and instance.heard_at is None:
                    members = [each for role in plan.groups[labels].members for each in role]
                    heard = [at for each in members if each.newest and (at := each.heard_at(each.newest)) is not None]
                    has_history = any(each.newest for each in members)
                    instance.heard_at = max(heard, default=None if has_history else now)

    def resume(self, away_since: int, now: int) -> list[Happened]:
        """Goes on after nobody evaluated for a while, of which nothing is known but the samples that are there."""
        happened = [one for plan in self.plans.values() for one in plan.resume(away_since, now)]
        return happened + self._compose(happened)

    def look_at_newest(self, plans: Iterable[Plan], not_before: int) -> list[Happened]:
        """Judges what is known already, for rules that are new."""
        wanted = {plan.key for plan in plans}
        happened: list[Happened] = []
        for series_id, followed in self.series.items():
            newest = followed.samples.newest
            if newest is None or newest < not_before:
                continue
            for plan, group in (*followed.watchers, *self._plain.watchers(series_id)):
                if plan.key in wanted and not isinstance(plan, AbsencePlan):
                    happened += plan.look(group, newest, is_old=True)
        happened += self._compose(happened)
        for plan in self._composites:
            if plan.key in wanted:
                happened += self._judge_composite(plan, self._last_change(plan))
        return happened

    # What is new

    def take(self, series_ids: Times, at_ms: Times, value: Floats, *, not_before: int = 0) -> list[Happened]:
        """Samples as they came. Those of before `not_before` (ms) are too old to be acted on."""
        order = np.lexsort((np.arange(at_ms.size), at_ms, series_ids))
        ids, times, values = series_ids[order], at_ms[order], value[order]
        starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if ids.size else np.zeros(0, dtype=np.int64)
        ends = np.r_[starts[1:], ids.size]
        work: Work = {}
        for series_id, start, end in zip(ids[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
            followed = self.series.get(series_id)
            if followed is not None:
                _add(followed, times[start:end].tolist(), values[start:end].tolist(), not_before, work)
        happened = self._plain.take(ids, times, values, not_before)
        for (_, labels), (plan, moments) in work.items():
            for at in sorted(moments):
                happened += plan.look(labels, at)
        return happened + self._compose(happened)

    def advance(self, now: int) -> list[Happened]:
        """What comes by the clock, with an allowance for samples that are a little late."""
        until = now - ALLOWANCE_MS
        happened: list[Happened] = []
        for plan in self.plans.values():
            if plan.instances or isinstance(plan, AbsencePlan):
                happened += plan.advance(until)
            for labels, since in list(plan.stale(until)):
                happened += plan.take(labels, Judgement(Truth.UNKNOWN), since)
        return happened + self._compose(happened)

    # Rules over rules

    def _compose(self, happened: list[Happened]) -> list[Happened]:
        """Judges rules that are about others which changed, at the times at which they did."""
        composed: list[Happened] = []
        changed: dict[int, set[int]] = {}
        for one in happened:
            if one.transition.kind is not Kind.REMEMBERED:
                changed.setdefault(one.plan.rule.id, set()).add(one.transition.at)
        for plan in self._composites if changed else ():
            query = plan.rule.spec.query
            assert isinstance(query, specs.Composite)
            moments = [at for rule_id in query.rules.values() for at in changed.get(rule_id, ())]
            if moments:
                composed += self._judge_composite(plan, max(moments))
        return composed

    def _last_change(self, plan: Plan) -> int:
        """When something of what a rule is about changed last, as far as is known."""
        query = plan.rule.spec.query
        assert isinstance(query, specs.Composite)
        about = [each for (rule_id, _), each in self.plans.items() if rule_id in query.rules.values()]
        # One that is not evaluated any more has changed since, whatever is left.
        about.append(plan)
        changed = [one.seen_at for each in about for one in each.instances.values()]
        return max(changed, default=plan.rule.since_ms)

    def _judge_composite(self, plan: Plan, at: int) -> list[Happened]:
        query = plan.rule.spec.query
        assert isinstance(query, specs.Composite)
        plan.group(())
        facts = {name: self._facts(rule_id, plan.source_id) for name, rule_id in query.rules.items()}
        try:
            holds = compiled(query.condition, tuple(sorted(query.rules))).holds(facts)
        except ExpressionFailed as error:
            plan.error = str(error)
            return plan.take((), Judgement(Truth.UNKNOWN), at, plan.rule.spec.on_error)
        value = next((fact["value"] for fact in facts.values() if fact["firing"]), None)
        return plan.take((), Judgement(Truth(int(holds)), value), at)

    def _facts(self, rule_id: int, source_id: int) -> Mapping[str, Any]:
        plan = self.plans.get((rule_id, source_id))
        if plan is None:
            plan = next((each for (other, _), each in self.plans.items() if other == rule_id), None)
        if plan is None:
            return {"firing": False, "pending": False, "count": 0, "value": None}
        firing = sorted(labels for labels, one in plan.instances.items() if one.phase is Phase.FIRING)
        return {
            "firing": bool(firing),
            "pending": any(one.phase is Phase.PENDING for one in plan.instances.values()),
            "count": len(firing),
            "value": plan.last[firing[0]].value if firing else None,
        }


def _add(followed: Followed, times: list[int], values: list[float], not_before: int, work: Work) -> None:
    """Samples of one series: into its windows, and to whoever judges it."""
    after = max(followed.judged_to, not_before - 1)
    for at, value in zip(times, values, strict=True):
        followed.samples.add(at, value)
    followed.judged_to = max(followed.judged_to, times[-1])
    for plan, group in followed.watchers:
        # A marker of a gap is no sign of life.
        is_absence = isinstance(plan, AbsencePlan)
        moments = (
            at for at, value in zip(times, values, strict=True) if at > after and not (is_absence and isnan(value))
        )
        work.setdefault((plan.key, group), (plan, set()))[1].update(moments)

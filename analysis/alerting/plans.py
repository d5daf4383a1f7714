"""A rule as it is evaluated over one source: its groups of series, and the states of those that are not inactive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.alerting import specs
from analysis.alerting.judging import (
    Group,
    Judgement,
    Wanted,
)
from analysis.alerting.matching import Labels, group_of, selects
from analysis.alerting.rules import Rule, judge_of, timing_of
from analysis.alerting.series import RecentSamples
from analysis.alerting.states import Instance, Transition, Truth, advance, resume, step
from analysis.rules.expressions import ExpressionFailed


@dataclass(frozen=True, slots=True)
class Happened:
    """A transition of one label set of a rule over one source, with the judgement that it comes from."""

    plan: Plan
    labels: Labels
    transition: Transition
    judgement: Judgement
    remembered: Instance


class Plan:
    """One rule over one source. Raises SpecError where the rule cannot be evaluated."""

    def __init__(self, rule: Rule, source_id: int) -> None:
        self.rule, self.source_id = rule, source_id
        self.judge = judge_of(rule.spec.query)
        self.timing = timing_of(rule.spec)
        self.groups: dict[Labels, Group] = {}
        # Of those that are pending or fire. `last` is what was judged of them last.
        self.instances: dict[Labels, Instance] = {}
        self.last: dict[Labels, Judgement] = {}
        self.error: str | None = None
        self._resumed_ms = 0

    @property
    def key(self) -> tuple[int, int]:
        return self.rule.id, self.source_id

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        return tuple(self.judge.wanted) if self.judge is not None else ()

    def join(
        self,
        wanted: Wanted,
        labels: Labels,
        samples: RecentSamples,
        *,
        is_counter: bool,
        last_ms: int,
    ) -> Labels | None:
        """Takes a series of the metric that is wanted, if its labels are; the labels of its group.

        `last_ms` is the time of its newest sample.
        """
        if not selects(wanted.labels, dict(labels)):
            return None
        group = self.group(group_of(labels, wanted.group_by))
        group.members[wanted.role].append(samples)
        group.is_counter, group.ended_ms = is_counter, max(group.ended_ms, last_ms)
        return group.labels

    def group(self, labels: Labels) -> Group:
        """The group of these labels, made if need be."""
        if (known := self.groups.get(labels)) is None:
            known = self.groups[labels] = Group(labels, [[] for _ in self.wanted])
        return known

    def restore(self, labels: Labels, instance: Instance, value: float | None) -> None:
        """What is known of a label set from before."""
        self.group(labels)
        self.instances[labels] = instance
        self.last[labels] = Judgement(Truth.TRUE, value)

    # Judging

    def look(self, labels: Labels, at: int, *, is_old: bool = False) -> list[Happened]:
        """Judges a group at a moment; one of before the rule was made or changed only if it `is_old` by intent."""
        instance = self.instances.get(labels)
        if (instance is not None and at < instance.seen_at) or (at < self.rule.since_ms and not is_old):
            return []
        judgement, unknown_is = self._judged(labels, at, is_firing=instance is not None and instance.phase == "firing")
        return self.take(labels, judgement, at, unknown_is)

    def _judged(self, labels: Labels, at: int, *, is_firing: bool) -> tuple[Judgement, specs.Policy | None]:
        assert self.judge is not None
        try:
            return self.judge.judge(self.groups[labels], at, is_firing=is_firing), None
        except ExpressionFailed as error:
            self.error = str(error)
            return Judgement(Truth.UNKNOWN), self.rule.spec.on_error

    def now(self, labels: Labels, at: int) -> Judgement:
        """What a group comes to at a moment; nothing comes of it."""
        if self.judge is None:
            return self.last.get(labels, Judgement(Truth.UNKNOWN))
        known = self.instances.get(labels)
        return self._judged(labels, at, is_firing=known is not None and known.phase == "firing")[0]

    def take(
        self, labels: Labels, judgement: Judgement, at: int, unknown_is: specs.Policy | None = None
    ) -> list[Happened]:
        """What comes of a judgement. Of what is inactive and not bad, nothing is kept."""
        known = self.instances.get(labels)
        if known is None:
            policy = unknown_is or self.timing.no_data
            if judgement.truth is Truth.FALSE or (judgement.truth is Truth.UNKNOWN and policy != "alert"):
                return []
        instance = known or Instance()
        transitions = step(instance, self.timing, judgement.truth, at, unknown_is=unknown_is)
        before = self.last.get(labels, judgement)
        self.last[labels] = judgement if judgement.truth is not Truth.UNKNOWN else before
        return self._kept(labels, instance, transitions, judgement, at)

    def _kept(
        self, labels: Labels, instance: Instance, transitions: list[Transition], judgement: Judgement, at: int
    ) -> list[Happened]:
        if instance.phase == "inactive":
            self.instances.pop(labels, None)
            last = self.last.pop(labels, judgement)
        else:
            self.instances[labels] = instance
            last = self.last.get(labels, judgement)
        remembered = instance.copy()
        return [Happened(self, labels, each, judgement if each.at == at else last, remembered) for each in transitions]

    # The clock

    def advance(self, until: int) -> list[Happened]:
        """What comes by the clock alone, up to a moment."""
        happened: list[Happened] = []
        for labels, instance in list(self.instances.items()):
            if transitions := advance(instance, self.timing, until):
                happened += self._kept(labels, instance, transitions, self.last[labels], -1)
        return happened

    def resume(self, away_since: int, now: int) -> list[Happened]:
        """Goes on after a time in which nobody judged anything."""
        self._resumed_ms = now
        happened: list[Happened] = []
        # What is about other rules is judged when those change, and of nothing that could be missing.
        for labels, instance in list(self.instances.items()) if self.wanted else ():
            if transitions := resume(instance, self.timing, away_since, now):
                happened += self._kept(labels, instance, transitions, self.last[labels], -1)
        return happened

    def stale(self, until: int) -> Iterator[tuple[Labels, int]]:
        """Groups of a rule that alerts without data, and since when they have none."""
        if self.timing.no_data != "alert":
            return
        for labels, group in self.groups.items():
            if labels not in self.instances:
                newest = max((each.newest or 0 for members in group.members for each in members), default=0)
                if not newest and group.ended_ms + self.timing.stale_ms > self.rule.since_ms:
                    newest = group.ended_ms
                due = max(newest, self._resumed_ms) + self.timing.stale_ms
                if newest and due <= until:
                    yield labels, due

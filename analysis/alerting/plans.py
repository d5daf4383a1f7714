"""A rule as it is evaluated over one source: its groups of series, and the states of those that are not inactive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from analysis.alerting import specs
from analysis.alerting.conditions import compiled
from analysis.alerting.judging import (
    Group,
    Judge,
    Judgement,
    OfBand,
    OfBurnRate,
    OfChange,
    OfRatio,
    OfValue,
    Wanted,
    milliseconds,
)
from analysis.alerting.matching import Labels, check_matchers, group_of, selects
from analysis.alerting.series import RecentSamples
from analysis.alerting.specs import Query, RuleSpec
from analysis.alerting.states import ALLOWANCE_MS, Instance, Timing, Transition, Truth, advance, step
from analysis.alerting.wording import check_summary
from analysis.rules.expressions import ExpressionFailed

NEVER_MS = 10**15
# What had given nothing for so long when a rule was made is not missed.
GONE_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is evaluated. `since_ms`: when it was made or changed; before that nothing is absent."""

    id: int
    name: str
    severity: str
    spec: RuleSpec
    version: int = 1
    since_ms: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    workspace_id: str = ""
    source_id: int | None = None
    runbook: str | None = None


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
        last_ms: int,  # noqa: ARG002
    ) -> Labels | None:
        """Takes a series of the metric that is wanted, if its labels are; the labels of its group.

        `last_ms` is the time of its newest sample.
        """
        if not selects(wanted.labels, dict(labels)):
            return None
        group = self.group(group_of(labels, wanted.group_by))
        group.members[wanted.role].append(samples)
        group.is_counter = is_counter
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

    def stale(self, until: int) -> Iterator[tuple[Labels, int]]:
        """Groups of a rule that alerts without data, and since when they have none."""
        if self.timing.no_data != "alert":
            return
        for labels, group in self.groups.items():
            if labels not in self.instances:
                newest = max((each.newest or 0 for members in group.members for each in members), default=0)
                if newest and newest + self.timing.stale_ms <= until:
                    yield labels, newest + self.timing.stale_ms


class AbsencePlan(Plan):
    """The clock is all that says that something is absent."""

    def __init__(self, rule: Rule, source_id: int) -> None:
        super().__init__(rule, source_id)
        assert isinstance(rule.spec.query, specs.Absence)
        self._query = rule.spec.query
        self._window_ms = milliseconds(self._query.window_seconds)
        # The newest sample of each group; of a group that was never heard of, when the rule began.
        self.heard: dict[Labels, int] = {}
        if not self._query.group_by:
            self.group(())

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        query = self._query
        return (Wanted(0, query.metric, query.labels, query.group_by, 2 * self._window_ms),)

    def join(
        self, wanted: Wanted, labels: Labels, samples: RecentSamples, *, is_counter: bool, last_ms: int
    ) -> Labels | None:
        if self._query.group_by and last_ms < self.rule.since_ms - GONE_MS:
            return None
        return super().join(wanted, labels, samples, is_counter=is_counter, last_ms=last_ms)

    def group(self, labels: Labels) -> Group:
        self.heard.setdefault(labels, self.rule.since_ms)
        return super().group(labels)

    def hear(self, labels: Labels, at: int) -> None:
        """There was a sample, some time ago."""
        self.heard[labels] = max(self.heard.get(labels, at), at)

    def look(self, labels: Labels, at: int, *, is_old: bool = False) -> list[Happened]:  # noqa: ARG002 - signs of life
        happened = self._absent(labels, at - ALLOWANCE_MS)
        self.hear(labels, at)
        return happened + self.take(labels, Judgement(Truth.FALSE, 0.0, self._query.window_seconds), at)

    def advance(self, until: int) -> list[Happened]:
        happened = [one for labels in list(self.heard) for one in self._absent(labels, until)]
        return happened + super().advance(until)

    def _absent(self, labels: Labels, until: int) -> list[Happened]:
        due = self.heard[labels] + self._window_ms
        if due > until or labels in self.instances:
            return []
        return self.take(labels, Judgement(Truth.TRUE, self._window_ms / 1000, self._query.window_seconds), due)


def plan_of(rule: Rule, source_id: int) -> Plan:
    """Raises SpecError."""
    kind = AbsencePlan if isinstance(rule.spec.query, specs.Absence) else Plan
    return kind(rule, source_id)


def judge_of(query: Query) -> Judge | None:
    """None for a query that is about no samples of its own. Raises SpecError."""
    match query:
        case specs.Threshold():
            return OfValue(query)
        case specs.RateOfChange():
            return OfChange(query)
        case specs.Ratio():
            return OfRatio(query)
        case specs.Anomaly():
            return OfBand(query)
        case specs.BurnRate():
            return OfBurnRate(query)
        case specs.Composite():
            compiled(query.condition, tuple(sorted(query.rules)))
    return None


def timing_of(spec: RuleSpec) -> Timing:
    missing = spec.resolve_missing_after_seconds
    return Timing(
        for_ms=milliseconds(spec.for_seconds),
        keep_ms=milliseconds(spec.keep_firing_for_seconds),
        missing_ms=None if missing is None else milliseconds(missing),
        stale_ms=milliseconds(_stale_seconds(spec.query)),
        no_data=spec.no_data,
    )


def _stale_seconds(query: Query) -> float:
    match query:
        case specs.Threshold():
            return query.selector.stale_after_seconds
        case specs.Ratio():
            return max(query.numerator.stale_after_seconds, query.denominator.stale_after_seconds)
        case specs.RateOfChange() | specs.Anomaly() | specs.BurnRate():
            return query.stale_after_seconds
        case specs.Absence() | specs.Composite():
            return NEVER_MS / 1000


def check(spec: RuleSpec) -> None:
    """Raises SpecError with what would be right."""
    judge = judge_of(spec.query)
    for wanted in judge.wanted if judge is not None else ():
        check_matchers(wanted.labels)
    if isinstance(spec.query, specs.Absence):
        check_matchers(spec.query.labels)
    if spec.summary is not None:
        check_summary(spec.summary)

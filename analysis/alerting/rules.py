"""A rule that is evaluated: what it says, as what judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.alerting import specs
from analysis.alerting.band_judging import OfBand
from analysis.alerting.burn_judging import OfBurnRate
from analysis.alerting.conditions import compiled
from analysis.alerting.judging import Judge, OfChange, OfRatio, OfValue, milliseconds
from analysis.alerting.matching import check_matchers
from analysis.alerting.specs import Query, RuleSpec
from analysis.alerting.states import Timing
from analysis.alerting.wording import check_summary

# What says nothing of its own about data is never without.
NEVER_MS = 10**15


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

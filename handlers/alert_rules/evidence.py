"""What an alert shows for itself: the query, the values that fired it, the stretch of time to look at."""

from __future__ import annotations

from typing import Any

from analysis.alerting.judging import Judgement
from analysis.alerting.matching import Labels
from analysis.alerting.plans import Plan
from analysis.alerting.specs import RuleSpec
from analysis.alerting.wording import query_text, summary_of
from handlers.alert_rules.reading import instant
from storage.alerts import Finding

# A picture of what happened, not the data: that is to be had from the metrics.
_MOST_POINTS = 30
_MOST_SERIES = 10
# Looked at on both sides.
_BEFORE_MS = 15 * 60_000


def evidence_of(plan: Plan, labels: Labels, judgement: Judgement, at: int) -> dict[str, Any]:
    """JSON. `series` are the labels of the group, `points` the newest [ms, value] of its first series, null in gaps."""
    spec: RuleSpec = plan.rule.spec
    return {
        "query": query_text(spec.query),
        "kind": str(spec.query.__struct_config__.tag),
        "series": dict(labels),
        "at": instant(at).isoformat(),
        "from": instant(at - _BEFORE_MS - plan.timing.for_ms).isoformat(),
        "for_seconds": spec.for_seconds,
        "value": judgement.value,
        "threshold": judgement.threshold,
        "measured": _measured(plan, labels, at),
    } | ({} if judgement.expected is None else {"expected": judgement.expected})


def finding_of(plan: Plan, labels: Labels, judgement: Judgement, at: int, alert_id: int) -> Finding:
    return Finding(
        alert_id, judgement.value, summary_for(plan, labels, judgement), evidence_of(plan, labels, judgement, at)
    )


def summary_for(plan: Plan, labels: Labels, judgement: Judgement) -> str:
    rule = plan.rule
    return summary_of(rule.spec, rule.name, rule.severity, dict(labels), judgement)


def _measured(plan: Plan, labels: Labels, at: int) -> list[dict[str, Any]]:
    group = plan.groups.get(labels)
    if group is None:
        return []
    measured: list[dict[str, Any]] = []
    for wanted, members in zip(plan.wanted, group.members, strict=True):
        for samples in members[: _MOST_SERIES - len(measured)]:
            times, values = samples.between(at - samples.horizon_ms, at)
            points = [
                [when, value if value == value else None]  # noqa: PLR0124 - NaN
                for when, value in zip(times[-_MOST_POINTS:].tolist(), values[-_MOST_POINTS:].tolist(), strict=True)
            ]
            measured.append({"metric": wanted.metric, "points": points if len(members) == 1 else points[-1:]})
    return measured

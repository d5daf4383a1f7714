"""How a rule stands now: what its series are, whether that is bad, and what is known of each that is not well."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from analysis.alerting.plans import Plan
from handlers.alert_rules.loading import Loaded, load_rules
from handlers.alert_rules.reading import LEASE, milliseconds
from handlers.alert_rules.rules import ONE
from handlers.alert_rules.standing import evaluated, require_rule
from handlers.alert_shapes import State
from handlers.names import RowId
from handlers.registry import Conflict, Context, Forbidden, Instant, Operation, Permission
from storage import alerts, leases

MOST_SHOWN = 500


class GetRuleState(msgspec.Struct, frozen=True, kw_only=True):
    rule_id: RowId


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One label set. `is_bad` is null where there is no data, or the condition cannot be computed over it.

    `state` is that of its alert: what holds for the first time since the last evaluation is inactive yet.
    """

    data_source_id: int
    labels: dict[str, str]
    value: float | None
    threshold: float | None
    is_bad: bool | None
    state: State | None
    alert_id: int | None
    pending_at: Instant | None
    false_since: Instant | None
    missing_since: Instant | None


class RuleState(msgspec.Struct, frozen=True, kw_only=True):
    """`evaluated_by` is the node that evaluates all rules; null where none does, as while none is enabled.

    `items` are the first 500 of `groups` label sets, those with alerts first. `error` is why the condition could not
    be computed over some of them.
    """

    rule_id: int
    version: int
    enabled: bool
    as_of: Instant
    evaluated_by: str | None
    groups: int
    error: str | None
    items: list[Standing]


async def get_rule_state(context: Context, request: GetRuleState) -> RuleState:
    row = await require_rule(context, request.rule_id, Permission.READ)
    rule, now_ms = evaluated(row), milliseconds(context.now())
    async with context.parts.database.read() as connection:
        holder = await leases.holder_of(connection, LEASE, at=context.now())
        still_open = await alerts.open_of(connection, rule_id=row.id)
    loaded = await load_rules(context.parts, [rule], still_open, now_ms, is_all_seen=True)
    standings = await asyncio.to_thread(_standings, loaded, still_open, now_ms)
    return RuleState(
        rule_id=row.id,
        version=row.version,
        enabled=row.enabled,
        as_of=context.now(),
        evaluated_by=None if holder is None else holder.rpartition(":")[0],
        groups=len(standings),
        error=next((plan.error for plan in loaded.engine.plans.values() if plan.error), None),
        items=standings[:MOST_SHOWN],
    )


def _standings(loaded: Loaded, still_open: list[alerts.Alert], now_ms: int) -> list[Standing]:
    by_id = {alert.id: alert for alert in still_open}
    found = []
    for plan in loaded.engine.plans.values():
        for labels in plan.groups:
            alert = by_id.get(loaded.alert_ids.get((plan.key, labels), 0))
            found.append(_standing(plan, labels, alert, now_ms))
    return sorted(found, key=lambda each: (each.alert_id is None, each.data_source_id, sorted(each.labels.items())))


def _standing(plan: Plan, labels: Any, alert: alerts.Alert | None, now_ms: int) -> Standing:
    judgement = plan.now(labels, now_ms)
    return Standing(
        data_source_id=plan.source_id,
        labels=dict(labels),
        value=judgement.value,
        threshold=judgement.threshold,
        is_bad=None if judgement.truth > 1 else bool(judgement.truth),
        state=None if alert is None else msgspec.convert(alert.state, State),
        alert_id=None if alert is None else alert.id,
        pending_at=None if alert is None else alert.pending_at,
        false_since=None if alert is None else alert.false_since,
        missing_since=None if alert is None else alert.missing_since,
    )


OPERATIONS = (
    Operation(
        "alert_rules.state",
        GetRuleState,
        RuleState,
        get_rule_state,
        f"GET {ONE}/state",
        Permission.SIGNED_IN,
        "Look at what a rule measures now, and which of it is bad.",
        errors=(Conflict, Forbidden),
    ),
)

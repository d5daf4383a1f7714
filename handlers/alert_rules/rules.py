"""Alert rules: made, looked at, changed and deleted, and what becomes of their open alerts then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.alerting import specs
from analysis.alerting.absences import plan_of
from analysis.alerting.specs import SpecError
from handlers.alert_rules.ending import end_alerts, raise_severity
from handlers.alert_rules.reading import DOMAIN, rule_of, spec_of
from handlers.alert_rules.requests import CreateRule, DeleteRule, GetRule, ListRules, UpdateRule
from handlers.alert_rules.shapes import RuleShown, shown_rule
from handlers.alert_rules.standing import check_rule, evaluated, no_rule, require_rule
from handlers.audit_trail import record
from handlers.measurements import OWN_SOURCE
from handlers.names import RowId
from handlers.outbox import Outbox
from handlers.paging import decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, NotFound, Operation, Page, Permission, PreconditionFailed
from storage import alert_rules
from storage.alert_rules import AlertRule, RuleText

PATH = "/performance/alert-rules"
ONE = PATH + "/{rule_id}"

# All of them are evaluated within a second.
MOST_IN_A_WORKSPACE = 10_000


async def list_rules(context: Context, request: ListRules) -> Page[RuleShown]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    after = decode_cursor("alert_rules", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await alert_rules.list_of(
            connection,
            request.workspace_id,
            DOMAIN,
            source_id=request.data_source_id,
            enabled=request.enabled,
            after=after,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "alert_rules", key=lambda row: row.id, item=shown_rule)


async def create_rule(context: Context, request: CreateRule) -> RuleShown:
    await context.parts.access.require(context.principal, Permission.MANAGE, request.workspace_id)
    async with context.parts.database.write() as connection:
        await check_rule(context, connection, request.workspace_id, request.data_source_id, request.spec)
        if await alert_rules.count(connection, request.workspace_id) >= MOST_IN_A_WORKSPACE:
            raise Conflict(
                f"The workspace has {MOST_IN_A_WORKSPACE} alert rules already; delete some first.",
                code="too_many_alert_rules",
            )
        text = RuleText(
            name=request.name,
            source_id=request.data_source_id,
            severity=request.severity.value,
            labels=encoded(request.labels),
            spec=encoded(request.spec),
            runbook=request.runbook,
            enabled=request.enabled,
        )
        row = await alert_rules.create(
            connection, request.workspace_id, DOMAIN, text, by=context.user.user_id, at=context.now()
        )
        await record(connection, context, "alert_rules.create", _target(row), _details(row))
    return shown_rule(row)


async def get_rule(context: Context, request: GetRule) -> RuleShown:
    return shown_rule(await require_rule(context, request.rule_id, Permission.READ))


async def update_rule(context: Context, request: UpdateRule) -> RuleShown:
    await require_rule(context, request.rule_id, Permission.MANAGE)
    async with context.parts.feeds.writing() as (connection, outbox):
        before = await alert_rules.get(connection, request.rule_id, locked=True)
        if before is None:
            raise no_rule(request.rule_id)
        _check_version(before, request.version)
        text = _changed(before, request)
        if request.spec is not UNSET or request.data_source_id is not UNSET:
            # A rule that cannot be evaluated any more can still be disabled.
            spec = evaluated(before).spec if request.spec is UNSET else request.spec
            await check_rule(context, connection, before.workspace_id, text.source_id, spec)
        row = await alert_rules.change(connection, before.id, text, by=context.user.user_id, at=context.now())
        await _settle_alerts(connection, outbox, before, row, context.now())
        await record(connection, context, "alert_rules.update", _target(row), _details(row))
    return shown_rule(row)


def _check_version(rule: AlertRule, version: int | None) -> None:
    if version is not None and version != rule.version:
        raise PreconditionFailed(
            f"The rule is of version {rule.version} by now, not {version}; look at it and decide again.",
            details={"rule": msgspec.to_builtins(shown_rule(rule))},
        )


def _changed(before: AlertRule, request: UpdateRule) -> RuleText:
    def either(value: Any, otherwise: Any) -> Any:
        return otherwise if value is UNSET else value

    return RuleText(
        name=either(request.name, before.name),
        source_id=either(request.data_source_id, before.source_id),
        severity=before.severity if request.severity is UNSET else request.severity.value,
        labels=encoded(either(request.labels, before.labels)),
        spec=before.spec if request.spec is UNSET else encoded(request.spec),
        runbook=either(request.runbook, before.runbook),
        enabled=either(request.enabled, before.enabled),
    )


async def _settle_alerts(
    connection: AsyncConnection, outbox: Outbox, before: AlertRule, after: AlertRule, at: datetime
) -> None:
    if not after.enabled:
        await end_alerts(connection, outbox, after.id, "The rule was disabled.", at=at)
    elif before.source_id != after.source_id or _subject(before) != _subject(after):
        await end_alerts(connection, outbox, after.id, "The rule is about something else now.", at=at)
    elif before.severity != after.severity:
        await raise_severity(connection, outbox, after.id, after.severity, at=at)


def _subject(row: AlertRule) -> Any:
    """What a rule is about, whatever is bad about it. Other groups of series are other alerts."""
    try:
        query = spec_of(row).query
    except SpecError:
        return row.spec
    if isinstance(query, specs.Composite):
        return query.rules
    wanted = plan_of(rule_of(row), OWN_SOURCE).wanted
    return type(query), [(each.metric, each.labels, each.group_by) for each in wanted]


async def delete_rule(context: Context, request: DeleteRule) -> None:
    rule = await require_rule(context, request.rule_id, Permission.MANAGE)
    now = context.now()
    async with context.parts.feeds.writing() as (connection, outbox):
        if not await alert_rules.delete(connection, rule.id, by=context.user.user_id, at=now):
            raise no_rule(rule.id)
        await end_alerts(connection, outbox, rule.id, "The rule was deleted.", at=now)
        await record(connection, context, "alert_rules.delete", _target(rule), {"name": rule.name})


def encoded(value: Any) -> str:
    """As the database keeps it: JSON."""
    return msgspec.json.encode(value).decode()


def _target(row: AlertRule) -> str:
    return f"{row.workspace_id}/{row.id}"


def _details(row: AlertRule) -> dict[str, Any]:
    return {
        "name": row.name,
        "enabled": row.enabled,
        "severity": row.severity,
        "version": row.version,
        "spec": row.spec,
    }


OPERATIONS = (
    Operation(
        "alert_rules.list",
        ListRules,
        Page[RuleShown],
        list_rules,
        f"GET {PATH}",
        Permission.SIGNED_IN,
        "List a workspace's alert rules.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "alert_rules.create",
        CreateRule,
        RuleShown,
        create_rule,
        f"POST {PATH}",
        Permission.SIGNED_IN,
        "Make an alert rule.",
        status=201,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "alert_rules.get",
        GetRule,
        RuleShown,
        get_rule,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get an alert rule.",
        errors=(Forbidden,),
    ),
    Operation(
        "alert_rules.update",
        UpdateRule,
        RuleShown,
        update_rule,
        f"PATCH {ONE}",
        Permission.SIGNED_IN,
        "Change, disable or enable an alert rule.",
        errors=(Conflict, Forbidden, PreconditionFailed),
    ),
    Operation(
        "alert_rules.delete",
        DeleteRule,
        None,
        delete_rule,
        f"DELETE {ONE}",
        Permission.SIGNED_IN,
        "Delete an alert rule.",
        status=204,
        errors=(Forbidden,),
    ),
)

"""May this user do this with that rule, and does the rule say what can be evaluated."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.alerting import specs
from analysis.alerting.rules import Rule, check
from analysis.alerting.specs import RuleSpec, SpecError
from handlers.alert_rules.reading import DOMAIN, rule_of
from handlers.measurements import OWN_SOURCE
from handlers.registry import Conflict, Context, InvalidRequest, NotFound, Permission
from storage import alert_rules, data_sources
from storage.alert_rules import AlertRule


async def require_rule(context: Context, rule_id: int, permission: Permission) -> AlertRule:
    """The rule, if the caller may. Raises NotFound also for whoever is not a member of its workspace; Forbidden."""
    async with context.parts.database.read() as connection:
        rule = await alert_rules.get(connection, rule_id)
    if rule is None or rule.domain != DOMAIN:
        raise no_rule(rule_id)
    try:
        await context.parts.access.require(context.principal, permission, rule.workspace_id)
    except NotFound:
        raise no_rule(rule_id) from None
    if rule.source_id == OWN_SOURCE:
        await context.parts.access.require(context.principal, Permission.SERVER_ADMIN)
    return rule


def no_rule(rule_id: int) -> NotFound:
    return NotFound(
        f"There is no alert rule {rule_id}, or you are not a member of its workspace.", code="no_such_alert_rule"
    )


def evaluated(row: AlertRule) -> Rule:
    """The rule of a row. Raises Conflict where it cannot be evaluated any more."""
    try:
        return rule_of(row)
    except SpecError as error:
        raise Conflict(f"The rule cannot be evaluated: {error}.", code="invalid_rule") from error


async def check_rule(
    context: Context, connection: AsyncConnection, workspace_id: str, source_id: int | None, spec: RuleSpec
) -> None:
    """Raises InvalidRequest with what would be right; Forbidden for the server's own figures."""
    try:
        check(spec)
    except SpecError as error:
        raise InvalidRequest(f"spec: {error}.", code="invalid_rule", details={"parameter": "spec"}) from error
    if source_id == OWN_SOURCE:
        await context.parts.access.require(context.principal, Permission.SERVER_ADMIN)
    elif source_id is not None:
        source = await data_sources.get(connection, source_id)
        if source is None or source.workspace_id != workspace_id:
            raise InvalidRequest(
                f"data_source_id: the workspace {workspace_id!r} has no data source {source_id}.",
                details={"parameter": "data_source_id"},
            )
    if isinstance(spec.query, specs.Composite):
        await _check_parts(connection, workspace_id, spec.query)


async def _check_parts(connection: AsyncConnection, workspace_id: str, query: specs.Composite) -> None:
    known = {rule.id: rule for rule in await alert_rules.get_many(connection, set(query.rules.values()))}
    for name, rule_id in query.rules.items():
        rule = known.get(rule_id)
        if rule is None or rule.workspace_id != workspace_id or rule.domain != DOMAIN:
            raise InvalidRequest(f"spec: {name} is the rule {rule_id}, which the workspace does not have.")
        if '"kind":"composite"' in rule.spec:
            raise InvalidRequest(f"spec: {name} is a composite rule itself; name the rules that it is made of.")

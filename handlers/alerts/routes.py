"""Routes: who is told of which alerts of a workspace, with which others, and how often."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from handlers.alerts import receivers as receiving
from handlers.alerts.labels import check, read_matchers, written
from handlers.alerts.route_shapes import (
    DECODED,
    CreateRoute,
    DeleteRoute,
    ListRoutes,
    RouteShown,
    UpdateRoute,
    shown_route,
)
from handlers.alerts.routing import GROUP_BY
from handlers.audit_trail import record
from handlers.paging import decode_cursor, page_of
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    InvalidRequest,
    NotFound,
    Operation,
    Page,
    Permission,
)
from storage import alert_routes
from storage.alert_routes import Plan, Route

PATH = "/performance/alert-routes"
ONE = PATH + "/{route_id}"
MAX_ROUTES = 100


async def list_routes(context: Context, request: ListRoutes) -> Page[RouteShown]:
    after = decode_cursor("alerts.routes", request.cursor, tuple[int, int])
    async with context.parts.database.read() as connection:
        rows = await alert_routes.list_of(connection, request.workspace_id)
    rows = [row for row in rows if after is None or (row.position, row.id) > after]
    return page_of(rows, request.limit, "alerts.routes", key=lambda row: (row.position, row.id), item=shown_route)


async def create_route(context: Context, request: CreateRoute) -> RouteShown:
    plan = Plan(
        position=request.position,
        name=request.name,
        matchers=written(request.matchers),
        receivers=written(request.receivers),
        group_by=written(list(GROUP_BY) if request.group_by is None else request.group_by),
        group_wait_seconds=request.group_wait_seconds,
        group_interval_seconds=request.group_interval_seconds,
        repeat_interval_seconds=request.repeat_interval_seconds,
        goes_on=request.goes_on,
        enabled=request.enabled,
    )
    _check(plan)
    async with context.parts.database.write() as connection:
        await receiving.check(connection, request.workspace_id, request.receivers)
        if await alert_routes.count(connection, request.workspace_id) >= MAX_ROUTES:
            raise Conflict(
                f"The workspace has {MAX_ROUTES} routes, which is the limit; delete one.",
                code="too_many_routes",
                details={"limit": MAX_ROUTES},
            )
        made = await alert_routes.create(
            connection, request.workspace_id, plan, by=context.user.user_id, at=context.now()
        )
        details = {"workspace_id": made.workspace_id, "name": made.name}
        await record(connection, context, "alerts.routes.create", str(made.id), details)
    return shown_route(made)


async def update_route(context: Context, request: UpdateRoute) -> RouteShown:
    before = await _require_route(context, request.route_id)
    asked = {name: getattr(request, name) for name in Plan.__dataclass_fields__}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not UNSET}
    texts = {name: written(given[name]) for name in DECODED if name in given}
    async with context.parts.database.write() as connection:
        # Somebody else may have changed other fields meanwhile.
        row = await alert_routes.get(connection, before.id, locked=True)
        if row is None:
            raise _gone(before.id)
        plan = Plan(**_fields(row) | given | texts)
        _check(plan)
        if "receivers" in given:
            await receiving.check(connection, row.workspace_id, given["receivers"])
        changed = await alert_routes.change(connection, row.id, plan, by=context.user.user_id, at=context.now())
        if changed is None:
            raise _gone(before.id)
        await record(connection, context, "alerts.routes.update", str(row.id), {"changed": sorted(given)})
    return shown_route(changed)


async def delete_route(context: Context, request: DeleteRoute) -> None:
    before = await _require_route(context, request.route_id)
    async with context.parts.database.write() as connection:
        if not await alert_routes.remove(connection, before):
            raise _gone(before.id)
        await record(connection, context, "alerts.routes.delete", str(before.id), {"name": before.name})


async def _require_route(context: Context, route_id: int) -> Route:
    async with context.parts.database.read() as connection:
        found = await alert_routes.get(connection, route_id)
    if found is None:
        raise _gone(route_id)
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, found.workspace_id)
    except NotFound:
        raise _gone(route_id) from None
    return found


def _fields(row: Route) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Plan.__dataclass_fields__}


def _check(plan: Plan) -> None:
    """Raises InvalidRequest."""
    check("matchers", read_matchers(plan.matchers))
    if plan.repeat_interval_seconds < plan.group_interval_seconds:
        raise InvalidRequest(
            "repeat_interval_seconds: it has to be at least `group_interval_seconds`.",
            details={"parameter": "repeat_interval_seconds"},
        )


def _gone(route_id: int) -> NotFound:
    return NotFound(f"There is no route {route_id}, or you are not a member of its workspace.")


OPERATIONS = (
    Operation(
        "alerts.routes.list",
        ListRoutes,
        Page[RouteShown],
        list_routes,
        f"GET {PATH}",
        Permission.MANAGE,
        "List where a workspace's alerts go.",
    ),
    Operation(
        "alerts.routes.create",
        CreateRoute,
        RouteShown,
        create_route,
        f"POST {PATH}",
        Permission.MANAGE,
        "Send alerts that match to integrations or people.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "alerts.routes.update",
        UpdateRoute,
        RouteShown,
        update_route,
        f"PATCH {ONE}",
        Permission.SIGNED_IN,
        "Change where alerts go.",
        errors=(Forbidden,),
    ),
    Operation(
        "alerts.routes.delete",
        DeleteRoute,
        None,
        delete_route,
        f"DELETE {ONE}",
        Permission.SIGNED_IN,
        "Delete a route.",
        status=204,
        errors=(Forbidden,),
    ),
)

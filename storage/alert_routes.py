"""Where alerts go, and what has been sent of each group."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import alert_groups, alert_routes
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody may say of a route; `matchers`, `receivers` and `group_by` are JSON."""

    position: int
    name: str
    matchers: str
    receivers: str
    group_by: str
    group_wait_seconds: int
    group_interval_seconds: int
    repeat_interval_seconds: int
    goes_on: bool
    enabled: bool


@dataclass(frozen=True, slots=True)
class Route:
    """A row of alert_routes."""

    id: int
    workspace_id: str
    position: int
    name: str
    matchers: str
    receivers: str
    group_by: str
    group_wait_seconds: int
    group_interval_seconds: int
    repeat_interval_seconds: int
    goes_on: bool
    enabled: bool
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """A row of alert_groups; `labels` and `sent` are JSON."""

    workspace_id: str
    route_id: int
    key: str
    labels: str
    due_at: datetime | None
    sent_at: datetime | None
    sent: str
    number: int


async def create(connection: AsyncConnection, workspace_id: str, plan: Plan, *, by: str, at: datetime) -> Route:
    values = {**asdict(plan), "workspace_id": workspace_id, "updated_by": by, "updated_at": at}
    statement = plain_insert(alert_routes).values(values).returning(*alert_routes.c)
    return Route(*(await connection.execute(statement)).one())


async def get(connection: AsyncConnection, route_id: int, *, locked: bool = False) -> Route | None:
    """`locked`: nobody else changes it until the transaction ends. SQLite has one writer at a time anyway."""
    query = select(alert_routes).where(alert_routes.c.id == route_id)
    row = (await connection.execute(query.with_for_update() if locked else query)).first()
    return Route(*row) if row else None


async def list_of(connection: AsyncConnection, workspace_id: str) -> list[Route]:
    """In the order in which they are asked: by position, then by id."""
    query = select(alert_routes).where(alert_routes.c.workspace_id == workspace_id)
    query = query.order_by(alert_routes.c.position, alert_routes.c.id)
    return [Route(*row) for row in await connection.execute(query)]


async def count(connection: AsyncConnection, workspace_id: str) -> int:
    query = select(func.count()).where(alert_routes.c.workspace_id == workspace_id)
    return await connection.scalar(query) or 0


async def change(connection: AsyncConnection, route_id: int, plan: Plan, *, by: str, at: datetime) -> Route | None:
    values = {**asdict(plan), "updated_by": by, "updated_at": at}
    statement = update(alert_routes).where(alert_routes.c.id == route_id).values(values).returning(*alert_routes.c)
    row = (await connection.execute(statement)).first()
    return Route(*row) if row else None


async def remove(connection: AsyncConnection, route: Route) -> bool:
    """With its groups; whether there was one."""
    of_route = (alert_groups.c.workspace_id == route.workspace_id) & (alert_groups.c.route_id == route.id)
    await connection.execute(delete(alert_groups).where(of_route))
    result = await connection.execute(delete(alert_routes).where(alert_routes.c.id == route.id))
    return result.rowcount > 0


# Groups


async def groups_of(connection: AsyncConnection, workspace_id: str) -> list[Group]:
    query = select(alert_groups).where(alert_groups.c.workspace_id == workspace_id)
    return [Group(*row) for row in await connection.execute(query)]


async def workspaces_with_groups(connection: AsyncConnection) -> set[str]:
    return set(await connection.scalars(select(alert_groups.c.workspace_id).distinct()))


async def due(connection: AsyncConnection, *, at: datetime) -> set[str]:
    """The workspaces that have a group of which something is to be sent."""
    return set(await connection.scalars(select(alert_groups.c.workspace_id).where(alert_groups.c.due_at <= at)))


async def next_due(connection: AsyncConnection) -> datetime | None:
    found: datetime | None = await connection.scalar(select(func.min(alert_groups.c.due_at)))
    return found


async def put_groups(connection: AsyncConnection, groups: Sequence[Group]) -> None:
    """In place of the ones that were there."""
    if not groups:
        return
    made = insert(connection, alert_groups)
    changed = {name: made.excluded[name] for name in ("labels", "due_at", "sent_at", "sent", "number")}
    keys = ["workspace_id", "route_id", "key"]
    await connection.execute(
        made.on_conflict_do_update(index_elements=keys, set_=changed), [asdict(group) for group in groups]
    )


async def remove_groups(connection: AsyncConnection, keys: Collection[tuple[str, int, str]]) -> None:
    """By workspace, route and key."""
    for key in keys:
        is_it = tuple_(alert_groups.c.workspace_id, alert_groups.c.route_id, alert_groups.c.key) == tuple_(*key)
        await connection.execute(delete(alert_groups).where(is_it))

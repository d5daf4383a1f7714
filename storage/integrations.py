"""Outgoing integrations: where a workspace's events are sent, how far each has got, and who is delivering.

One node at a time delivers for an integration. It holds a lease, which ends by itself if the node dies; every holder
has a number of its own, and what a former holder still wants to write is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.feeds import Feed
from storage.integration_tables import deliveries, integration_positions, integrations
from storage.tables import feeds, workspaces
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Integration:
    """A row of integrations. `settings` is a JSON object; `feeds` and `events` are patterns; credentials are sealed."""

    id: int
    workspace_id: str
    name: str
    kind: str
    settings: dict[str, Any]
    credentials: bytes | None
    key_id: str | None
    feeds: list[str]
    events: list[str]
    owner: str
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime
    lease_holder: str | None
    lease_until: datetime | None
    lease_number: int


class Lease(NamedTuple):
    """The right to deliver for an integration, until somebody else gets it."""

    integration_id: int
    holder: str
    number: int


class Position(NamedTuple):
    """How far a feed was taken in."""

    epoch: str
    offset: int


_JSON = ("settings", "feeds", "events")


def _integration(row: Any) -> Integration:
    values = dict(row._mapping)
    return Integration(**{**values, **{name: json.loads(values[name]) for name in _JSON}})


def _encoded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in _JSON else value for name, value in values.items()}


async def create(
    connection: AsyncConnection,
    *,
    workspace_id: str,
    name: str,
    kind: str,
    settings: Mapping[str, Any],
    feeds: Sequence[str],
    events: Sequence[str],
    owner: str,
    enabled: bool,
    at: datetime,
) -> Integration:
    """A new integration without credentials."""
    values = {
        "workspace_id": workspace_id,
        "name": name,
        "kind": kind,
        "settings": settings,
        "feeds": feeds,
        "events": events,
        "owner": owner,
        "enabled": enabled,
        "created_at": at,
        "updated_at": at,
        "lease_number": 0,
    }
    statement = insert(connection, integrations).values(_encoded(values)).returning(*integrations.c)
    return _integration((await connection.execute(statement)).one())


async def get(connection: AsyncConnection, integration_id: int) -> Integration | None:
    row = (await connection.execute(select(integrations).where(integrations.c.id == integration_id))).first()
    return _integration(row) if row else None


async def list_of(
    connection: AsyncConnection, workspace_id: str, *, after: int | None = None, limit: int
) -> list[Integration]:
    """The workspace's integrations, the oldest first; `after` is the last id seen."""
    query = select(integrations).where(integrations.c.workspace_id == workspace_id)
    query = query.order_by(integrations.c.id).limit(limit)
    if after is not None:
        query = query.where(integrations.c.id > after)
    return [_integration(row) for row in await connection.execute(query)]


async def count_of(connection: AsyncConnection, workspace_id: str) -> int:
    query = select(func.count()).select_from(integrations).where(integrations.c.workspace_id == workspace_id)
    return (await connection.execute(query)).scalar_one()


async def change(connection: AsyncConnection, integration_id: int, **values: Any) -> Integration | None:
    """Sets columns by name; the integration as it is now, None if there is none."""
    statement = update(integrations).where(integrations.c.id == integration_id).values(_encoded(values))
    row = (await connection.execute(statement.returning(*integrations.c))).first()
    return _integration(row) if row else None


async def remove(connection: AsyncConnection, integration_id: int) -> bool:
    """Deletes it with its deliveries. Whether there was one."""
    result = await connection.execute(delete(integrations).where(integrations.c.id == integration_id))
    return result.rowcount > 0


# Positions


async def positions(connection: AsyncConnection, integration_id: int) -> dict[int, Position]:
    """How far each feed was taken in, by the feed's row id."""
    query = select(integration_positions).where(integration_positions.c.integration_id == integration_id)
    return {row.feed_id: Position(row.epoch, row.offset) for row in await connection.execute(query)}


async def set_positions(
    connection: AsyncConnection, integration_id: int, reached: Mapping[int, Position], *, keep: bool = False
) -> None:
    """Moves to these positions. With `keep` those of feeds that have one stay."""
    for feed_id, position in sorted(reached.items()):
        values = {"integration_id": integration_id, "feed_id": feed_id, **position._asdict()}
        statement = insert(connection, integration_positions).values(values)
        keys = ["integration_id", "feed_id"]
        if keep:
            await connection.execute(statement.on_conflict_do_nothing(index_elements=keys))
        else:
            await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=position._asdict()))


async def behind(connection: AsyncConnection, integration_ids: Sequence[int]) -> list[tuple[int, Feed]]:
    """The feeds of their workspaces that have more than each of the integrations has taken in."""
    taken = and_(
        integration_positions.c.integration_id == integrations.c.id, integration_positions.c.feed_id == feeds.c.id
    )
    reached = integration_positions.c.offset
    query = (
        select(integrations.c.id, *feeds.c)
        # "0" comes right after the slash.
        .join(
            feeds,
            and_(feeds.c.name >= integrations.c.workspace_id + "/", feeds.c.name < integrations.c.workspace_id + "0"),
        )
        .outerjoin(integration_positions, taken)
        .where(
            integrations.c.id.in_(integration_ids),
            or_(reached.is_(None), feeds.c.head > reached, feeds.c.epoch != integration_positions.c.epoch),
            feeds.c.head > 0,
        )
        .order_by(integrations.c.id, feeds.c.name)
    )
    return [(row[0], Feed(*row[1:])) for row in await connection.execute(query)]


# Delivering


def _is_free(at: datetime) -> ColumnElement[bool]:
    return or_(integrations.c.lease_until.is_(None), integrations.c.lease_until <= at)


async def unattended(connection: AsyncConnection, *, at: datetime) -> list[Integration]:
    """The enabled integrations for which nobody is delivering."""
    query = (
        select(integrations)
        .join(workspaces, workspaces.c.id == integrations.c.workspace_id)
        .where(integrations.c.enabled, workspaces.c.deleted_at.is_(None), _is_free(at))
        .order_by(integrations.c.id)
    )
    return [_integration(row) for row in await connection.execute(query)]


async def due_at(connection: AsyncConnection, integration_ids: Sequence[int]) -> dict[int, datetime]:
    """When the first delivery that waits is to be tried, for those that have one."""
    pending = and_(deliveries.c.integration_id.in_(integration_ids), deliveries.c.state == "pending")
    first = select(func.min(deliveries.c.id)).where(pending).group_by(deliveries.c.integration_id)
    query = select(deliveries.c.integration_id, deliveries.c.next_attempt_at).where(deliveries.c.id.in_(first))
    rows = await connection.execute(query)
    return {integration_id: next_at for integration_id, next_at in rows if next_at is not None}


async def take_lease(
    connection: AsyncConnection, integration_id: int, holder: str, *, at: datetime, until: datetime
) -> Lease | None:
    """The lease, if nobody holds it; of those who try at once only one gets it."""
    condition = and_(integrations.c.id == integration_id, integrations.c.enabled, _is_free(at))
    values = {"lease_holder": holder, "lease_until": until, "lease_number": integrations.c.lease_number + 1}
    statement = update(integrations).where(condition).values(values).returning(integrations.c.lease_number)
    number = await connection.scalar(statement)
    return None if number is None else Lease(integration_id, holder, number)


async def keep_lease(connection: AsyncConnection, lease: Lease, *, until: datetime) -> Integration | None:
    """The integration, its lease longer; None once somebody else has it, or it is deleted."""
    statement = update(integrations).where(_held(lease)).values(lease_until=until).returning(*integrations.c)
    row = (await connection.execute(statement)).first()
    return _integration(row) if row else None


async def end_lease(connection: AsyncConnection, lease: Lease) -> None:
    await connection.execute(update(integrations).where(_held(lease)).values(lease_holder=None, lease_until=None))


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(
        integrations.c.id == lease.integration_id,
        integrations.c.lease_holder == lease.holder,
        integrations.c.lease_number == lease.number,
    )

"""Who changed a document when, read from the update log without the updates, and what of it no version keeps yet."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import MICROSECOND, documents, from_microseconds, updates, versions


@dataclass(frozen=True, slots=True)
class LogLine:
    """One update in the log; `size` is its bytes."""

    number: int
    author: str
    origin: int
    created_at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class Sitting:
    """Consecutive updates of one author that came the same way, none long after the one before."""

    first_number: int
    last_number: int
    author: str
    origin: int
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class SittingRule:
    """What ends a sitting besides another author: a longer pause, or another way in. Origins in `alike` are one way."""

    gap: timedelta
    alike: frozenset[int] = frozenset()


async def lines(
    connection: AsyncConnection, document_id: int, *, before: int | None = None, limit: int
) -> list[LogLine]:
    """The updates with a number below `before`, newest first."""
    columns = (updates.c.number, updates.c.author, updates.c.origin, updates.c.created_at)
    query = (
        select(*columns, func.length(updates.c.data))
        .where(updates.c.document_id == document_id, *_below(updates.c.number, before))
        .order_by(updates.c.number.desc())
        .limit(limit)
    )
    rows = await connection.execute(query)
    return [
        LogLine(number, author, origin, from_microseconds(at), size) for number, author, origin, at, size in rows.all()
    ]


async def sittings(
    connection: AsyncConnection,
    document_id: int,
    rule: SittingRule,
    *,
    before: int | None = None,
    limit: int,
) -> list[Sitting]:
    """The sittings that begin below the number `before`, newest first.

    Each beginning also tells where the sitting before it ended, so an index walk from the newest down finds them all.
    """
    this, previous = updates.alias("this"), updates.alias("previous")
    begins = or_(
        previous.c.number.is_(None),
        previous.c.author != this.c.author,
        _way(previous.c.origin, rule.alike) != _way(this.c.origin, rule.alike),
        this.c.created_at - previous.c.created_at > rule.gap // MICROSECOND,
    )
    joined = this.outerjoin(
        previous, and_(previous.c.document_id == document_id, previous.c.number == this.c.number - 1)
    )
    query = (
        select(this.c.number, this.c.author, this.c.origin, this.c.created_at, previous.c.created_at)
        .select_from(joined)
        .where(this.c.document_id == document_id, *_below(this.c.number, before), begins)
        .order_by(this.c.number.desc())
        .limit(limit)
    )
    beginnings = (await connection.execute(query)).all()
    newest = await lines(connection, document_id, before=before, limit=1)
    found = []
    last_number, ended_at = (newest[0].number, newest[0].created_at) if newest else (0, None)
    for number, author, origin, at, ended_before in beginnings:
        started_at = from_microseconds(at)
        found.append(Sitting(number, last_number, author, origin, started_at, ended_at or started_at))
        last_number, ended_at = number - 1, None if ended_before is None else from_microseconds(ended_before)
    return found


def _below(number: ColumnElement[int], before: int | None) -> tuple[ColumnElement[bool], ...]:
    return () if before is None else (number < before,)


def _way(origin: ColumnElement[int], alike: frozenset[int]) -> ColumnElement[int]:
    """The origin, with those that count as one made equal."""
    return case((origin.in_(sorted(alike)), min(alike)), else_=origin) if alike else origin


async def unversioned(connection: AsyncConnection, *, after: int = 0, limit: int) -> list[int]:
    """Row ids greater than `after`, in order, of documents with updates that are later than their latest version."""
    latest = select(func.max(versions.c.number)).where(versions.c.document_id == documents.c.id).scalar_subquery()
    query = (
        select(documents.c.id)
        .where(documents.c.id > after, documents.c.head > func.coalesce(latest, 0))
        .order_by(documents.c.id)
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def latest_versioned(connection: AsyncConnection, document_id: int) -> int:
    """The greatest number of which there is a version; 0 if there is none."""
    query = select(func.max(versions.c.number)).where(versions.c.document_id == document_id)
    return await connection.scalar(query) or 0

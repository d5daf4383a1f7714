"""What statements of sources did in stretches of time, what they say, and how they would be executed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.metric_tables import statement_plans, statement_texts, statement_windows
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Window:
    """A row of statement_windows: `body` is of whoever wrote it."""

    start_ms: int
    end_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """A row of statement_texts."""

    key: str
    text: str
    normalised: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """A row of statement_plans. `plan` is a JSON object."""

    shape: str
    plan: dict[str, Any]
    cost: float | None
    first_at: datetime
    last_at: datetime


async def put_window(connection: AsyncConnection, source_id: int, window: Window) -> None:
    """One that begins at the same time is replaced."""
    values = {"source_id": source_id, "start_ms": window.start_ms, "end_ms": window.end_ms, "body": window.body}
    made = insert(connection, statement_windows).values(values)
    changes = {"end_ms": window.end_ms, "body": window.body}
    await connection.execute(made.on_conflict_do_update(index_elements=["source_id", "start_ms"], set_=changes))


async def windows(connection: AsyncConnection, source_id: int, start_ms: int, end_ms: int) -> list[Window]:
    """Those that begin from `start_ms` to below `end_ms`, the oldest first."""
    columns = statement_windows.c
    query = select(columns.start_ms, columns.end_ms, columns.body).where(columns.source_id == source_id)
    query = query.where(columns.start_ms >= start_ms, columns.start_ms < end_ms).order_by(columns.start_ms)
    return [Window(*row) for row in await connection.execute(query)]


async def remove_windows(connection: AsyncConnection, source_id: int, start_ms: int, end_ms: int) -> None:
    """Those that begin from `start_ms` to below `end_ms`."""
    columns = statement_windows.c
    chosen = (columns.source_id == source_id) & (columns.start_ms >= start_ms) & (columns.start_ms < end_ms)
    await connection.execute(delete(statement_windows).where(chosen))


async def texts(connection: AsyncConnection, source_id: int, keys: Collection[str]) -> dict[str, Text]:
    """The texts that are known of these, by key."""
    columns = statement_texts.c
    query = select(columns.key, columns.text, columns.normalised, columns.first_at, columns.last_at)
    rows = await connection.execute(query.where(columns.source_id == source_id, columns.key.in_(keys)))
    return {row.key: Text(*row) for row in rows}


async def seen(connection: AsyncConnection, source_id: int, keys: Collection[str], *, at: datetime) -> set[str]:
    """Notes that these were seen: those whose text is known."""
    columns = statement_texts.c
    chosen = (columns.source_id == source_id) & columns.key.in_(keys)
    noted = update(statement_texts).where(chosen).values(last_at=at).returning(columns.key)
    return set(await connection.scalars(noted))


async def put_texts(
    connection: AsyncConnection, source_id: int, texts: Mapping[str, tuple[str, str]], *, at: datetime
) -> None:
    """Texts by key, each with the same without literals."""
    rows: Sequence[dict[str, Any]] = [
        {"source_id": source_id, "key": key, "text": text, "normalised": bare, "first_at": at, "last_at": at}
        for key, (text, bare) in texts.items()
    ]
    if rows:
        await connection.execute(insert(connection, statement_texts).values(rows).on_conflict_do_nothing())


async def put_plan(
    connection: AsyncConnection,
    source_id: int,
    key: str,
    shape: str,
    plan: Mapping[str, Any],
    cost: float | None,
    *,
    at: datetime,
) -> None:
    """A plan that was seen: each shape is kept once, with when it was first and last seen."""
    values = {"source_id": source_id, "key": key, "shape": shape, "plan": json.dumps(plan), "cost": cost}
    made = insert(connection, statement_plans).values({**values, "first_at": at, "last_at": at})
    changes = {"plan": json.dumps(plan), "cost": cost, "last_at": at}
    await connection.execute(made.on_conflict_do_update(index_elements=["source_id", "key", "shape"], set_=changes))


async def plans(connection: AsyncConnection, source_id: int, key: str) -> list[Plan]:
    """The plans that were seen of a statement, the newest first."""
    columns = statement_plans.c
    query = select(columns.shape, columns.plan, columns.cost, columns.first_at, columns.last_at)
    query = query.where(columns.source_id == source_id, columns.key == key).order_by(columns.last_at.desc())
    return [Plan(row.shape, json.loads(row.plan), *row[2:]) for row in await connection.execute(query)]


async def trim_texts(connection: AsyncConnection, source_id: int, *, before: datetime) -> None:
    """Forgets the texts and plans of statements that were not seen since."""
    for table in (statement_texts, statement_plans):
        old = (table.c.source_id == source_id) & (table.c.last_at < before)
        await connection.execute(delete(table).where(old))

"""The audit trail: rows that can only be added, each sealed with a hash over itself and the hash before it.

Whoever changes, removes or moves a row breaks the chain from there on. That the newest rows were cut off shows only
against a head that was kept elsewhere.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import audit, from_microseconds, to_microseconds

# What the first row is chained to.
NO_HASH = "0" * 64

# Any number, as long as nothing else in the database uses it ("audit" in ASCII).
_LOCK = text("SELECT pg_advisory_xact_lock(418581342580)")

ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row's id and hash."""

    id: int
    hash: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the audit trail."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    outcome: str
    details: dict[str, Any]
    previous_hash: str
    hash: str


_SEALED = tuple(field.name for field in fields(Entry) if field.name != "hash")


async def append(
    connection: AsyncConnection,
    *,
    actor: str,
    action: str,
    target: str,
    outcome: str,
    details: Mapping[str, Any] | None = None,
    at: datetime,
) -> int:
    """Adds a row to the caller's transaction: its id. Ids count from 1 without gaps.

    In PostgreSQL others who append wait until this transaction ends.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(_LOCK)
    last = await head(connection) or Head(0, NO_HASH)
    row = {
        "id": last.id + 1,
        "at": to_microseconds(at),
        "actor": actor,
        "action": action,
        "target": target,
        "outcome": outcome,
        "details": _canonical(dict(details or {})),
        "previous_hash": last.hash,
    }
    await connection.execute(insert(audit).values({**row, "hash": _seal(row)}))
    return last.id + 1


async def head(connection: AsyncConnection) -> Head | None:
    """The newest row's id and hash, None if there is none."""
    query = select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return Head(*row) if row else None


async def read(
    connection: AsyncConnection,
    *,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    outcome: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Entry]:
    """Rows with all that is given, the newest first; `before` is the last id seen."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    given = {"actor": actor, "action": action, "target": target, "outcome": outcome}
    for name, value in given.items():
        if value is not None:
            query = query.where(audit.c[name] == value)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [_entry(*row) for row in await connection.execute(query)]


async def read_after(connection: AsyncConnection, seen: Head, *, limit: int) -> list[Entry] | None:
    """Rows later than `seen`, the oldest first; None if `seen` is not in the trail (any more)."""
    rows = await read_from(connection, seen.id, limit=limit + 1)
    if seen.id == 0:
        return rows[:limit]
    return rows[1:] if rows and (rows[0].id, rows[0].hash) == (seen.id, seen.hash) else None


async def read_from(connection: AsyncConnection, first: int, *, last: int | None = None, limit: int) -> list[Entry]:
    """The row of this id and later ones, to `last`; the oldest first."""
    query = select(audit).where(audit.c.id >= first).order_by(audit.c.id).limit(limit)
    if last is not None:
        query = query.where(audit.c.id <= last)
    return [_entry(*row) for row in await connection.execute(query)]


async def at(connection: AsyncConnection, row_id: int) -> Head | None:
    """The row of this id, None if there is none."""
    row = (await connection.execute(select(audit.c.id, audit.c.hash).where(audit.c.id == row_id))).first()
    return Head(*row) if row else None


def first_break(before: Head, rows: Sequence[Entry]) -> int | None:
    """The id of the first row that should follow `before` and does not, or is not as it was written."""
    for row in rows:
        follows = row.id == before.id + 1 and row.previous_hash == before.hash
        if not follows or hashlib.sha256(sealed_text(row).encode()).hexdigest() != row.hash:
            return before.id + 1
        before = Head(row.id, row.hash)
    return None


def sealed_text(entry: Entry) -> str:
    """The text, in ASCII, that the row's hash is the SHA-256 of; not so if the row was tampered with."""
    row = {name: getattr(entry, name) for name in _SEALED}
    return _canonical({**row, "at": to_microseconds(entry.at), "details": _canonical(entry.details)})


def is_sealed(row: Mapping[Any, Any]) -> bool:
    """Whether a row of the table is what its hash says."""
    return bool(row["hash"] == _seal({name: row[name] for name in _SEALED}))


def _entry(
    row_id: int, at: int, actor: str, action: str, target: str, outcome: str, details: str, previous: str, own: str
) -> Entry:
    """Of a row, in the order of its columns: the trail is read by the thousand."""
    return Entry(row_id, from_microseconds(at), actor, action, target, outcome, _details(details), previous, own)


def _details(text: str) -> dict[str, Any]:
    """What somebody put there in place of ours must not keep the row from being read."""
    try:
        details = json.loads(text)
    except ValueError:
        return {"unreadable": text}
    return details if isinstance(details, dict) else {"unreadable": text}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _seal(row: Mapping[Any, Any]) -> str:
    return hashlib.sha256(_canonical(dict(row)).encode()).hexdigest()

"""Whether the audit trail, or a part of it, is as it was written, and what is wrong with the first row that is not.

A seal shows that a row was changed, the chain that rows were put in, taken out or written anew with seals of their own.
Who writes all rows anew from some point on leaves a chain that is whole: that shows against an anchor only, which is
the id and hash of a row, kept where nobody who writes the database can write.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import NO_HASH, ROWS_AT_ONCE, Head, head, is_sealed
from storage.tables import audit, to_microseconds


class What(enum.StrEnum):
    """What is wrong with a row, to be read after "row N of the audit trail"."""

    CHANGED = "is not as it was written"
    MISSING = "is missing"
    FOREIGN = "does not follow the row before it: one of the two was written anew, or put in"
    EXTRA = "was put in before the first"
    CUT_OFF = "is missing, as are all that came after it"
    NOT_KEPT = "is not the one of the anchor: it and what came before were written anew, or the anchor was altered"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that is wrong."""

    id: int
    what: What


@dataclass(frozen=True, slots=True)
class Span:
    """Rows by their ids, both ends included; None for the first or the newest there is."""

    first: int | None = None
    last: int | None = None


EVERYTHING = Span()


async def verify(connection: AsyncConnection, *, anchors: Sequence[Head] = (), span: Span = EVERYTHING) -> Fault | None:
    """The first fault in the span, or against an anchor wherever it is; None if all is well."""
    kept = {anchor.id: anchor.hash for anchor in anchors}
    walked = await _walk(connection, span, kept)
    others = [fault for anchor in anchors if (fault := await _held_against(connection, anchor)) is not None]
    found = [fault for fault in (walked, *others) if fault is not None]
    return min(found, key=lambda fault: fault.id, default=None)


async def span_between(connection: AsyncConnection, start: datetime | None, end: datetime | None) -> Span | None:
    """From the first row at or after `start` to the last at or before `end`; None if there is none between.

    Clocks of nodes differ, so that rows between may be of a little earlier or later: they belong to it as well.
    """
    query = select(func.min(audit.c.id), func.max(audit.c.id))
    if start is not None:
        query = query.where(audit.c.at >= to_microseconds(start))
    if end is not None:
        query = query.where(audit.c.at <= to_microseconds(end))
    first, last = (await connection.execute(query)).one()
    return None if first is None else Span(first if start else None, last if end else None)


async def _walk(connection: AsyncConnection, span: Span, kept: Mapping[int, str]) -> Fault | None:
    expected, before = span.first or 1, NO_HASH
    if expected == 1:
        extra = await connection.scalar(select(func.min(audit.c.id)).where(audit.c.id < 1))
        if extra is not None:
            return Fault(extra, What.EXTRA)
    else:
        before = await connection.scalar(select(audit.c.hash).where(audit.c.id == expected - 1)) or ""
        if not before:
            return Fault(expected - 1, What.MISSING)
    while span.last is None or expected <= span.last:
        rows = await _rows(connection, expected, span.last)
        for row in rows:
            if (what := _wrong(row, expected, before, kept)) is not None:
                return Fault(expected, what)
            expected, before = expected + 1, row["hash"]
        if len(rows) < ROWS_AT_ONCE:
            break
    return Fault(expected, What.CUT_OFF) if span.last is not None and expected <= span.last else None


async def _rows(connection: AsyncConnection, first: int, last: int | None) -> Sequence[Mapping[Any, Any]]:
    query = select(audit).where(audit.c.id >= first).order_by(audit.c.id).limit(ROWS_AT_ONCE)
    if last is not None:
        query = query.where(audit.c.id <= last)
    return (await connection.execute(query)).mappings().all()


def _wrong(row: Mapping[Any, Any], expected: int, before: str, kept: Mapping[int, str]) -> What | None:
    if row["id"] != expected:
        return What.MISSING
    if not is_sealed(row):
        return What.CHANGED
    if row["previous_hash"] != before:
        return What.FOREIGN
    return What.NOT_KEPT if kept.get(expected, row["hash"]) != row["hash"] else None


async def _held_against(connection: AsyncConnection, anchor: Head) -> Fault | None:
    found = await connection.scalar(select(audit.c.hash).where(audit.c.id == anchor.id))
    if found is not None:
        return Fault(anchor.id, What.NOT_KEPT) if found != anchor.hash else None
    newest = await head(connection)
    reached = newest.id if newest else 0
    return Fault(anchor.id, What.MISSING) if reached > anchor.id else Fault(max(reached, 0) + 1, What.CUT_OFF)

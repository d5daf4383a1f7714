"""Rows of the audit trail in the forms that others read: JSON lines, CSV, events of OCSF."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any, TextIO

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.csv_cells import cell
from handlers.event_exports.ocsf_events import of_audit
from storage import audit
from storage.audit import NO_HASH, ROWS_AT_ONCE, Entry, Head
from storage.audit_verification import Span

FORMATS = ("jsonl", "csv", "ocsf")
_COLUMNS = ("id", "at", "actor", "action", "target", "outcome", "details", "previous_hash", "hash")


async def write_rows(connection: AsyncConnection, span: Span, form: str, file: TextIO) -> int | None:
    """Writes the rows of the span. The id of the first that is missing or not as it was written, None if all are."""
    write = _writer(form, file)
    first = span.first or 1
    before = await audit.at(connection, first - 1) if first > 1 else Head(0, NO_HASH)
    broken = first - 1 if before is None else None
    seen = before or Head(first - 1, NO_HASH)
    while rows := await audit.read_from(connection, seen.id + 1, last=span.last, limit=ROWS_AT_ONCE):
        for row in rows:
            write(row)
        broken = broken or audit.first_break(seen, rows)
        seen = Head(rows[-1].id, rows[-1].hash)
    is_cut = span.last is not None and seen.id < span.last
    return broken or (seen.id + 1 if is_cut else None)


def _writer(form: str, file: TextIO) -> Callable[[Entry], None]:
    if form == "csv":
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        return lambda row: table.writerow([cell(each) for each in _plain(row).values()])
    shape = of_audit if form == "ocsf" else _whole
    return lambda row: _write_line(file, shape(row))


def _write_line(file: TextIO, value: dict[str, Any]) -> None:
    file.write(json.dumps(value, separators=(",", ":"), ensure_ascii=True) + "\n")


def _whole(row: Entry) -> dict[str, Any]:
    return _plain(row) | {"details": row.details}


def _plain(row: Entry) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    details = json.dumps(row.details, separators=(",", ":"), sort_keys=True)
    return values | {"at": row.at.isoformat(), "details": details}

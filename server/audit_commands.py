"""What `collab-studio audit` does: shows the head of the audit trail as one word, and whether the trail is as it was
written; writes rows in forms that others read.

Beside a server that is running, and changing nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from server import logs
from server.audit_export import FORMATS, write_rows
from server.settings import Settings, SettingsError
from server.startup import StartError, open_database, sqlite_file
from storage import audit, audit_verification
from storage.audit_verification import Span
from storage.database import Database

ANCHOR = re.compile(r"(?P<id>[1-9][0-9]{0,18}):(?P<hash>[0-9a-f]{64})")

NUMBER = re.compile(r"[1-9][0-9]{0,18}")
EXAMPLE = "2026-03-01T09:00Z"

End = int | datetime | None


class AuditError(Exception):
    """There is nothing to show, or the trail is not as it was written; the message is one line."""


def add_to(commands: argparse._SubParsersAction[Any], settings: argparse.ArgumentParser) -> None:
    """Adds `audit verify`, `audit export` and `audit anchor` to the commands; all take the settings."""
    what = "show that the audit trail is as it was written"
    audit_parser = commands.add_parser("audit", help=what, description=what, allow_abbrev=False)
    parts = audit_parser.add_subparsers(dest="part", required=True, metavar="part")
    what = "name the first row that was changed, removed or put in later; the exit code is 1 if there is one"
    verifying = parts.add_parser("verify", help=what, description=what, parents=[settings], allow_abbrev=False)
    verifying.add_argument(
        "--anchor",
        metavar="ID:HASH",
        action="append",
        default=[],
        help="what `audit anchor` printed, or the number and hash of a row that was sent to a SIEM: rows cut off or "
        "written anew since show too; can be given several times",
    )
    what = "write rows to standard output, oldest first; the exit code is 1 if they are not as they were written"
    exporting = parts.add_parser("export", help=what, description=what, parents=[settings], allow_abbrev=False)
    exporting.add_argument("--format", choices=FORMATS, default="jsonl", help="jsonl (default), csv or ocsf (1.3.0)")
    for each in (verifying, exporting):
        for name, which in (("from", "first"), ("to", "last")):
            each.add_argument(
                f"--{name}", metavar="ROW|TIME", help=f"the {which} row: its number, or a time such as {EXAMPLE}"
            )
    what = "print the newest row's id and hash, to be kept where nobody who writes the database can write"
    parts.add_parser("anchor", help=what, description=what, parents=[settings], allow_abbrev=False)


def run(options: argparse.Namespace, settings: Settings) -> str | None:
    """The line that was asked for. Raises AuditError, SettingsError for what cannot be read, StartError."""
    logs.configure("debug" if settings.log_level == "debug" else "warning", as_json=settings.log_json)
    if options.part == "anchor":
        return asyncio.run(anchor(settings))
    ends = _read_end("--from", getattr(options, "from")), _read_end("--to", options.to)
    if options.part == "export":
        asyncio.run(export(settings, ends, options.format))
        return None
    anchors = [_read_anchor(each) for each in options.anchor]
    return asyncio.run(verify(settings, ends, anchors))


def _read_anchor(text: str) -> audit.Head:
    match = ANCHOR.fullmatch(text.strip())
    if match is None:
        raise SettingsError(("--anchor: expected ID:HASH, as `audit anchor` prints it",))
    return audit.Head(int(match["id"]), match["hash"])


def _read_end(flag: str, text: str | None) -> End:
    """A number or a time; without an offset it is one of UTC."""
    if text is None:
        return None
    if NUMBER.fullmatch(text):
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError((f"{flag}: expected a row's number or a time such as {EXAMPLE}",)) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def anchor(settings: Settings) -> str:
    """The anchor of the newest row. Raises AuditError, StartError."""
    async with _reading(settings) as database, database.read() as connection:
        head = await audit.head(connection)
    if head is None:
        raise AuditError("the audit trail is empty, so there is nothing to keep")
    return f"{head.id}:{head.hash}"


async def verify(settings: Settings, ends: tuple[End, End], anchors: Sequence[audit.Head]) -> str:
    """What was found, in a line; reads in one transaction. Raises AuditError, StartError."""
    async with _reading(settings) as database, database.read() as connection:
        span = await _span(connection, ends)
        fault = await audit_verification.verify(connection, anchors=anchors, span=span)
        newest = await audit.head(connection)
    if fault is not None:
        raise AuditError(f"row {fault.id} of the audit trail {fault.what}")
    last = newest.id if newest else 0
    if span == audit_verification.EVERYTHING:
        return f"the audit trail is as it was written: {last} rows"
    first, last = span.first or 1, last if span.last is None else span.last
    return f"the audit trail is as it was written from row {first} to row {last}"


async def export(settings: Settings, ends: tuple[End, End], form: str) -> None:
    """Writes to standard output. Raises AuditError once all is written if it is not as it was; StartError."""
    async with _reading(settings) as database, database.read() as connection:
        broken = await write_rows(connection, await _span(connection, ends), form, sys.stdout)
    if broken is not None:
        raise AuditError(
            f"row {broken} of the audit trail is missing or not as it was written; all that is was exported"
        )


async def _span(connection: AsyncConnection, ends: tuple[End, End]) -> Span:
    """Raises AuditError if no row lies between."""
    times = [end if isinstance(end, datetime) else None for end in ends]
    found = await audit_verification.span_between(connection, *times) if any(times) else audit_verification.EVERYTHING
    if found is None:
        raise AuditError("no row of the audit trail lies between these times")
    first, last = (end if isinstance(end, int) else None for end in ends)
    span = Span(found.first if first is None else first, found.last if last is None else last)
    if span.first is not None and span.last is not None and span.first > span.last:
        raise AuditError("the first row that was asked for comes after the last")
    return span


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[Database]:
    file = sqlite_file(settings.database_url)
    if file is not None and not file.exists():
        raise StartError(f"there is no database at {file}; name its folder with --data")
    database = await open_database(settings, migrate=False)
    try:
        yield database
    finally:
        await database.close()

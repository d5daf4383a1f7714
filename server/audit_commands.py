"""What `collab-studio audit` does: the head of the audit trail as one word, and whether the trail is as it was written.

Beside a server that is running, and changing nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from server import logs
from server.settings import Settings, SettingsError
from server.startup import StartError, open_database, sqlite_file
from storage import audit
from storage.database import Database

ANCHOR = re.compile(r"(?P<id>[1-9][0-9]{0,18}):(?P<hash>[0-9a-f]{64})")


class AuditError(Exception):
    """There is nothing to show, or the trail is not as it was written; the message is one line."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken` is the id of the first row that is not as it was written, or is missing; None if there is none."""

    broken: int | None
    head: audit.Head | None


def add_to(commands: argparse._SubParsersAction[Any], settings: argparse.ArgumentParser) -> None:
    """Adds `audit verify` and `audit anchor` to the commands; both take the settings."""
    what = "show that the audit trail is as it was written"
    audit_parser = commands.add_parser("audit", help=what, description=what, allow_abbrev=False)
    parts = audit_parser.add_subparsers(dest="part", required=True, metavar="part")
    what = "name the first row that was changed, removed or put in later; the exit code is 1 if there is one"
    verifying = parts.add_parser("verify", help=what, description=what, parents=[settings], allow_abbrev=False)
    verifying.add_argument(
        "--anchor", metavar="ID:HASH", help="what `audit anchor` printed: rows cut off since show too"
    )
    what = "print the newest row's id and hash, to be kept where nobody who writes the database can write"
    parts.add_parser("anchor", help=what, description=what, parents=[settings], allow_abbrev=False)


def run(options: argparse.Namespace, settings: Settings) -> str:
    """The line that was asked for. Raises AuditError, SettingsError for what is no anchor, StartError."""
    logs.configure("debug" if settings.log_level == "debug" else "warning", as_json=settings.log_json)
    if options.part == "anchor":
        return asyncio.run(anchor(settings))
    kept = None
    if options.anchor is not None and (kept := read_anchor(options.anchor)) is None:
        raise SettingsError(("--anchor: expected ID:HASH, as `audit anchor` prints it",))
    verdict = asyncio.run(verify(settings, kept))
    if verdict.broken is not None:
        raise AuditError(f"row {verdict.broken} of the audit trail is missing or not as it was written")
    rows = verdict.head.id if verdict.head else 0
    return f"the audit trail is as it was written: {rows} rows"


def read_anchor(text: str) -> audit.Head | None:
    """The head that an anchor is of, as `ID:HASH`; None where it is no anchor."""
    match = ANCHOR.fullmatch(text.strip())
    return audit.Head(int(match["id"]), match["hash"]) if match else None


async def anchor(settings: Settings) -> str:
    """The anchor of the newest row. Raises AuditError, StartError."""
    async with _reading(settings) as database, database.read() as connection:
        head = await audit.head(connection)
    if head is None:
        raise AuditError("the audit trail is empty, so there is nothing to keep")
    return f"{head.id}:{head.hash}"


async def verify(settings: Settings, kept: audit.Head | None) -> Verdict:
    """Reads the whole trail in one transaction. Raises StartError."""
    async with _reading(settings) as database, database.read() as connection:
        return Verdict(await audit.verify(connection, kept), await audit.head(connection))


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

"""Backups as clients see them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from connectors.backup_contents import Contents
from handlers.jobs import State
from handlers.names import RowId
from handlers.registry import Instant, NotFound
from storage import backups


class BackupError(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """How a backup was verified last. `method`: `restore`, into scratch; `archive`, read through without a server.

    `differences` say, a sentence each, what is not as it was made; none where it is `ok`.
    """

    ok: bool
    method: Annotated[str, Meta(pattern="^(restore|archive|checksum)$")]
    pieces: int
    rows: int
    differences: list[str]
    verified_at: Instant


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup. `pieces` counts its tables or files, `rows` the rows of tables when it was made."""

    id: RowId
    source_id: RowId
    run_id: str
    state: State
    error: BackupError | None
    bytes: int | None
    sha256: str | None
    tool: str | None
    pieces: int | None
    rows: int | None
    verification: Verification | None
    created_by: str
    created_at: Instant
    finished_at: Instant | None


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """Where the backup now is: a path, or a database on the source's server."""

    backup_id: int
    target: str
    pieces: int
    rows: int


def contents_of(row: backups.Backup) -> Contents | None:
    return None if row.contents is None else msgspec.json.decode(row.contents, type=Contents)


def rows_of(contents: Contents) -> int:
    return sum(piece.rows or 0 for piece in contents.pieces)


def shown(row: backups.Backup) -> Backup:
    contents = contents_of(row)
    error = BackupError(code=row.error_code, message=row.error_message or "") if row.error_code else None
    return Backup(
        id=row.id,
        source_id=row.source_id,
        run_id=row.run_id,
        state=State(row.state),
        error=error,
        bytes=row.bytes,
        sha256=row.sha256,
        tool=contents.tool if contents else None,
        pieces=len(contents.pieces) if contents else None,
        rows=rows_of(contents) if contents else None,
        verification=msgspec.json.decode(row.verification, type=Verification) if row.verification else None,
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def no_backup(source_id: int, backup_id: int) -> NotFound:
    return NotFound(f"The data source {source_id} has no backup {backup_id}.", code="no_backup")

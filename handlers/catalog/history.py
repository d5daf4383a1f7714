"""The version history of a source: what its schema was at each number, and what changed between any two."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.schema_changes.changes import ChangeKind, Side
from analysis.schema_changes.snapshots import Dataset
from handlers import schema_snapshots
from handlers.names import RowId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from handlers.source_access import require_source
from storage import schema_versions

Number = Annotated[int, Meta(ge=1, le=2**63 - 1, description="The number of a version of the source's schema.")]


class SchemaChange(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. `breaks` says for whom; a rename is a guess, and has the `similarity` that it rests on."""

    kind: ChangeKind
    dataset: str
    column: str | None
    sentence: str
    breaks: list[Side]
    before: str | None
    after: str | None
    similarity: float | None


class Compatibility(StrEnum):
    """`breaking` where whoever reads or writes as before may fail."""

    COMPATIBLE = "compatible"
    BREAKING = "breaking"


class SchemaVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version: there is a new number only where something changed. Equal digests are equal schemas."""

    source_id: RowId
    number: Number
    digest: str
    taken_at: Instant
    datasets: int
    change_count: int
    breaking_count: int
    compatibility: Compatibility
    summary: str


class SchemaVersionContent(msgspec.Struct, frozen=True, kw_only=True):
    """A version with all its datasets, and its differences from the number before."""

    version: SchemaVersion
    changes: list[SchemaChange]
    schema: list[Dataset]


class SchemaDifferences(msgspec.Struct, frozen=True, kw_only=True):
    """What changed from one version to another, and all of it in a sentence."""

    source_id: RowId
    from_number: Number
    to_number: Number
    compatibility: Compatibility
    summary: str
    changes: list[SchemaChange]


class ListVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    source_id: RowId
    cursor: Cursor | None = None
    limit: Limit = 50


class GetVersion(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId
    number: Number


class CompareVersions(msgspec.Struct, frozen=True, kw_only=True):
    """From `number` to `to`, in whichever order; `to` is the newest unless given."""

    source_id: RowId
    number: Number
    to: Number | None = None


async def list_versions(context: Context, request: ListVersions) -> Page[SchemaVersion]:
    source = await require_source(context, request.source_id, Permission.READ)
    before = decode_cursor("schema_versions", request.cursor, Number)
    async with context.parts.database.read() as connection:
        rows = await schema_versions.list_of(connection, source.id, before=before, limit=request.limit + 1)
    return page_of(rows, request.limit, "schema_versions", key=lambda row: row.number, item=shown)


async def get_version(context: Context, request: GetVersion) -> SchemaVersionContent:
    source = await require_source(context, request.source_id, Permission.READ)
    async with context.parts.database.read() as connection:
        row = await _require(connection, source.id, request.number)
        compressed = await schema_versions.content_of(connection, row.digest)
    datasets = await asyncio.to_thread(_datasets, compressed)
    return SchemaVersionContent(
        version=shown(row), changes=msgspec.json.decode(row.changes, type=list[SchemaChange]), schema=datasets
    )


async def compare_versions(context: Context, request: CompareVersions) -> SchemaDifferences:
    source = await require_source(context, request.source_id, Permission.READ)
    async with context.parts.database.read() as connection:
        one = await _require(connection, source.id, request.number)
        to = request.to
        other = await (_require(connection, source.id, to) if to else schema_versions.last(connection, source.id))
        other = other or one
        before = await schema_versions.content_of(connection, one.digest)
        after = await schema_versions.content_of(connection, other.digest)
    found, summary = await context.parts.workers.run(_compared, before, after)
    changes = msgspec.convert(found, list[SchemaChange])
    return SchemaDifferences(
        source_id=source.id,
        from_number=one.number,
        to_number=other.number,
        compatibility=_compatibility(sum(bool(change.breaks) for change in changes)),
        summary=summary,
        changes=changes,
    )


def _compared(one: bytes, other: bytes) -> tuple[list[dict[str, object]], str]:
    return schema_snapshots.compared(schema_versions.unpacked(one), schema_versions.unpacked(other))


def _datasets(compressed: bytes) -> list[Dataset]:
    return list(schema_snapshots.decode(schema_versions.unpacked(compressed)).datasets)


async def _require(connection: AsyncConnection, source_id: int, number: int) -> schema_versions.Version:
    row = await schema_versions.get(connection, source_id, number)
    if row is None:
        last = await schema_versions.last(connection, source_id)
        known = f"its versions are 1 to {last.number}" if last else "it was not discovered yet"
        raise NotFound(f"The data source {source_id} has no version {number}; {known}.", code="no_such_version")
    return row


def shown(row: schema_versions.Version) -> SchemaVersion:
    return SchemaVersion(
        source_id=row.source_id,
        number=row.number,
        digest=row.digest,
        taken_at=row.taken_at,
        datasets=row.datasets,
        change_count=row.change_count,
        breaking_count=row.breaking_count,
        compatibility=_compatibility(row.breaking_count),
        summary=row.summary,
    )


def _compatibility(breaking: int) -> Compatibility:
    return Compatibility.BREAKING if breaking else Compatibility.COMPATIBLE


_HERE = "/data-sources/{source_id}/version-history"

OPERATIONS = (
    Operation(
        "data_sources.versions.list",
        ListVersions,
        Page[SchemaVersion],
        list_versions,
        f"GET {_HERE}",
        Permission.SIGNED_IN,
        "List the versions of a data source's schema.",
        errors=(Forbidden,),
    ),
    Operation(
        "data_sources.versions.get",
        GetVersion,
        SchemaVersionContent,
        get_version,
        f"GET {_HERE}/{{number}}",
        Permission.SIGNED_IN,
        "Get a version of a data source's schema.",
        errors=(Forbidden,),
    ),
    Operation(
        "data_sources.versions.compare",
        CompareVersions,
        SchemaDifferences,
        compare_versions,
        f"GET {_HERE}/{{number}}/diff",
        Permission.SIGNED_IN,
        "Compare two versions of a data source's schema.",
        errors=(Forbidden,),
    ),
)

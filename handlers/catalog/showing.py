"""Datasets as clients see them, put together from what was found, what people say and what scans saw."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.datasets import DatasetKind, LogicalType
from crdt.content import infer_shape, read_text
from handlers.names import RowId, WorkspaceId
from handlers.parts import Parts
from handlers.policy_views import PolicyViews
from handlers.registry import Instant
from handlers.withheld_results import shown_bodies
from storage import catalog, catalog_labels, catalog_search, scan_results, scans
from storage.catalog import Dataset as Row
from storage.catalog_labels import NOTHING, Labels

# In a list only how a description begins.
BEGINNING = 300
# A document up to this size is read from its live room at once; of a larger one the index holds the text.
_SMALL_BYTES = 64 * 1024
_MOST_RESULTS = 2000


class Sensitivity(StrEnum):
    """How sensitive people say that something is, the least first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


Tag = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\x00-\x20\x7f])?$(?!\n)",
        description="1 to 100 characters in one line, no blank at an end.",
        examples=["finance"],
    ),
]


class TermName(msgspec.Struct, frozen=True, kw_only=True):
    """A term of the workspace's glossary."""

    id: RowId
    name: str


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """The document that describes a dataset: open `document` in an editor, alone or with others, and write.

    The first edit makes it. `kind` and `root` are what an editor should take as long as it is empty, and what it found
    there since. What is typed shows in `text` at once on the node that has the document open, elsewhere after a second
    or so.
    """

    document: str
    document_id: str
    kind: str
    root: str
    text: str
    number: int


class DatasetSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset in a list. `description` is how it begins; `estimated_rows` is what the source itself estimates."""

    id: RowId
    workspace_id: WorkspaceId
    source_id: RowId
    source: str
    schema: str | None
    name: str
    kind: DatasetKind
    estimated_rows: int | None
    bytes: int | None
    owners: list[str]
    tags: list[str]
    terms: list[TermName]
    sensitivity: Sensitivity | None
    description: str
    changed_at: Instant
    missing_since: Instant | None


class CatalogColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column. `profile` and `classification` are what the last scan saw in it, null and empty where none looked.

    Where an access policy keeps something of these back, their `withheld` says why.
    """

    name: str
    ordinal: int
    native_type: str
    logical_type: LogicalType
    nullable: bool
    default: str | None
    comment: str | None
    is_primary_key: bool
    owners: list[str]
    tags: list[str]
    terms: list[TermName]
    sensitivity: Sensitivity | None
    profile: dict[str, Any] | None
    classification: list[dict[str, Any]]


class ReferringKey(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign key; `target_id` is null where the catalog does not hold the dataset that it refers to."""

    name: str | None
    columns: list[str]
    target_schema: str | None
    target: str
    target_columns: list[str]
    target_id: RowId | None


class KeyIndex(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    columns: list[str]
    unique: bool


class LineageProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be followed in the definition of a view."""

    code: str
    message: str
    name: str


class DatasetError(msgspec.Struct, frozen=True, kw_only=True):
    """Why the source could not say what the dataset is made of; what is shown is from before."""

    code: str
    message: str


class LatestScan(msgspec.Struct, frozen=True, kw_only=True):
    """The scan whose results are shown, and what came of the dataset in it."""

    scan_id: RowId
    outcome: dict[str, Any] | None


class CatalogDataset(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a dataset."""

    id: RowId
    workspace_id: WorkspaceId
    source_id: RowId
    source: str
    source_tags: list[str]
    schema: str | None
    name: str
    kind: DatasetKind
    estimated_rows: int | None
    bytes: int | None
    comment: str | None
    modified_at: Instant | None
    definition: str | None
    columns: list[CatalogColumn]
    primary_key: list[str]
    unique_keys: list[list[str]]
    foreign_keys: list[ReferringKey]
    indexes: list[KeyIndex]
    owners: list[str]
    tags: list[str]
    terms: list[TermName]
    sensitivity: Sensitivity | None
    description: Described
    scan: LatestScan | None
    lineage_problems: list[LineageProblem]
    error: DatasetError | None
    first_seen_at: Instant
    last_seen_at: Instant
    changed_at: Instant
    missing_since: Instant | None


async def shown_in_list(
    connection: AsyncConnection, rows: Sequence[Row], source_names: dict[int, str]
) -> dict[int, DatasetSummary]:
    """By id."""
    ids = [row.id for row in rows]
    labels = await catalog_labels.of_datasets(connection, ids)
    texts = await catalog_search.descriptions(connection, ids)
    return {
        row.id: _summary(
            row,
            source_names[row.source_id],
            labels.get(row.id, {}).get("", NOTHING),
            texts[row.id].text[:BEGINNING] if row.id in texts else "",
        )
        for row in rows
    }


def _summary(row: Row, source: str, said: Labels, description: str) -> DatasetSummary:
    return DatasetSummary(
        id=row.id,
        workspace_id=row.workspace_id,
        source_id=row.source_id,
        source=source,
        schema=row.schema or None,
        name=row.name,
        kind=DatasetKind(row.kind),
        estimated_rows=row.estimated_rows,
        bytes=row.bytes,
        owners=said.owners,
        tags=said.tags,
        terms=terms_of(said),
        sensitivity=level(row.sensitivity),
        description=description,
        changed_at=row.changed_at,
        missing_since=row.missing_since,
    )


async def shown_whole(
    parts: Parts, connection: AsyncConnection, row: Row, source: str, views: PolicyViews
) -> CatalogDataset:
    """As whoever the `views` are of sees it."""
    labels = (await catalog_labels.of_datasets(connection, [row.id])).get(row.id, {})
    columns = (await catalog.columns_of(connection, [row.id])).get(row.id, [])
    said = labels.get("", NOTHING)
    seen = await _seen(connection, row, views)
    primary_key = list(row.keys.get("primary_key", ()))
    return CatalogDataset(
        id=row.id,
        workspace_id=row.workspace_id,
        source_id=row.source_id,
        source=source,
        source_tags=await catalog_labels.source_tags(connection, row.source_id),
        schema=row.schema or None,
        name=row.name,
        kind=DatasetKind(row.kind),
        estimated_rows=row.estimated_rows,
        bytes=row.bytes,
        comment=row.comment,
        modified_at=row.modified_at,
        definition=row.definition,
        columns=[_column(each, labels.get(each.name, NOTHING), each.name in primary_key, seen) for each in columns],
        primary_key=primary_key,
        unique_keys=[list(key) for key in row.keys.get("unique_keys", ())],
        foreign_keys=[await _foreign_key(connection, row, key) for key in row.keys.get("foreign_keys", ())],
        indexes=msgspec.convert(row.keys.get("indexes", []), list[KeyIndex]),
        owners=said.owners,
        tags=said.tags,
        terms=terms_of(said),
        sensitivity=level(row.sensitivity),
        description=await description_of(parts, connection, row),
        scan=seen.scan,
        lineage_problems=msgspec.convert(row.lineage_problems, list[LineageProblem]),
        error=DatasetError(code=row.error_code, message=row.error_message or "") if row.error_code else None,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        changed_at=row.changed_at,
        missing_since=row.missing_since,
    )


async def _foreign_key(connection: AsyncConnection, row: Row, key: dict[str, Any]) -> ReferringKey:
    target = await catalog.find(connection, row.source_id, key["target_schema"], key["target"])
    return ReferringKey(**key, target_id=target.id if target else None)


def _column(column: catalog.Column, said: Labels, is_primary_key: bool, seen: _Seen) -> CatalogColumn:
    return CatalogColumn(
        name=column.name,
        ordinal=column.ordinal,
        native_type=column.native_type,
        logical_type=LogicalType(column.logical_type),
        nullable=column.nullable,
        default=column.default_value,
        comment=column.comment,
        is_primary_key=is_primary_key,
        owners=said.owners,
        tags=said.tags,
        terms=terms_of(said),
        sensitivity=level(column.sensitivity),
        profile=seen.profiles.get(column.name),
        classification=seen.findings.get(column.name, []),
    )


def terms_of(said: Labels) -> list[TermName]:
    return [TermName(id=number, name=name) for number, name in said.terms]


def level(stored: str | None) -> Sensitivity | None:
    return None if stored is None else Sensitivity(stored)


# The description


async def description_of(parts: Parts, connection: AsyncConnection, row: Row) -> Described:
    """With what is being typed, where this node has the document open."""
    name = catalog_search.document_name(row.id)
    stored = (await catalog_search.descriptions(connection, [row.id])).get(row.id)
    kind, root = "text", "content"
    text, number = (stored.text, stored.number) if stored else ("", 0)
    room = parts.rooms.live_named(row.workspace_id, name)
    if room is not None:
        shape = infer_shape(room.doc)
        if shape is not None:
            kind, root = shape
            if room.size <= _SMALL_BYTES:
                text, number = read_text(room.doc, kind, root), room.number
    return Described(
        document=f"{row.workspace_id}/{name}", document_id=name, kind=kind, root=root, text=text, number=number
    )


# What scans saw


class _Seen(msgspec.Struct):
    scan: LatestScan | None = None
    profiles: dict[str, dict[str, Any]] = {}
    findings: dict[str, list[dict[str, Any]]] = {}


async def _seen(connection: AsyncConnection, row: Row, views: PolicyViews) -> _Seen:
    """The results of the last scan that read the dataset, as they may be seen."""
    seen = _Seen(profiles={}, findings={})
    mark = await scans.mark_of(connection, row.source_id, scans.digest_of(row.schema or None, row.name))
    if mark is None:
        return seen
    results = await scan_results.list_of(connection, mark.scan_id, dataset=row.full_name, limit=_MOST_RESULTS)
    outcome = None
    bodies = await shown_bodies(connection, views, results)
    for result in results:
        body = bodies[result.ordinal, result.place]
        if result.kind == "dataset":
            outcome = body
        elif result.kind == "profile" and result.column_name is not None:
            seen.profiles[result.column_name] = figures(body)
        elif result.kind == "classification" and result.column_name is not None:
            seen.findings.setdefault(result.column_name, []).append(body)
    seen.scan = LatestScan(scan_id=mark.scan_id, outcome=outcome)
    return seen


def figures(profile: dict[str, Any]) -> dict[str, Any]:
    """A profile without its lists, which are in the results of the scan: histograms, quantiles, frequent values."""
    short = {}
    for key, value in profile.items():
        if isinstance(value, dict):
            if inner := figures(value):
                short[key] = inner
        elif not isinstance(value, list):
            short[key] = value
    return short

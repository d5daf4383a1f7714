"""Where sensitive data is and who can read it: of a workspace in numbers, of a source column by column, as CSV."""

from __future__ import annotations

import csv
import io

import msgspec

from connectors.datasets import Kind
from handlers.csv_cells import cell
from handlers.names import RowId, WorkspaceId
from handlers.policy_views import policy_of
from handlers.registry import Binary, Context, Forbidden, Instant, Operation, Permission, Watched
from handlers.security.readable_by import Column, alike, seen_here, source_readers
from handlers.security.sensitive_columns import Gathered, gathered
from handlers.security.sensitive_shapes import (
    MOST_NAMES,
    ColumnEvidence,
    FoundType,
    SensitiveColumnShown,
    SensitiveFigures,
    SourceFigures,
    figures_of,
    looked_at_text,
    shown_column,
    source_figures,
)
from handlers.security.standing import may_manage
from handlers.source_access import require_source
from handlers.source_grants import members_of
from storage import access_policies, catalog_labels, data_sources
from storage.data_sources import DataSource

_SOURCES_AT_ONCE = 500


class SummariseSensitiveData(msgspec.Struct, frozen=True, kw_only=True):
    """In numbers: which columns they are, a source tells to whoever manages the workspace."""

    workspace_id: WorkspaceId = "default"


class SensitiveDataSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`total` is of all `sources`, which hold tables or files. `is_cut`: more was found than is counted here."""

    workspace_id: WorkspaceId
    as_of: Instant
    total: SensitiveFigures
    sources: list[SourceFigures]
    is_cut: bool


class GetSensitiveData(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the source who may read, if the caller manages the workspace."""

    data_source_id: RowId


class SourceSensitiveData(msgspec.Struct, frozen=True, kw_only=True):
    """`evidence` is null for whoever may not manage the workspace: it tells who may read what."""

    as_of: Instant
    figures: SourceFigures
    evidence: ColumnEvidence | None
    is_cut: bool


class ExportSensitiveData(msgspec.Struct, frozen=True, kw_only=True):
    """A row for each column and type, and one for each dataset that nobody looked at."""

    data_source_id: RowId


async def summarise_sensitive_data(context: Context, request: SummariseSensitiveData) -> SensitiveDataSummary:
    async with context.parts.database.read() as connection:
        found = await gathered(connection, request.workspace_id)
        sources = []
        after = None
        while some := await data_sources.list_of(connection, request.workspace_id, after=after, limit=_SOURCES_AT_ONCE):
            sources += [source for source in some if source.kind != Kind.METRICS]
            after = some[-1].id
    by_source = {source.id: [one for one in found.datasets if one.source_id == source.id] for source in sources}
    return SensitiveDataSummary(
        workspace_id=request.workspace_id,
        as_of=context.now(),
        total=figures_of(found.datasets),
        sources=[source_figures(source.id, source.name, source.kind, by_source[source.id]) for source in sources],
        is_cut=found.is_cut,
    )


async def get_sensitive_data(context: Context, request: GetSensitiveData) -> SourceSensitiveData:
    source = await require_source(context, request.data_source_id, Permission.READ)
    async with context.parts.database.read() as connection:
        found = await gathered(connection, source.workspace_id, source.id)
    manages = await may_manage(context, source.workspace_id)
    return SourceSensitiveData(
        as_of=context.now(),
        figures=source_figures(source.id, source.name, source.kind, found.datasets),
        evidence=await _evidence(context, source, found) if manages else None,
        is_cut=found.is_cut,
    )


async def export_sensitive_data(context: Context, request: ExportSensitiveData) -> Binary:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    async with context.parts.database.read() as connection:
        found = await gathered(connection, source.workspace_id, source.id)
    evidence = await _evidence(context, source, found)
    return Binary(media_type="text/csv", data=_as_csv(evidence))


async def _evidence(context: Context, source: DataSource, found: Gathered) -> ColumnEvidence:
    columns: list[Column] = [(each.schema, each.name, name) for each in found.datasets for name in each.columns]
    readers = await source_readers(context, source, columns)
    members = await members_of(context, source.workspace_id)
    async with context.parts.database.read() as connection:
        policies = [
            policy_of(row) for row in await access_policies.in_force(connection, source.workspace_id, source.id)
        ]
        tags = await catalog_labels.source_tags(connection, source.id)
    groups = alike(members, policies)
    shown = []
    for dataset in found.datasets:
        seen = seen_here(groups, policies, dataset, tags)
        for name, column in dataset.columns.items():
            who = readers.by_column.get((dataset.schema, dataset.name, name))
            shown.append(shown_column(dataset, column, who, seen[name]))
    never = [each.full_name for each in found.datasets if each.looked_at is None]
    return ColumnEvidence(source_access=readers.access, columns=shown, never_looked_at=never[:MOST_NAMES])


_HEAD = (
    "dataset",
    "column",
    "category",
    "type",
    "verdict",
    "confidence",
    "how",
    "sensitivity",
    "tags",
    "looked_at",
    "source_readers",
    "see_values_here",
)
_ONLY_SAID = ("", "", "by label", "", "people say that it is")


def _as_csv(evidence: ColumnEvidence) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEAD)
    for column in evidence.columns:
        for kind in [_kind(one) for one in column.findings] or [_ONLY_SAID]:
            writer.writerow(map(cell, (column.dataset, column.column, *kind, *_who(column, evidence))))
    for name in evidence.never_looked_at:
        writer.writerow(map(cell, (name, "", "", "", "never looked at", *[""] * 7)))
    return text.getvalue().encode()


def _kind(found: FoundType) -> tuple[str, ...]:
    return str(found.category), found.type, found.verdict, str(found.confidence), found.how


def _who(column: SensitiveColumnShown, evidence: ColumnEvidence) -> tuple[str, ...]:
    readers = "not known: " + (evidence.source_access.reason or "the source does not have it any more")
    if column.source_readers is not None:
        readers = " ".join(column.source_readers)
    see = " ".join(user for one in column.seen_here if one.sees == "values" for user in one.user_ids)
    return column.sensitivity or "", " ".join(column.tags), looked_at_text(column.looked_at), readers, see


OPERATIONS = (
    Operation(
        "security.sensitive_data.summary",
        SummariseSensitiveData,
        SensitiveDataSummary,
        summarise_sensitive_data,
        "GET /security/sensitive-data",
        Permission.READ,
        "Tell where the sensitive data of a workspace is, in numbers.",
        watched=Watched(frozenset({"scans", "catalog", "data_sources"})),
    ),
    Operation(
        "security.sensitive_data.get",
        GetSensitiveData,
        SourceSensitiveData,
        get_sensitive_data,
        "GET /security/sensitive-data/{data_source_id}",
        Permission.SIGNED_IN,
        "Tell where the sensitive data of a source is, and who can read it.",
        errors=(Forbidden,),
    ),
    Operation(
        "security.sensitive_data.export",
        ExportSensitiveData,
        Binary,
        export_sensitive_data,
        "GET /security/sensitive-data/{data_source_id}/export",
        Permission.SIGNED_IN,
        "Export where the sensitive data of a source is, and who can read it, as CSV.",
        errors=(Forbidden,),
        media_types=("text/csv",),
    ),
)

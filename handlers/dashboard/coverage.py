"""How much of the catalog is described, owned, tagged, classified and linked to terms."""

from __future__ import annotations

import msgspec

from handlers.names import WorkspaceId
from handlers.registry import Context, Instant, Operation, Permission, Watched
from storage import dashboard_metadata as facts


class GetMetadata(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """`count` of `total`; `share` is null where there is nothing to have it."""

    count: int
    total: int
    share: float | None


class DatasetMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What people said of datasets. `comment` is what the source itself says, `description` what people wrote.

    `scanned` were looked at for sensitive data; `sensitivity` is what people said.
    """

    description: Share
    comment: Share
    description_or_comment: Share
    owner: Share
    tag: Share
    term: Share
    sensitivity: Share
    scanned: Share


class ColumnMetadata(msgspec.Struct, frozen=True, kw_only=True):
    comment: Share
    tag: Share
    term: Share
    sensitivity: Share


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Of the datasets and columns that were there when their sources were last discovered."""

    workspace_id: WorkspaceId
    as_of: Instant
    datasets: DatasetMetadata
    columns: ColumnMetadata


async def get_metadata(context: Context, request: GetMetadata) -> Metadata:
    async with context.parts.database.read() as connection:
        datasets = await facts.dataset_coverage(connection, request.workspace_id)
        columns = await facts.column_coverage(connection, request.workspace_id)
    return Metadata(
        workspace_id=request.workspace_id,
        as_of=context.now(),
        datasets=DatasetMetadata(
            description=_share(datasets.described, datasets.total),
            comment=_share(datasets.commented, datasets.total),
            description_or_comment=_share(datasets.described_or_commented, datasets.total),
            owner=_share(datasets.owned, datasets.total),
            tag=_share(datasets.tagged, datasets.total),
            term=_share(datasets.with_terms, datasets.total),
            sensitivity=_share(datasets.labelled, datasets.total),
            scanned=_share(datasets.scanned, datasets.total),
        ),
        columns=ColumnMetadata(
            comment=_share(columns.commented, columns.total),
            tag=_share(columns.tagged, columns.total),
            term=_share(columns.with_terms, columns.total),
            sensitivity=_share(columns.labelled, columns.total),
        ),
    )


def _share(count: int, total: int) -> Share:
    return Share(count=count, total=total, share=round(count / total, 4) if total else None)


OPERATIONS = (
    Operation(
        "dashboard.metadata",
        GetMetadata,
        Metadata,
        get_metadata,
        "GET /dashboard/metadata",
        Permission.READ,
        "Get how much of the catalog is described.",
        watched=Watched(frozenset({"data_sources", "catalog", "scans", "documents"})),
    ),
)

"""The catalog of a workspace: its datasets are found, looked at, and labelled."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.datasets import DatasetKind
from handlers.audit_trail import record
from handlers.catalog.policy_labels import require_policies_kept
from handlers.catalog.showing import CatalogDataset, DatasetSummary, Sensitivity, Tag, shown_in_list, shown_whole
from handlers.dataset_access import require_dataset
from handlers.names import RowId, UserId, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.policy_views import views_of
from handlers.registry import (
    Context,
    Forbidden,
    InvalidRequest,
    NotFound,
    Operation,
    OperationError,
    Page,
    Permission,
)
from storage import catalog, catalog_labels, catalog_search, data_sources
from storage.catalog import Dataset
from storage.catalog_search import Wanted

# Descriptions that changed since the last search are taken in before the next one, so many at most.
_CAUGHT_UP = 200
# A cursor's key: a rank or a number, or a name.
_Key = tuple[float | int | str, int]

Owners = Annotated[list[UserId], Meta(max_length=50, description="Who answers for it: users, or whatever names them.")]
Tags = Annotated[list[Tag], Meta(max_length=50)]
Terms = Annotated[list[RowId], Meta(max_length=50, description="Ids of terms of the workspace's glossary.")]
ColumnName = Annotated[str, Meta(min_length=1, max_length=2000)]


class ListDatasets(msgspec.Struct, frozen=True, kw_only=True):
    """By name unless said otherwise; with `q` the best first.

    `q` is looked for in names, columns, comments, tags, terms and descriptions: words between blanks must all be
    there, the last may be the beginning of one. `tag` and `sensitivity` are those of the dataset or of one of its
    columns, a tag also of its source. `missing=true` lists datasets that are gone from their source.
    """

    workspace_id: WorkspaceId = "default"
    q: Annotated[str, Meta(max_length=1000, description="What to look for.", examples=["orders total"])] = ""
    source_id: RowId | None = None
    kind: DatasetKind | None = None
    tag: Tag | None = None
    owner: UserId | None = None
    term_id: RowId | None = None
    sensitivity: Sensitivity | None = None
    missing: bool = False
    sort: Literal["relevance", "name", "rows", "changed"] | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class GetDataset(msgspec.Struct, frozen=True, kw_only=True):
    dataset_id: RowId


class ColumnChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is given replaces what there was."""

    owners: Owners | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    terms: Terms | UnsetType = UNSET
    sensitivity: Sensitivity | UnsetType | None = UNSET


class UpdateDataset(msgspec.Struct, frozen=True, kw_only=True):
    """What is given replaces what there was; `columns` are changed by name. Descriptions are documents: see there."""

    dataset_id: RowId
    owners: Owners | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    terms: Terms | UnsetType = UNSET
    sensitivity: Sensitivity | UnsetType | None = UNSET
    columns: Annotated[dict[ColumnName, ColumnChange], Meta(max_length=500)] | UnsetType = UNSET


class UpdateColumn(msgspec.Struct, frozen=True, kw_only=True):
    """As of datasets. A column whose name holds `/` is changed with its dataset."""

    dataset_id: RowId
    column: ColumnName
    owners: Owners | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    terms: Terms | UnsetType = UNSET
    sensitivity: Sensitivity | UnsetType | None = UNSET


async def list_datasets(context: Context, request: ListDatasets) -> Page[DatasetSummary]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    sort = request.sort or ("relevance" if request.q else "name")
    if sort == "relevance" and not request.q:
        raise InvalidRequest(
            "Only what is looked for with `q` can be sorted by relevance.", details={"parameter": "sort"}
        )
    list_name = f"catalog.{sort}"
    after = decode_cursor(list_name, request.cursor, _Key)
    if after is not None and isinstance(after[0], str) != (sort == "name"):
        raise InvalidRequest("This is not a cursor of this list.", code="bad_cursor", details={"parameter": "cursor"})
    if request.q:
        await _catch_up(context, request.workspace_id)
    wanted = Wanted(
        q=request.q,
        source_id=request.source_id,
        kind=request.kind,
        tag=request.tag,
        owner=request.owner,
        term_id=request.term_id,
        sensitivity=request.sensitivity,
        missing=request.missing,
    )
    async with context.parts.database.read() as connection:
        hits = await catalog_search.find(
            connection, request.workspace_id, wanted, sort=sort, after=after, limit=request.limit + 1
        )
        names = {hit.dataset.source_id: hit.source_name for hit in hits}
        shown = await shown_in_list(connection, [hit.dataset for hit in hits], names)
    return page_of(
        hits,
        request.limit,
        list_name,
        key=lambda hit: (hit.key, hit.dataset.id),
        item=lambda hit: shown[hit.dataset.id],
    )


async def _catch_up(context: Context, workspace_id: str) -> None:
    async with context.parts.database.read() as connection:
        behind = await catalog_search.behind(connection, workspace_id, limit=_CAUGHT_UP)
    if behind:
        async with context.parts.database.write() as connection:
            await catalog_search.reindex(connection, behind)


async def get_dataset(context: Context, request: GetDataset) -> CatalogDataset:
    row = await require_dataset(context, request.dataset_id, Permission.READ)
    return await _shown(context, row.id)


async def update_dataset(context: Context, request: UpdateDataset) -> CatalogDataset:
    row = await require_dataset(context, request.dataset_id, Permission.WRITE)
    columns = {} if request.columns is UNSET else request.columns
    async with context.parts.database.write() as connection:
        await _require_columns(connection, row, columns)
        await require_policies_kept(context, connection, row, {"": request, **columns})
        changed = await _change(connection, row, "", request)
        for name, change in columns.items():
            changed |= await _change(connection, row, name, change)
        if changed:
            await catalog_search.reindex(connection, [row.id])
        details = {"dataset": row.full_name, "changed": sorted(changed), "columns": sorted(columns)[:100]}
        await record(connection, context, "catalog.datasets.update", str(row.id), details)
    return await _shown(context, row.id)


async def update_column(context: Context, request: UpdateColumn) -> CatalogDataset:
    row = await require_dataset(context, request.dataset_id, Permission.WRITE)
    async with context.parts.database.write() as connection:
        await _require_columns(connection, row, [request.column])
        await require_policies_kept(context, connection, row, {request.column: request})
        changed = await _change(connection, row, request.column, request)
        if changed:
            await catalog_search.reindex(connection, [row.id])
        details = {"dataset": row.full_name, "column": request.column, "changed": sorted(changed)}
        await record(connection, context, "catalog.columns.update", str(row.id), details)
    return await _shown(context, row.id)


async def _require_columns(
    connection: AsyncConnection, row: Dataset, names: list[str] | dict[str, ColumnChange]
) -> None:
    known = {column.name for column in (await catalog.columns_of(connection, [row.id])).get(row.id, ())}
    for name in names:
        if name not in known:
            raise NotFound(f"The dataset {row.full_name!r} has no column {name!r}.", code="no_such_column")


async def _change(
    connection: AsyncConnection, row: Dataset, column: str, change: UpdateDataset | UpdateColumn | ColumnChange
) -> set[str]:
    """Which of the labels were given."""
    given = set()
    if change.owners is not UNSET:
        given.add("owners")
        await catalog_labels.set_labels(connection, row.id, catalog_labels.OWNER, change.owners, column=column)
    if change.tags is not UNSET:
        given.add("tags")
        await catalog_labels.set_labels(connection, row.id, catalog_labels.TAG, change.tags, column=column)
    if change.terms is not UNSET:
        given.add("terms")
        await _require_terms(connection, row.workspace_id, change.terms)
        await catalog_labels.set_terms(connection, row.id, change.terms, column=column)
    if change.sensitivity is not UNSET:
        given.add("sensitivity")
        await catalog.set_sensitivity(connection, row.id, change.sensitivity, column=column or None)
    return given


async def _require_terms(connection: AsyncConnection, workspace_id: str, term_ids: list[int]) -> None:
    known = await catalog_labels.get_terms(connection, workspace_id, term_ids)
    for term_id in term_ids:
        if term_id not in known:
            raise InvalidRequest(
                f"terms: the glossary of {workspace_id!r} has no term {term_id}; `GET /catalog/terms` lists them.",
                code="no_such_term",
                details={"parameter": "terms"},
            )


async def _shown(context: Context, dataset_id: int) -> CatalogDataset:
    async with context.parts.database.read() as connection:
        row = await catalog.get(connection, dataset_id)
        source = await data_sources.get(connection, row.source_id) if row else None
        if row is None or source is None:
            raise NotFound(f"There is no dataset {dataset_id}, or you are not a member of its workspace.")
        views = await views_of(context, connection, row.workspace_id, row.source_id)
        return await shown_whole(context.parts, connection, row, source.name, views)


_REFUSALS: tuple[type[OperationError], ...] = (Forbidden, NotFound)

OPERATIONS = (
    Operation(
        "catalog.datasets.list",
        ListDatasets,
        Page[DatasetSummary],
        list_datasets,
        "GET /catalog/datasets",
        Permission.SIGNED_IN,
        "Find datasets by words and by what they are.",
        errors=_REFUSALS,
    ),
    Operation(
        "catalog.datasets.get",
        GetDataset,
        CatalogDataset,
        get_dataset,
        "GET /catalog/datasets/{dataset_id}",
        Permission.SIGNED_IN,
        "Get all that is known of a dataset.",
        errors=_REFUSALS,
    ),
    Operation(
        "catalog.datasets.update",
        UpdateDataset,
        CatalogDataset,
        update_dataset,
        "PATCH /catalog/datasets/{dataset_id}",
        Permission.SIGNED_IN,
        "Set a dataset's owners, tags, terms and sensitivity.",
        errors=_REFUSALS,
    ),
    Operation(
        "catalog.columns.update",
        UpdateColumn,
        CatalogDataset,
        update_column,
        "PATCH /catalog/datasets/{dataset_id}/columns/{column}",
        Permission.SIGNED_IN,
        "Set a column's owners, tags, terms and sensitivity.",
        errors=_REFUSALS,
    ),
)

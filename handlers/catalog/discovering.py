"""Discovery over HTTP and as a job, so that it can be scheduled; what it found in one source; the source's tags."""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec
from msgspec import Meta

from connectors.datasets import DatasetKind
from handlers.audit_trail import record
from handlers.catalog.policy_labels import require_source_policies_kept
from handlers.catalog.showing import DatasetError, DatasetSummary, Tag, shown_in_list
from handlers.discovery import Discovery, discover
from handlers.jobs import Job, Run, StepFailed
from handlers.names import RowId, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, encode_cursor
from handlers.registry import Context, Forbidden, Instant, Operation, Permission
from handlers.source_access import answering_for_source, require_source
from storage import catalog, catalog_labels, catalog_search, data_sources, schema_versions
from storage.catalog_search import Wanted

JOB = "catalog.discover"


class DiscoverSource(msgspec.Struct, frozen=True, kw_only=True):
    """Answered at once; the run begins within a second or so, and `GET /runs/{run_id}` tells what came of it."""

    source_id: RowId


class DiscoverArguments(msgspec.Struct, frozen=True, kw_only=True):
    """Which source of the run's workspace."""

    source_id: RowId


class DiscoveryRun(msgspec.Struct, frozen=True, kw_only=True):
    """A durable run, of which `GET /runs/{run_id}` tells more; its result is what the discovery came to."""

    run_id: str
    job: str
    source_id: RowId
    workspace_id: WorkspaceId
    created_at: Instant


class SourceCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalog holds of a source. `discovered_at` is null until it was discovered once.

    `counts` are of all its datasets by kind; missing ones and those that could not be described are counted beside.
    """

    source_id: RowId
    source: str
    workspace_id: WorkspaceId
    discovered_at: Instant | None
    version: int | None
    tags: list[str]
    counts: dict[DatasetKind, int]
    missing: int
    failed: list[FailedSummary]
    datasets: list[DatasetSummary]
    next_cursor: str | None


class FailedSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that the source could not describe."""

    dataset_id: RowId
    name: str
    error: DatasetError


class GetSourceCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """Datasets by name; `missing=true` lists those that are gone."""

    source_id: RowId
    missing: bool = False
    cursor: Cursor | None = None
    limit: Limit = 100


class GetSourceTags(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId


class SetSourceTags(msgspec.Struct, frozen=True, kw_only=True):
    """Instead of those that there were."""

    source_id: RowId
    tags: Annotated[list[Tag], Meta(max_length=50)]


class SourceTags(msgspec.Struct, frozen=True, kw_only=True):
    """Sorted, each once. Datasets are found by the tags of their source, too."""

    source_id: RowId
    tags: list[str]


async def start_discovery(context: Context, request: DiscoverSource) -> DiscoveryRun:
    source = await require_source(context, request.source_id, Permission.WRITE)
    run_id = f"run:{source.workspace_id}:{secrets.token_hex(12)}"
    async with context.parts.database.write() as connection:
        run, _ = await context.parts.runs.add(
            connection,
            run_id,
            JOB,
            {"source_id": source.id},
            workspace_id=source.workspace_id,
            created_by=context.user.user_id,
        )
        details = {"run_id": run.id, "source": source.name}
        await record(connection, context, "data_sources.discover", str(source.id), details)
    context.parts.runs.tell()
    return DiscoveryRun(
        run_id=run.id, job=JOB, source_id=source.id, workspace_id=source.workspace_id, created_at=run.created_at
    )


async def discover_source(run: Run, arguments: DiscoverArguments) -> Discovery:
    """The job."""
    return await run.step(_discovered, run, arguments.source_id)


async def _discovered(run: Run, source_id: int) -> Discovery:
    async with run.parts.database.read() as connection:
        source = await data_sources.get(connection, source_id)
    if source is None or source.workspace_id != run.workspace_id:
        raise StepFailed(f"The workspace has no data source {source_id}.", code="not_found")
    run.tell(0, None, f"Looking into {source.name}.")
    with answering_for_source():
        discovery = await discover(run.parts, source, by=run.created_by)
    run.tell(discovery.datasets, discovery.datasets)
    return discovery


async def get_source_catalog(context: Context, request: GetSourceCatalog) -> SourceCatalog:
    source = await require_source(context, request.source_id, Permission.READ)
    after = decode_cursor("source_catalog", request.cursor, tuple[str, int])
    wanted = Wanted(source_id=source.id, missing=request.missing)
    async with context.parts.database.read() as connection:
        hits = await catalog_search.find(
            connection, source.workspace_id, wanted, sort="name", after=after, limit=request.limit + 1
        )
        rows = [hit.dataset for hit in hits[: request.limit]]
        shown = await shown_in_list(connection, rows, {source.id: source.name})
        state = await catalog.state_of(connection, source.id)
        version = await schema_versions.last(connection, source.id)
        everything = await catalog.counts_of_source(connection, source.id)
        failed = await catalog.failed_of_source(connection, source.id, limit=100)
        tags = await catalog_labels.source_tags(connection, source.id)
    is_more = len(hits) > request.limit
    return SourceCatalog(
        source_id=source.id,
        source=source.name,
        workspace_id=source.workspace_id,
        discovered_at=state.discovered_at if state else None,
        version=version.number if version else None,
        tags=tags,
        counts={DatasetKind(kind): count for (kind, is_missing), count in everything.items() if not is_missing},
        missing=sum(count for (_, is_missing), count in everything.items() if is_missing),
        failed=[
            FailedSummary(
                dataset_id=row.id,
                name=row.full_name,
                error=DatasetError(code=row.error_code or "", message=row.error_message or ""),
            )
            for row in failed
        ],
        datasets=[shown[row.id] for row in rows],
        next_cursor=encode_cursor("source_catalog", (rows[-1].name, rows[-1].id)) if is_more else None,
    )


async def get_source_tags(context: Context, request: GetSourceTags) -> SourceTags:
    source = await require_source(context, request.source_id, Permission.READ)
    async with context.parts.database.read() as connection:
        tags = await catalog_labels.source_tags(connection, source.id)
    return SourceTags(source_id=source.id, tags=tags)


async def set_source_tags(context: Context, request: SetSourceTags) -> SourceTags:
    source = await require_source(context, request.source_id, Permission.WRITE)
    async with context.parts.database.write() as connection:
        await require_source_policies_kept(context, connection, source, request.tags)
        await catalog_labels.set_source_tags(connection, source.id, request.tags)
        tags = await catalog_labels.source_tags(connection, source.id)
        await record(connection, context, "data_sources.tags.set", str(source.id), {"tags": tags})
    return SourceTags(source_id=source.id, tags=tags)


JOBS = (
    Job(
        JOB,
        DiscoverArguments,
        discover_source,
        "Look up what a data source holds, and store it in the catalog.",
        Permission.WRITE,
    ),
)

OPERATIONS = (
    Operation(
        "data_sources.discover",
        DiscoverSource,
        DiscoveryRun,
        start_discovery,
        "POST /data-sources/{source_id}/discover",
        Permission.SIGNED_IN,
        "Look up what a data source holds, and store it in the catalog.",
        status=202,
        errors=(Forbidden,),
    ),
    Operation(
        "data_sources.catalog",
        GetSourceCatalog,
        SourceCatalog,
        get_source_catalog,
        "GET /data-sources/{source_id}/catalog",
        Permission.SIGNED_IN,
        "Get what the catalog holds of a data source.",
        errors=(Forbidden,),
    ),
    Operation(
        "data_sources.tags.get",
        GetSourceTags,
        SourceTags,
        get_source_tags,
        "GET /data-sources/{source_id}/tags",
        Permission.SIGNED_IN,
        "Get the tags of a data source.",
        errors=(Forbidden,),
    ),
    Operation(
        "data_sources.tags.set",
        SetSourceTags,
        SourceTags,
        set_source_tags,
        "PUT /data-sources/{source_id}/tags",
        Permission.SIGNED_IN,
        "Set the tags of a data source.",
        errors=(Forbidden,),
    ),
)

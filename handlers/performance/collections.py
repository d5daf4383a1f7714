"""Which sources are collected from and how, and how the visits go."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from connectors.performance.figures import Unsupported
from handlers.audit_trail import record
from handlers.outgoing import NotAllowed
from handlers.paging import decode_cursor, page_of
from handlers.performance.collected_source import READ_KINDS
from handlers.performance.collecting import TOPIC
from handlers.performance.collection_settings import (
    CollectionSettings,
    ExporterCredentials,
    opened,
    sealed,
    settings_of,
)
from handlers.performance.collection_shapes import (
    CannotTell,
    CollectionState,
    DataSourceId,
    GetCollection,
    ListCollections,
    UpdateCollection,
)
from handlers.performance.pacing import BREAKS_AFTER, State
from handlers.performance.visit_memory import unsupported_of
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    InvalidRequest,
    Operation,
    Page,
    Permission,
    Watched,
)
from handlers.source_access import require_source
from storage import data_sources, metric_collections, users
from storage.data_sources import DataSource
from storage.metric_collections import Collection, Visits
from storage.sealing import WrongKey

PATH = "/performance/collections"
ONE = PATH + "/{data_source_id}"


async def list_collections(context: Context, request: ListCollections) -> Page[CollectionState]:
    after = decode_cursor("collections", request.cursor, DataSourceId)
    async with context.parts.database.read() as connection:
        rows = await data_sources.list_of(connection, request.workspace_id, after=after, limit=request.limit + 1)
        ids = [row.id for row in rows]
        collections = await metric_collections.get_many(connection, ids)
        visits = await metric_collections.visits(connection, ids)
    return page_of(
        rows,
        request.limit,
        "collections",
        key=lambda row: row.id,
        item=lambda row: _shown(context, row, collections.get(row.id), visits.get(row.id)),
    )


async def get_collection(context: Context, request: GetCollection) -> CollectionState:
    return await _get(context, await require_source(context, request.data_source_id, Permission.READ))


async def update_collection(context: Context, request: UpdateCollection) -> CollectionState:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    user_id, now = context.user.user_id, context.now()
    async with context.parts.database.write() as connection:
        before = await metric_collections.get(connection, source.id)
        changed = _changed(context, request, before)
        if changed["enabled"] and source.kind not in READ_KINDS and changed["credentials"] is None:
            raise Conflict(
                f"A source of the kind {source.kind!r} tells nothing of itself; name an exporter, or push its figures.",
                code="nothing_to_collect",
            )
        await users.ensure(connection, user_id, at=now)
        after = Collection(source_id=source.id, updated_by=user_id, updated_at=now, **changed)
        await metric_collections.put(connection, after)
        names = [
            name for name in ("enabled", "preset", "statements", "capacity_bytes", "exporter_url", "exporter_token")
            if getattr(request, name) is not UNSET
        ]  # fmt: skip
        await record(connection, context, "metrics.collections.update", str(source.id), {"changed": names})
    context.parts.changes.tell(TOPIC, source.workspace_id)
    return await _get(context, source)


def _changed(context: Context, request: UpdateCollection, before: Collection | None) -> dict[str, Any]:
    """The columns as they are to be."""
    old = settings_of(before) if before is not None else CollectionSettings()
    given = {name: getattr(request, name) for name in ("preset", "statements", "capacity_bytes")}
    settings = msgspec.structs.replace(old, **{name: value for name, value in given.items() if value is not UNSET})
    enabled = before is not None and before.enabled
    columns: dict[str, Any] = {
        "enabled": enabled if request.enabled is UNSET else request.enabled,
        "settings": msgspec.to_builtins(settings),
        "credentials": before.credentials if before is not None else None,
        "key_id": before.key_id if before is not None else None,
    }
    if request.exporter_url is not UNSET or request.exporter_token is not UNSET:
        exporter = _exporter(context, request, before)
        columns |= sealed(context.parts.sources.sealer, request.data_source_id, exporter)
    return columns


def _exporter(context: Context, request: UpdateCollection, before: Collection | None) -> ExporterCredentials | None:
    try:
        old = opened(context.parts.sources.sealer, before) if before is not None else None
    except WrongKey:
        old = None
    url = (old.url if old is not None else None) if request.exporter_url is UNSET else request.exporter_url
    if url is None:
        if request.exporter_token is not UNSET and request.exporter_token is not None:
            raise InvalidRequest("A token is for an exporter; give its exporter_url as well.")
        return None
    try:
        context.parts.outgoing.http.policy.check_url(url)
    except NotAllowed as error:
        raise InvalidRequest(f"The exporter cannot be asked: {error}", details={"parameter": "exporter_url"}) from None
    token = request.exporter_token
    if token is UNSET:
        token = old.token if old is not None and old.url == url else None
    return ExporterCredentials(url=url, token=token)


async def _get(context: Context, source: DataSource) -> CollectionState:
    async with context.parts.database.read() as connection:
        collection = await metric_collections.get(connection, source.id)
        visits = await metric_collections.visits(connection, [source.id])
    return _shown(context, source, collection, visits.get(source.id))


def _shown(
    context: Context, source: DataSource, collection: Collection | None, visits: Visits | None
) -> CollectionState:
    settings = settings_of(collection) if collection is not None else CollectionSettings()
    enabled = collection is not None and collection.enabled
    told = [_cannot_tell(each) for each in unsupported_of(visits)] if visits is not None else []
    remedies = list(dict.fromkeys(each.remedy for each in told if each.remedy is not None))
    return CollectionState(
        data_source_id=source.id,
        name=source.name,
        kind=source.kind,
        enabled=enabled,
        preset=settings.preset,
        fast_seconds=settings.intervals.fast,
        medium_seconds=settings.intervals.medium,
        slow_seconds=settings.intervals.slow,
        statements=settings.statements,
        capacity_bytes=settings.capacity_bytes,
        exporter=_host(context, collection),
        state=_state(visits) if enabled else "off",
        last_visit_at=visits.visited_at if visits is not None else None,
        last_success_at=visits.succeeded_at if visits is not None else None,
        visit_seconds=visits.seconds if visits is not None else None,
        failures=visits.failures if visits is not None else 0,
        error=visits.error if visits is not None else None,
        cannot_tell=told,
        grant_script="\n".join(remedies) if remedies else None,
        updated_at=collection.updated_at if collection is not None else None,
        updated_by=collection.updated_by if collection is not None else None,
    )


def _cannot_tell(told: Unsupported) -> CannotTell:
    return CannotTell(what=told.what, reason=told.reason, remedy=told.remedy)


def _state(visits: Visits | None) -> State:
    if visits is None:
        return State.WAITING
    if visits.failures >= BREAKS_AFTER:
        return State.PAUSED
    return State.FAILING if visits.failures else State.WORKING


def _host(context: Context, collection: Collection | None) -> str | None:
    if collection is None:
        return None
    try:
        exporter = opened(context.parts.sources.sealer, collection)
    except WrongKey:
        return "(sealed with another key)"
    return urlsplit(exporter.url).hostname if exporter is not None else None


_PASSING = frozenset({"last_visit_at", "last_success_at", "visit_seconds"})

OPERATIONS = (
    Operation(
        "metrics.collections.list",
        ListCollections,
        Page[CollectionState],
        list_collections,
        f"GET {PATH}",
        Permission.READ,
        "List how the workspace's data sources are collected from.",
        watched=Watched(frozenset({TOPIC, "data_sources"}), passing=_PASSING),
    ),
    Operation(
        "metrics.collections.get",
        GetCollection,
        CollectionState,
        get_collection,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Tell how a data source is collected from.",
        errors=(Forbidden,),
        watched=Watched(frozenset({TOPIC, "data_sources"}), passing=_PASSING, is_personal=True),
    ),
    Operation(
        "metrics.collections.update",
        UpdateCollection,
        CollectionState,
        update_collection,
        f"PATCH {ONE}",
        Permission.SIGNED_IN,
        "Collect from a data source, or change how.",
        errors=(Forbidden, Conflict),
    ),
)

"""Data sources: registered in a workspace, with a password that goes in and never comes out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.datasets import Kind
from handlers.audit_trail import record
from handlers.names import RowId, Title, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    Instant,
    InvalidRequest,
    NotFound,
    Operation,
    Page,
    Permission,
)
from handlers.source_access import no_source, require_source
from handlers.source_connections import purpose_of
from handlers.sources.options import ADDRESS, SourceOptions, require_path, stored_options
from storage import data_sources, users
from storage.errors import AlreadyExists, BrokenReference

Text = Annotated[str, Meta(max_length=2000, pattern=r"^[^\x00]*$(?!\n)")]
Password = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00]+$(?!\n)")]


class LastTest(msgspec.Struct, frozen=True, kw_only=True):
    """How the last test went: with `ok` what the server says of itself, else what failed."""

    ok: bool
    tested_at: Instant
    code: str | None = None
    message: str | None = None
    server: str | None = None
    latency_ms: float | None = None
    rights: list[str] = []
    warnings: list[str] = []


class DataSource(msgspec.Struct, frozen=True, kw_only=True):
    """A database or a set of files that is governed. `has_password`: there is one, which nobody is shown."""

    id: RowId
    workspace_id: WorkspaceId
    name: str
    kind: Kind
    description: str | None
    settings: SourceOptions
    has_password: bool
    owner: str
    created_at: Instant
    updated_at: Instant
    last_test: LastTest | None


class ListSources(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"
    kind: Kind | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateSource(msgspec.Struct, frozen=True, kw_only=True):
    """Registers a source without reaching for it: test it then."""

    workspace_id: WorkspaceId = "default"
    name: Title
    kind: Kind
    settings: SourceOptions = SourceOptions()
    password: Password | None = None
    description: Text | None = None


class GetSource(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId


class UpdateSource(msgspec.Struct, frozen=True, kw_only=True):
    """What is given changes; `settings` are replaced as a whole.

    A stored password goes only where it was given for: with another host, port, user or TLS it has to be given again.
    """

    source_id: RowId
    name: Title | UnsetType = UNSET
    settings: SourceOptions | UnsetType = UNSET
    password: Password | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET


class DeleteSource(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of it is hidden, its password forgotten; the source itself is not touched."""

    source_id: RowId


async def list_sources(context: Context, request: ListSources) -> Page[DataSource]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    after = decode_cursor("data_sources", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await data_sources.list_of(
            connection, request.workspace_id, kind=request.kind, after=after, limit=request.limit + 1
        )
    return page_of(rows, request.limit, "data_sources", key=lambda row: row.id, item=shown)


async def create_source(context: Context, request: CreateSource) -> DataSource:
    await context.parts.access.require(context.principal, Permission.MANAGE, request.workspace_id)
    settings = stored_options(request.kind, request.settings)
    await require_path(context, request.kind, settings)
    user_id, now = context.user.user_id, context.now()
    async with context.parts.database.write() as connection:
        await users.ensure(connection, user_id, at=now)
        try:
            created = await data_sources.create(
                connection,
                workspace_id=request.workspace_id,
                name=request.name,
                kind=request.kind,
                description=request.description,
                settings=settings,
                owner=user_id,
                at=now,
            )
        except AlreadyExists:
            raise _taken(request.name) from None
        if request.password is not None:
            created = await _set(connection, created.id, now, _sealed(context, created.id, request.password))
        details = {"workspace_id": created.workspace_id, "name": created.name, "kind": created.kind}
        await record(connection, context, "data_sources.create", str(created.id), details)
    return shown(created)


async def get_source(context: Context, request: GetSource) -> DataSource:
    return shown(await require_source(context, request.source_id, Permission.READ))


async def update_source(context: Context, request: UpdateSource) -> DataSource:
    before = await require_source(context, request.source_id, Permission.MANAGE)
    values = await _changes(context, request, before)
    if not values:
        return shown(before)
    async with context.parts.database.write() as connection:
        changed = await _set(connection, request.source_id, context.now(), values)
        details = {"changed": sorted({"password" if name == "key_id" else name for name in values} - {"credentials"})}
        await record(connection, context, "data_sources.update", str(changed.id), details)
    context.parts.sources.forget(request.source_id)
    return shown(changed)


async def delete_source(context: Context, request: DeleteSource) -> None:
    source = await require_source(context, request.source_id, Permission.MANAGE)
    async with context.parts.database.write() as connection:
        if not await data_sources.delete(connection, request.source_id, at=context.now()):
            raise no_source(request.source_id)
        details = {"workspace_id": source.workspace_id, "name": source.name}
        await record(connection, context, "data_sources.delete", str(source.id), details)
    context.parts.sources.forget(request.source_id)


async def _changes(context: Context, request: UpdateSource, before: data_sources.DataSource) -> dict[str, Any]:
    """The columns that an update sets."""
    values: dict[str, Any] = {}
    if request.name is not UNSET:
        values["name"] = request.name
    if request.description is not UNSET:
        values["description"] = request.description
    if request.settings is not UNSET:
        kind = Kind(before.kind)
        values["settings"] = stored_options(kind, request.settings)
        await require_path(context, kind, values["settings"])
        _keep_password_home(request, before, values["settings"])
    if request.password is None:
        values |= {"credentials": None, "key_id": None}
    elif request.password is not UNSET:
        values |= _sealed(context, before.id, request.password)
    return values


def _keep_password_home(request: UpdateSource, before: data_sources.DataSource, settings: dict[str, Any]) -> None:
    moved = [name for name in ADDRESS if before.settings.get(name) != settings.get(name)]
    if moved and before.credentials is not None and request.password is UNSET:
        raise InvalidRequest(
            f"The {moved[0]} changes, so give the password again: the stored one is for the former.",
            code="password_needed",
            details={"parameter": "password", "changed": moved},
        )


def _sealed(context: Context, source_id: int, password: str) -> dict[str, Any]:
    sealer = context.parts.sources.sealer
    secret = msgspec.json.encode({"password": password})
    return {"credentials": sealer.seal(secret, purpose_of(source_id)), "key_id": sealer.key_id}


async def _set(
    connection: AsyncConnection, source_id: int, at: datetime, values: dict[str, Any]
) -> data_sources.DataSource:
    try:
        changed = await data_sources.change(connection, source_id, at=at, **values)
    except (AlreadyExists, BrokenReference):
        raise _taken(str(values.get("name"))) from None
    if changed is None:
        raise no_source(source_id)
    return changed


def shown(row: data_sources.DataSource) -> DataSource:
    """A source as clients see it."""
    tested = row.last_test
    return DataSource(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        kind=Kind(row.kind),
        description=row.description,
        settings=msgspec.convert(row.settings, SourceOptions),
        has_password=row.credentials is not None,
        owner=row.owner,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_test=msgspec.convert({**tested, "tested_at": row.tested_at}, LastTest) if tested is not None else None,
    )


def _taken(name: str) -> Conflict:
    return Conflict(f"The workspace has a data source {name!r} already.", code="data_source_exists")


OPERATIONS = (
    Operation(
        "data_sources.list",
        ListSources,
        Page[DataSource],
        list_sources,
        "GET /data-sources",
        Permission.SIGNED_IN,
        "List the data sources of a workspace.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "data_sources.create",
        CreateSource,
        DataSource,
        create_source,
        "POST /data-sources",
        Permission.SIGNED_IN,
        "Register a data source.",
        status=201,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "data_sources.get",
        GetSource,
        DataSource,
        get_source,
        "GET /data-sources/{source_id}",
        Permission.SIGNED_IN,
        "Get a data source.",
        errors=(Forbidden,),
    ),
    Operation(
        "data_sources.update",
        UpdateSource,
        DataSource,
        update_source,
        "PATCH /data-sources/{source_id}",
        Permission.SIGNED_IN,
        "Change a data source.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "data_sources.delete",
        DeleteSource,
        None,
        delete_source,
        "DELETE /data-sources/{source_id}",
        Permission.SIGNED_IN,
        "Delete a data source.",
        status=204,
        errors=(Forbidden,),
    ),
)

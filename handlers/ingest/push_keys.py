"""Push keys: a secret that may do one thing, push samples to one data source, and may stand in a sender's settings."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.audit_trail import record
from handlers.credentials import fingerprint, new_push_key, shown_part
from handlers.names import RowId, Title
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from handlers.source_access import require_source
from handlers.standing import PUSH_KEYS
from storage import push_keys

# One a sender, and some that are being replaced.
MOST_KEYS = 100


class PushKey(msgspec.Struct, frozen=True, kw_only=True):
    """A push key without its secret; `prefix` is how it begins."""

    id: RowId
    data_source_id: RowId
    name: str
    prefix: str
    created_by: str
    created_at: Instant
    revoked_at: Instant | None
    last_used_at: Instant | None


class NewPushKey(msgspec.Struct, frozen=True, kw_only=True):
    """`secret` is shown this once: the server keeps only its fingerprint."""

    key: PushKey
    secret: str


class CreatePushKey(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever holds the key may push samples to this source until it is revoked, and can do nothing else."""

    data_source_id: RowId
    name: Title


class ListPushKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Revoked ones too."""

    data_source_id: RowId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class RevokePushKey(msgspec.Struct, frozen=True, kw_only=True):
    """From now on it is refused, by all nodes after a second at most. To revoke it once more changes nothing."""

    data_source_id: RowId
    key_id: RowId


async def create_push_key(context: Context, request: CreatePushKey) -> NewPushKey:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    secret = new_push_key()
    async with context.parts.database.write() as connection:
        await _require_room(connection, source.id)
        row = await push_keys.create(
            connection,
            source.id,
            name=request.name,
            fingerprint=fingerprint(secret),
            prefix=shown_part(secret),
            by=context.user.user_id,
            at=context.now(),
        )
        details = {"key": row.id, "name": row.name, "workspace_id": source.workspace_id}
        await record(connection, context, "push_keys.create", str(source.id), details)
    return NewPushKey(key=_shown(row), secret=secret)


async def _require_room(connection: AsyncConnection, source_id: int) -> None:
    if await push_keys.count_valid(connection, source_id) >= MOST_KEYS:
        raise Conflict(
            f"The data source has {MOST_KEYS} valid push keys, which is the limit; revoke one.",
            code="too_many_keys",
            details={"limit": MOST_KEYS},
        )


async def list_push_keys(context: Context, request: ListPushKeys) -> Page[PushKey]:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    after = decode_cursor("push_keys", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await push_keys.list_of(connection, source.id, after=after, limit=request.limit + 1)
    return page_of(rows, request.limit, "push_keys", key=lambda row: row.id, item=_shown)


async def revoke_push_key(context: Context, request: RevokePushKey) -> None:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    async with context.parts.database.write() as connection:
        row = await push_keys.revoke(connection, source.id, request.key_id, at=context.now())
        if row is None and not await push_keys.has(connection, source.id, request.key_id):
            raise NotFound(f"The data source {source.id} has no push key {request.key_id}.")
        if row is not None:
            details = {"key": row.id, "name": row.name, "workspace_id": source.workspace_id}
            await record(connection, context, "push_keys.revoke", str(source.id), details)
    context.parts.access.invalidate(user_id=PUSH_KEYS)


def _shown(row: push_keys.PushKey) -> PushKey:
    return PushKey(
        id=row.id,
        data_source_id=row.source_id,
        name=row.name,
        prefix=row.prefix,
        created_by=row.created_by,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


OPERATIONS = (
    Operation(
        "push_keys.create",
        CreatePushKey,
        NewPushKey,
        create_push_key,
        "POST /performance/sources/{data_source_id}/push-keys",
        Permission.SIGNED_IN,
        "Make a key that may push samples to a data source.",
        status=201,
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "push_keys.list",
        ListPushKeys,
        Page[PushKey],
        list_push_keys,
        "GET /performance/sources/{data_source_id}/push-keys",
        Permission.SIGNED_IN,
        "List the push keys of a data source.",
        errors=(Forbidden,),
    ),
    Operation(
        "push_keys.revoke",
        RevokePushKey,
        None,
        revoke_push_key,
        "DELETE /performance/sources/{data_source_id}/push-keys/{key_id}",
        Permission.SIGNED_IN,
        "Revoke a push key.",
        status=204,
        errors=(Forbidden,),
    ),
)

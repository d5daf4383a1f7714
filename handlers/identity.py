"""Who people and services are to the server: users, the keys they hold, and tickets to open a socket with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.audit_trail import record
from handlers.credentials import fingerprint, new_api_key, new_ticket, shown_part
from handlers.names import RowId, Title, UserId
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
from handlers.scopes import Scope, decode, encode
from storage import api_keys, tickets, users

# Who holds no more than a key or a ticket must not make others that outlive it.
_MAY_MAKE_KEYS = ("token", "cli")
_MAY_MAKE_TICKETS = ("token", "cli", "api_key")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who signs in, or a service that does."""

    id: str
    display_name: str
    is_admin: bool
    is_active: bool
    created_at: Instant


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is; `via` says by what kind of credential, `expires_at` when that ends, `scope` what it is for."""

    id: str
    display_name: str
    is_admin: bool
    via: str
    expires_at: Instant | None
    scope: Scope | None


class GetMe(msgspec.Struct, frozen=True, kw_only=True):
    pass


class ListUsers(msgspec.Struct, frozen=True, kw_only=True):
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class NameUser(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UserId


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key without its secret; `prefix` is how it begins, `scope` null if it may all that its user may.

    The secret that it had before it was rotated holds until `previous_until`.
    """

    id: int
    name: str
    user_id: str
    prefix: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None
    scope: Scope | None
    rotated_at: Instant | None
    previous_until: Instant | None


class NewApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """`secret` is shown this once: the server keeps only its fingerprint."""

    key: ApiKey
    secret: str


class CreateApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key acts as its user, as far as its scope goes: all that its user may, unless given.

    Server administrators make keys for others too, and so make users for services.
    """

    name: Title
    user_id: UserId | None = None
    expires_at: Annotated[Instant, Meta(description="Never, unless given.")] | None = None
    scope: Scope | None = None


class RotateApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """The secret that it has holds for so many seconds more, while it is replaced where it is used."""

    key_id: RowId
    overlap_seconds: Annotated[int, Meta(ge=0, le=7 * 86400)] = 0


class ListApiKeys(msgspec.Struct, frozen=True, kw_only=True):
    """One's own keys, revoked ones too; server administrators may name another user."""

    user_id: UserId | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class RevokeApiKey(msgspec.Struct, frozen=True, kw_only=True):
    key_id: RowId


class CreateTicket(msgspec.Struct, frozen=True, kw_only=True):
    """For clients that can only put a secret into an address, such as a browser's WebSocket: `?ticket=`."""


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Lets its user in once, until `expires_at`."""

    ticket: str
    expires_at: Instant


async def get_me(context: Context, _: GetMe) -> Me:
    user = context.user
    async with context.parts.database.read() as connection:
        row = await users.get(connection, user.user_id)
    return Me(
        id=user.user_id,
        display_name=row.display_name if row else user.user_id,
        is_admin=user.is_admin,
        via=user.via,
        expires_at=user.expires_at,
        scope=user.scope,
    )


async def list_users(context: Context, request: ListUsers) -> Page[User]:
    after = decode_cursor("users", request.cursor, UserId)
    async with context.parts.database.read() as connection:
        rows = await users.list_all(connection, after=after, limit=request.limit + 1)
    return page_of(rows, request.limit, "users", key=lambda row: row.id, item=_shown_user)


async def deactivate_user(context: Context, request: NameUser) -> User:
    if request.user_id == context.user.user_id:
        raise Conflict("You cannot deactivate yourself.", code="yourself")
    return await _set_active(context, request.user_id, "users.deactivate", is_active=False)


async def activate_user(context: Context, request: NameUser) -> User:
    return await _set_active(context, request.user_id, "users.activate", is_active=True)


async def _set_active(context: Context, user_id: str, action: str, *, is_active: bool) -> User:
    async with context.parts.database.write() as connection:
        row = await users.change(connection, user_id, is_active=is_active)
        if row is None:
            raise NotFound(f"There is no user {user_id!r}.", code="unknown_user")
        await record(connection, context, action, user_id)
    context.parts.access.invalidate(user_id=user_id)
    return _shown_user(row)


async def create_api_key(context: Context, request: CreateApiKey) -> NewApiKey:
    caller, now = context.user, context.now()
    _require_via(context, _MAY_MAKE_KEYS, "An API key is made by somebody who signed in with a token.")
    user_id = request.user_id or caller.user_id
    if user_id != caller.user_id and not caller.is_admin:
        raise Forbidden("Only a server administrator makes keys for others.")
    if request.expires_at is not None and request.expires_at <= now:
        raise InvalidRequest("expires_at is over already.", details={"parameter": "expires_at"})
    secret = new_api_key()
    async with context.parts.database.write() as connection:
        await users.ensure(connection, user_id, at=now)
        await _require_room_for_a_key(connection, context, user_id)
        row = await api_keys.create(
            connection,
            name=request.name,
            user_id=user_id,
            fingerprint=fingerprint(secret),
            prefix=shown_part(secret),
            at=now,
            expires_at=request.expires_at,
            scope=encode(request.scope),
        )
        details = {"user": user_id, "name": row.name, "scope": msgspec.to_builtins(request.scope)}
        await record(connection, context, "api_keys.create", str(row.id), details)
    return NewApiKey(key=_shown_key(row), secret=secret)


async def _require_room_for_a_key(connection: AsyncConnection, context: Context, user_id: str) -> None:
    limit, now = context.parts.limits.api_keys_per_user, context.now()
    valid = 0
    async for key in _all_keys(connection, user_id):
        valid += key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
    if valid >= limit:
        raise Conflict(
            f"{user_id} has {limit} valid keys, which is the limit; revoke one.",
            code="too_many_keys",
            details={"limit": limit},
        )


async def _all_keys(connection: AsyncConnection, user_id: str) -> AsyncIterator[api_keys.ApiKey]:
    after = None
    while rows := await api_keys.list_of(connection, user_id, after=after, limit=MAX_ITEMS):
        for row in rows:
            yield row
        after = rows[-1].id


async def list_api_keys(context: Context, request: ListApiKeys) -> Page[ApiKey]:
    user_id = request.user_id or context.user.user_id
    if user_id != context.user.user_id and not context.user.is_admin:
        raise Forbidden("Only a server administrator sees others' keys.")
    after = decode_cursor("api_keys", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await api_keys.list_of(connection, user_id, after=after, limit=request.limit + 1)
    return page_of(rows, request.limit, "api_keys", key=lambda row: row.id, item=_shown_key)


async def rotate_api_key(context: Context, request: RotateApiKey) -> NewApiKey:
    now, secret = context.now(), new_api_key()
    _require_via(context, _MAY_MAKE_KEYS, "An API key is rotated by somebody who signed in with a token.")
    previous_until = now + timedelta(seconds=request.overlap_seconds)
    async with context.parts.database.write() as connection:
        seen = await _own_key(connection, context, request.key_id)
        row = await api_keys.rotate(
            connection,
            seen.id,
            fingerprint=fingerprint(secret),
            prefix=shown_part(secret),
            at=now,
            previous_until=previous_until,
        )
        if row is None:
            raise Conflict(f"The API key {seen.id} is revoked or has expired; make another.", code="key_ended")
        details = {"user": row.user_id, "name": row.name, "overlap_seconds": request.overlap_seconds}
        await record(connection, context, "api_keys.rotate", str(row.id), details)
    context.parts.access.invalidate(user_id=row.user_id)
    return NewApiKey(key=_shown_key(row), secret=secret)


async def _own_key(connection: AsyncConnection, context: Context, key_id: int) -> api_keys.ApiKey:
    row = await api_keys.get(connection, key_id)
    if row is None or not (context.user.is_admin or row.user_id == context.user.user_id):
        raise NotFound(f"You have no API key {key_id}.")
    return row


async def revoke_api_key(context: Context, request: RevokeApiKey) -> None:
    async with context.parts.database.write() as connection:
        row = await _own_key(connection, context, request.key_id)
        if await api_keys.revoke(connection, request.key_id, at=context.now()):
            await record(connection, context, "api_keys.revoke", str(row.id), {"user": row.user_id, "name": row.name})
    context.parts.access.invalidate(user_id=row.user_id)


async def create_ticket(context: Context, _: CreateTicket) -> Ticket:
    _require_via(context, _MAY_MAKE_TICKETS, "A ticket cannot be made with a ticket.")
    user, now = context.user, context.now()
    expires_at = now + timedelta(seconds=context.parts.limits.ticket_seconds)
    if user.expires_at is not None:
        expires_at = min(expires_at, user.expires_at)
    ticket = new_ticket()
    async with context.parts.database.write() as connection:
        await users.ensure(connection, user.user_id, at=now)
        await tickets.purge_expired(connection, at=now)
        await tickets.create(
            connection,
            fingerprint(ticket),
            user.user_id,
            expires_at=expires_at,
            sid=user.sid,
            key_hash=user.key_hash,
        )
    return Ticket(ticket=ticket, expires_at=expires_at)


def _require_via(context: Context, allowed: tuple[str, ...], message: str) -> None:
    if context.user.via not in allowed:
        raise Forbidden(message, code="wrong_credential", details={"via": context.user.via, "needed": list(allowed)})


def _shown_user(row: users.User) -> User:
    return User(
        id=row.id,
        display_name=row.display_name,
        is_admin=row.is_admin,
        is_active=row.is_active,
        created_at=row.created_at,
    )


def _shown_key(row: api_keys.ApiKey) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        user_id=row.user_id,
        prefix=row.prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        scope=decode(row.scope),
        rotated_at=row.rotated_at,
        previous_until=row.previous_until,
    )


OPERATIONS = (
    Operation("users.me", GetMe, Me, get_me, "GET /me", Permission.SIGNED_IN, "Say who the caller is."),
    Operation("users.list", ListUsers, Page[User], list_users, "GET /users", Permission.SERVER_ADMIN, "List users."),
    Operation(
        "users.deactivate",
        NameUser,
        User,
        deactivate_user,
        "POST /users/{user_id}/deactivate",
        Permission.SERVER_ADMIN,
        "Shut a user out, at once and everywhere.",
        errors=(Conflict,),
    ),
    Operation(
        "users.activate",
        NameUser,
        User,
        activate_user,
        "POST /users/{user_id}/activate",
        Permission.SERVER_ADMIN,
        "Let a deactivated user in again.",
    ),
    Operation(
        "api_keys.create",
        CreateApiKey,
        NewApiKey,
        create_api_key,
        "POST /api-keys",
        Permission.SIGNED_IN,
        "Make an API key.",
        status=201,
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "api_keys.list",
        ListApiKeys,
        Page[ApiKey],
        list_api_keys,
        "GET /api-keys",
        Permission.SIGNED_IN,
        "List API keys.",
        errors=(Forbidden,),
    ),
    Operation(
        "api_keys.rotate",
        RotateApiKey,
        NewApiKey,
        rotate_api_key,
        "POST /api-keys/{key_id}/rotate",
        Permission.SIGNED_IN,
        "Give an API key another secret.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "api_keys.revoke",
        RevokeApiKey,
        None,
        revoke_api_key,
        "DELETE /api-keys/{key_id}",
        Permission.SIGNED_IN,
        "Revoke an API key.",
        status=204,
        errors=(Forbidden,),
    ),
    Operation(
        "tickets.create",
        CreateTicket,
        Ticket,
        create_ticket,
        "POST /tickets",
        Permission.SIGNED_IN,
        "Make a single-use ticket.",
        status=201,
        # It changes nothing that lasts; coming in with it is audited as a sign-in.
        audited=False,
        errors=(Forbidden,),
    ),
)

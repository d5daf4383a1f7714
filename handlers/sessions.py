"""Sign-ins: where somebody is signed in, and ending that, at once and on every node."""

from __future__ import annotations

import msgspec

from handlers.audit_trail import record
from handlers.names import RowId, UserId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from storage import sessions, users

# Whoever found a key is not to learn where its owner is signed in, nor to sign them out.
_MAY_LOOK = ("token", "cli")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in, with all tokens that come of it. `opened_by` is the way in, as `console`.

    `last_seen_at`, `address` and `user_agent` are of its last use, known to ten minutes; `is_current` is the one that
    asks.
    """

    id: int
    opened_by: str
    created_at: Instant
    expires_at: Instant
    last_seen_at: Instant | None
    address: str | None
    user_agent: str | None
    is_current: bool


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions were ended."""

    ended: int


class ListSessions(msgspec.Struct, frozen=True, kw_only=True):
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class NameSession(msgspec.Struct, frozen=True, kw_only=True):
    session_id: RowId


class EndOtherSessions(msgspec.Struct, frozen=True, kw_only=True):
    """All but the one that asks."""


class ListSessionsOf(ListSessions, frozen=True, kw_only=True):
    user_id: UserId


class NameSessionOf(NameSession, frozen=True, kw_only=True):
    user_id: UserId


class EndSessionsOf(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UserId


async def list_sessions(context: Context, request: ListSessions) -> Page[Session]:
    _require_sign_in(context)
    return await _page(context, context.user.user_id, request)


async def list_sessions_of(context: Context, request: ListSessionsOf) -> Page[Session]:
    await _require_user(context, request.user_id)
    return await _page(context, request.user_id, request)


async def _page(context: Context, user_id: str, request: ListSessions) -> Page[Session]:
    before = decode_cursor("sessions", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await sessions.list_of(connection, user_id, at=context.now(), before=before, limit=request.limit + 1)
    own = context.user.sid
    return page_of(rows, request.limit, "sessions", key=lambda row: row.id, item=lambda row: _shown(row, own))


async def end_session(context: Context, request: NameSession) -> None:
    _require_sign_in(context)
    await _end(context, "sessions.end", context.user.user_id, request.session_id)


async def end_session_of(context: Context, request: NameSessionOf) -> None:
    await _end(context, "sessions.end_of_user", request.user_id, request.session_id)


async def _end(context: Context, action: str, user_id: str, session_id: int) -> None:
    async with context.parts.database.write() as connection:
        row = await sessions.end(connection, user_id, session_id, at=context.now())
        if row is None:
            raise NotFound(f"{user_id} has no session {session_id}, or it has ended.", code="unknown_session")
        await record(connection, context, action, str(row.id), {"user": user_id})
    context.parts.access.invalidate(user_id=user_id)


async def end_other_sessions(context: Context, _: EndOtherSessions) -> Ended:
    _require_sign_in(context)
    return await _end_all(context, "sessions.end_others", context.user.user_id, context.user.sid)


async def end_sessions_of(context: Context, request: EndSessionsOf) -> Ended:
    await _require_user(context, request.user_id)
    return await _end_all(context, "sessions.end_all_of_user", request.user_id, None)


async def _end_all(context: Context, action: str, user_id: str, but: str | None) -> Ended:
    async with context.parts.database.write() as connection:
        rows = await sessions.end_others(connection, user_id, but, at=context.now())
        if rows:
            details = {"user": user_id, "sessions": [row.id for row in rows]}
            await record(connection, context, action, user_id, details)
    context.parts.access.invalidate(user_id=user_id)
    return Ended(ended=len(rows))


async def _require_user(context: Context, user_id: str) -> None:
    async with context.parts.database.read() as connection:
        if await users.get(connection, user_id) is None:
            raise NotFound(f"There is no user {user_id!r}.", code="unknown_user")


def _require_sign_in(context: Context) -> None:
    via = context.user.via
    if via not in _MAY_LOOK:
        message = "Sessions are for those who signed in with a token."
        raise Forbidden(message, code="wrong_credential", details={"via": via, "needed": list(_MAY_LOOK)})


def _shown(row: sessions.Session, own: str | None) -> Session:
    return Session(
        id=row.id,
        opened_by=row.opened_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_seen_at=row.last_seen_at,
        address=row.address,
        user_agent=row.user_agent,
        is_current=row.sid == own,
    )


OPERATIONS = (
    Operation(
        "sessions.list",
        ListSessions,
        Page[Session],
        list_sessions,
        "GET /me/sessions",
        Permission.SIGNED_IN,
        "List where one is signed in.",
        errors=(Forbidden,),
    ),
    Operation(
        "sessions.end",
        NameSession,
        None,
        end_session,
        "DELETE /me/sessions/{session_id}",
        Permission.SIGNED_IN,
        "Sign out somewhere.",
        status=204,
        errors=(Forbidden,),
    ),
    Operation(
        "sessions.end_others",
        EndOtherSessions,
        Ended,
        end_other_sessions,
        "DELETE /me/sessions",
        Permission.SIGNED_IN,
        "Sign out everywhere else.",
        errors=(Forbidden,),
    ),
    Operation(
        "sessions.list_of_user",
        ListSessionsOf,
        Page[Session],
        list_sessions_of,
        "GET /users/{user_id}/sessions",
        Permission.SERVER_ADMIN,
        "List where a user is signed in.",
    ),
    Operation(
        "sessions.end_of_user",
        NameSessionOf,
        None,
        end_session_of,
        "DELETE /users/{user_id}/sessions/{session_id}",
        Permission.SERVER_ADMIN,
        "Sign a user out somewhere.",
        status=204,
    ),
    Operation(
        "sessions.end_all_of_user",
        EndSessionsOf,
        Ended,
        end_sessions_of,
        "DELETE /users/{user_id}/sessions",
        Permission.SERVER_ADMIN,
        "Sign a user out everywhere.",
    ),
)

"""Who waits for whom at a data source, asked live: a second old at most while somebody watches."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from connectors.performance.figures import Blocking, WaitingSession
from handlers.performance.collection_shapes import CannotTell, DataSourceId
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    Instant,
    InvalidRequest,
    Operation,
    Permission,
    Unavailable,
    Watched,
)
from handlers.source_access import answering_for_source, require_source


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session that waits or is waited for. `blocked_by` is empty for a root: ending it would let others go on.

    `blocks` counts who waits for it, through others as well. `statement` is as it is for who manages the source, and
    without literals for others; null where the account may not see it.
    """

    id: str
    blocked_by: list[str]
    blocks: int
    user: str | None
    database: str | None
    application: str | None
    client: str | None
    state: str | None
    wait: str | None
    lock: str | None
    on: str | None
    waiting_since: Instant | None
    transaction_since: Instant | None
    statement_since: Instant | None
    statement: str | None


class BlockingTree(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that wait and those they wait for, roots first, the one that blocks the most before others."""

    data_source_id: int
    as_of: Instant
    blocked: int
    roots: list[str]
    sessions: list[Session]
    is_normalised: bool
    cannot_tell: list[CannotTell]


class GetBlocking(msgspec.Struct, frozen=True, kw_only=True):
    data_source_id: DataSourceId


async def get_blocking(context: Context, request: GetBlocking) -> BlockingTree:
    source = await require_source(context, request.data_source_id, Permission.READ)
    shows_text = await may_manage(context, source.workspace_id)
    with answering_for_source():
        async with context.parts.sources.monitors.use(source.id) as reader:
            found = await reader.blocking()
    return tree_of(source.id, found, shows_text=shows_text)


async def may_manage(context: Context, workspace_id: str) -> bool:
    """Whether the caller manages the workspace. It is known already that it is a member."""
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, workspace_id)
    except Forbidden:
        return False
    return True


def tree_of(source_id: int, found: Blocking, *, shows_text: bool) -> BlockingTree:
    """As it is shown."""
    waiters: dict[str, set[str]] = {}
    for session in found.sessions:
        for holder in session.blocked_by:
            waiters.setdefault(holder, set()).add(session.id)
    blocks = {session.id: _count(session.id, waiters) for session in found.sessions}
    order = sorted(found.sessions, key=lambda session: (bool(session.blocked_by), -blocks[session.id], session.id))
    return BlockingTree(
        data_source_id=source_id,
        as_of=_instant(found.at_ms) or datetime.now(UTC),
        blocked=sum(bool(session.blocked_by) for session in found.sessions),
        roots=[session.id for session in order if not session.blocked_by],
        sessions=[_session(session, blocks[session.id], shows_text=shows_text) for session in order],
        is_normalised=not shows_text,
        cannot_tell=[CannotTell(what=each.what, reason=each.reason, remedy=each.remedy) for each in found.unsupported],
    )


def _count(root: str, waiters: dict[str, set[str]]) -> int:
    """Who waits for it, through others as well. Some wait for each other, for as long as it takes to notice that."""
    seen: set[str] = set()
    left = [root]
    while left:
        for each in waiters.get(left.pop(), ()):
            if each not in seen:
                seen.add(each)
                left.append(each)
    return len(seen - {root})


def _session(session: WaitingSession, blocks: int, *, shows_text: bool) -> Session:
    return Session(
        id=session.id,
        blocked_by=list(session.blocked_by),
        blocks=blocks,
        user=session.user,
        database=session.database,
        application=session.application,
        client=session.client,
        state=session.state,
        wait=session.wait,
        lock=session.lock,
        on=session.on,
        waiting_since=_instant(session.waiting_since_ms),
        transaction_since=_instant(session.transaction_since_ms),
        statement_since=_instant(session.statement_since_ms),
        statement=session.statement if shows_text else session.normalised,
    )


def _instant(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)


OPERATIONS = (
    Operation(
        "metrics.blocking",
        GetBlocking,
        BlockingTree,
        get_blocking,
        "GET /performance/blocking/{data_source_id}",
        Permission.SIGNED_IN,
        "Tell which sessions of a data source wait for which others.",
        errors=(Forbidden, Conflict, InvalidRequest, Unavailable),
        # Nobody says when somebody begins to wait, so it is asked again each second, which is how often is looked.
        watched=Watched(frozenset({"data_sources"}), refresh_seconds=0.5, pause_seconds=0.5, is_personal=True),
        stops_with_caller=True,
    ),
)

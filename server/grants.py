"""What `collab-studio token` does: a user, perhaps a membership, and a token, also beside a server that is running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.membership_events import tell_role_change
from handlers.names import UserId
from handlers.outbox import Outbox
from server.bootstrap import CONSOLE, note, prepare_first_use, signing_secret
from server.settings import Settings
from server.signing_in import CONSOLE as CONSOLE_SESSION
from server.signing_in import open_session
from server.startup import open_database
from server.tokens import ServerIssuer
from storage import members, users, workspaces


class GrantError(Exception):
    """The token cannot be given; the message is one line."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Who gets a token for how long, and as what in which workspace (both or neither)."""

    user_id: str
    workspace_id: str | None
    role: str | None
    lifetime: timedelta


async def issue_token(settings: Settings, grant: Grant, now: Callable[[], datetime]) -> str:
    """The token. Makes what is missing, the database too. Raises GrantError, StartError."""
    try:
        msgspec.convert(grant.user_id, UserId)
    except msgspec.ValidationError:
        raise GrantError(
            f"{grant.user_id!r} cannot be a user's name; use up to 200 letters without '/' or blanks around them"
        ) from None
    database = await open_database(settings)
    try:
        await prepare_first_use(database, now())
        secret = await signing_secret(database, settings.secret_key)
        async with database.write() as connection:
            at = now()
            await _grant(connection, grant, at)
            issuer = ServerIssuer(secret, now)
            return await open_session(connection, issuer, grant.user_id, grant.lifetime, at, opened_by=CONSOLE_SESSION)
    finally:
        await database.close()


async def _grant(connection: AsyncConnection, grant: Grant, at: datetime) -> None:
    user = await users.get(connection, grant.user_id)
    if user is None:
        await users.ensure(connection, grant.user_id, at=at)
        await note(connection, "users.create", grant.user_id, at, {})
    elif not user.is_active:
        raise GrantError(f"the user {grant.user_id!r} is deactivated, so a token would not let anybody in")
    if grant.workspace_id is not None and grant.role is not None:
        await _put_member(connection, grant.workspace_id, grant.user_id, grant.role, at)
    seconds = int(grant.lifetime.total_seconds())
    await note(connection, "tokens.issue", grant.user_id, at, {"lifetime_seconds": seconds})


async def _put_member(connection: AsyncConnection, workspace_id: str, user_id: str, role: str, at: datetime) -> None:
    if not await workspaces.lock(connection, workspace_id):
        raise GrantError(f"there is no workspace {workspace_id!r}; make it first, or use 'default'")
    before = await members.get(connection, workspace_id, user_id)
    if before is not None and before.role == role:
        return
    await members.put(connection, workspace_id, user_id, role, added_by=CONSOLE, at=at)
    # A running server reads the roles anew of those whose memberships it finds changed in the audit.
    details = {"role": role, "before": before.role if before else None}
    await note(connection, "collaboration.members.put", f"{workspace_id}/{user_id}", at, details)
    outbox = Outbox()
    await tell_role_change(
        connection, outbox, workspace_id, user_id, before.role if before else None, role, actor=CONSOLE
    )
    # Running servers look at the feeds that are watched now and then.
    await outbox.append_to(connection, at)

"""May this user do this here: one answer for HTTP, sockets, feeds and exports alike."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from handlers.names import is_workspace_id
from handlers.registry import (
    WORKSPACE_PERMISSIONS,
    Forbidden,
    NotAuthenticated,
    NotFound,
    Permission,
    Principal,
)
from handlers.shared_cache import SharedCache
from handlers.standing import AuditFollower, Change, change_of
from storage import api_keys, members, sessions, users, workspaces
from storage.bus.channels import Bus
from storage.database import Database
from storage.errors import StorageError

__all__ = ["NEEDED", "ROLES", "Access", "Change", "Role", "allows", "change_of"]

logger = logging.getLogger(__name__)

# The bus's channel on which nodes tell each other to look into the audit trail.
CHANNEL = "access"
# Half of what is promised for a change to reach open connections: the look itself takes milliseconds.
LOOK_SECONDS = 1.0
# However many changes are made at once, the trail is looked at 20 times a second at most.
PAUSE_SECONDS = 0.05


class Role(enum.StrEnum):
    """A member's role in a workspace, weakest first."""

    VIEWER = "viewer"
    COMMENTER = "commenter"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"


ROLES: Final = tuple(Role)

NEEDED: Final = {
    Permission.READ: Role.VIEWER,
    Permission.COMMENT: Role.COMMENTER,
    Permission.WRITE: Role.EDITOR,
    Permission.MANAGE: Role.ADMIN,
    Permission.OWN: Role.OWNER,
}


def allows(role: Role | None, permission: Permission) -> bool:
    """Whether a role in a workspace is enough for a workspace permission. No role is enough for nothing."""
    return role is not None and ROLES.index(role) >= ROLES.index(NEEDED[permission])


# What may be taken back while it is in use: a session, an API key.
Credential = tuple[str | None, bytes | None]


def _credential(principal: Principal) -> Credential | None:
    """What has to stand for the principal to go on; None for what only ends by itself."""
    credential = (principal.sid, principal.key_hash)
    return None if credential == (None, None) else credential


def session_ended(account: str | None = None) -> NotAuthenticated:
    message = "This session has been ended, or its key revoked; sign in again."
    return NotAuthenticated(message, code="session_ended", account=account)


# What a key may count as at most, by the level of its scope.
_MOST: Final = {"read": Role.VIEWER, "write": Role.EDITOR, "manage": Role.ADMIN}


def within_scope(principal: Principal, workspace_id: str, role: Role | None) -> Role | None:
    """The role that is left of a user's own, for a principal that may less than its user."""
    scope = principal.scope
    if scope is None or role is None:
        return role
    return min(role, _MOST[scope.level], key=ROLES.index) if scope.reaches(workspace_id) else None


class _Hints:
    """Wakes whoever follows the audit trail when another node says that there is something new in it."""

    def __init__(self, own: bytes, wake: asyncio.Event) -> None:
        self._own = own
        self._wake = wake

    def received(self, message: bytes) -> None:
        if message != self._own:
            self._wake.set()

    def resumed(self) -> None:
        self._wake.set()


class Access:
    """Roles and standings from memory, read on a miss.

    What another process changed is found in the audit trail by `run`, and told to open connections. Nodes that share
    a `bus` give each other a hint to look at once; without one, or while it is away, they look each second. If not
    even that works, nothing older than `max_age` seconds is believed.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus | None = None,
        *,
        max_age: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._bus = bus
        self._now = now
        self._roles = SharedCache(self._read_role, max_age=max_age, clock=clock)
        self._active = SharedCache(self._read_active, max_age=max_age, clock=clock)
        self._workspaces = SharedCache(self._read_exists, max_age=max_age, clock=clock)
        self._credentials = SharedCache(self._read_stands, max_age=max_age, clock=clock)
        self._listeners: list[Callable[[Change], None]] = []
        self._trail = AuditFollower(database)
        self._look = asyncio.Event()

    async def role_of(self, user_id: str, workspace_id: str) -> Role | None:
        """The user's role in the workspace; None for strangers, deactivated users and workspaces that are not there."""
        if not is_workspace_id(workspace_id) or not await self.is_active(user_id):
            return None
        return await self._roles.get((user_id, workspace_id))

    async def role_for(self, principal: Principal, workspace_id: str) -> Role | None:
        """What the principal counts as in the workspace: a server admin is an owner of every one that exists.

        A key is for no more than its scope.
        """
        if not principal.is_admin:
            return within_scope(principal, workspace_id, await self.role_of(principal.user_id, workspace_id))
        if not is_workspace_id(workspace_id) or not await self.is_active(principal.user_id):
            return None
        return Role.OWNER if await self._workspaces.get(workspace_id) else None

    def peek_role(self, principal: Principal, workspace_id: str) -> Role | None:
        """What `role_for` would answer, if all of it is in memory and fresh; else None, as for no role."""
        if not self._active.peek(principal.user_id):
            return None
        credential = _credential(principal)
        if credential is not None and not self._credentials.peek(credential):
            return None
        if principal.is_admin:
            return Role.OWNER if self._workspaces.peek(workspace_id) else None
        return within_scope(principal, workspace_id, self._roles.peek((principal.user_id, workspace_id)))

    async def is_active(self, user_id: str) -> bool:
        """False once a user is deactivated. A user that was never stored is not deactivated."""
        return await self._active.get(user_id)

    async def require(
        self,
        principal: Principal | None,
        permission: Permission,
        workspace_id: str | None = None,
        *,
        operation: str | None = None,
        changes: bool = False,
    ) -> None:
        """Returns if the principal may, else raises NotAuthenticated, Forbidden or NotFound.

        Whoever has no role in a workspace is told that it is not there, whether or not it is. `operation` is what is
        asked for, `changes` whether it changes something: a key may not be for it. It is None where that was asked
        before, and only what it is done to remains to be looked at.
        """
        if permission is Permission.PUBLIC:
            return
        if principal is None:
            raise NotAuthenticated("Sign in first: send a bearer token.")
        if not await self.is_active(principal.user_id):
            raise NotAuthenticated("This user is deactivated.", code="deactivated")
        credential = _credential(principal)
        if credential is not None and not await self._credentials.get(credential):
            raise session_ended()
        if principal.scope is not None and operation is not None:
            principal.scope.require(operation, changes=changes)
        if permission is Permission.SERVER_ADMIN and not principal.is_admin:
            raise Forbidden("Only a server administrator may do this.")
        if permission in WORKSPACE_PERMISSIONS:
            await self._require_role(principal, permission, workspace_id or "")

    async def _require_role(self, principal: Principal, permission: Permission, workspace_id: str) -> None:
        role = await self.role_for(principal, workspace_id)
        if role is None:
            raise NotFound(f"There is no workspace {workspace_id!r}, or you are not a member of it.")
        if not allows(role, permission):
            needed = NEEDED[permission]
            raise Forbidden(
                f"This needs the role {needed} in {workspace_id!r}; you are {role}.",
                details={"role": str(role), "needed": str(needed)},
            )

    def invalidate(self, workspace_id: str | None = None, user_id: str | None = None) -> None:
        """Call after the commit that changed a membership, a workspace or a user; None means every one."""
        self._forget(Change(workspace_id, user_id))
        # Its row in the trail tells it once more: better now than to those who come back in the meantime.
        self._look.set()
        if self._bus is not None:
            self._bus.publish(CHANNEL, self._bus.node_id.encode())

    def _forget(self, change: Change) -> None:
        self._roles.drop(lambda key: change.concerns(*key))
        self._active.drop(lambda key: change.user_id in (None, key))
        self._workspaces.drop(lambda key: change.workspace_id in (None, key))
        if change.workspace_id is None:
            self._credentials.drop(lambda _: True)
        for listener in tuple(self._listeners):
            listener(change)

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Calls `listener` after each change, until the returned function is called. It must not block or raise."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def refresh(self) -> None:
        """Forgets, and tells the listeners, what changed since the last call, whoever changed it."""
        for change in await self._trail.changes():
            self._forget(change)

    async def begin(self) -> None:
        """Note how far the audit trail goes, before anybody is there.

        The first look at it cannot tell what is new, and puts everybody in doubt who came before it.
        """
        await self._try_to_refresh()

    async def run(self, interval: float = LOOK_SECONDS) -> None:
        """Refreshes until cancelled: at a hint, and each `interval` seconds."""
        if self._bus is None:
            await self._keep_looking(interval)
            return
        hints = _Hints(self._bus.node_id.encode(), self._look)
        self._bus.subscribe(CHANNEL, hints)
        try:
            await self._keep_looking(interval)
        finally:
            self._bus.unsubscribe(CHANNEL, hints)

    async def _keep_looking(self, interval: float) -> None:
        while True:
            self._look.clear()
            await self._try_to_refresh()
            await asyncio.sleep(PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval - PAUSE_SECONDS):
                    await self._look.wait()

    async def _try_to_refresh(self) -> None:
        try:
            await self.refresh()
        except StorageError as error:
            logger.warning("changes of standing could not be looked for, and are a second later: %s", error)

    async def _read_role(self, key: tuple[str, str]) -> Role | None:
        user_id, workspace_id = key
        async with self._database.read() as connection:
            role = await members.role_of(connection, workspace_id, user_id)
        return Role(role) if role is not None else None

    async def _read_active(self, user_id: str) -> bool:
        async with self._database.read() as connection:
            user = await users.get(connection, user_id)
        return user is None or user.is_active

    async def _read_stands(self, credential: Credential) -> bool:
        sid, key_hash = credential
        async with self._database.read() as connection:
            if sid is not None and not await sessions.stands(connection, sid):
                return False
            return key_hash is None or await api_keys.stands(connection, key_hash, at=self._now())

    async def _read_exists(self, workspace_id: str) -> bool:
        async with self._database.read() as connection:
            return await workspaces.get(connection, workspace_id) is not None

"""May this user do this here: one answer for HTTP, sockets, feeds and exports alike."""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from handlers.audit_trail import DONE
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
from storage import audit, members, users, workspaces
from storage.database import Database
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# More than this between two looks is a restore or an import: all is read anew.
_MOST_ROWS = 500


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


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody's standing changed. None means "every": a workspace deleted, a user deactivated."""

    workspace_id: str | None
    user_id: str | None

    def concerns(self, user_id: str, workspace_id: str) -> bool:
        return self.workspace_id in (None, workspace_id) and self.user_id in (None, user_id)


def change_of(entry: audit.Entry) -> Change | None:
    """Whose standing an audited action changed: members of a workspace, a workspace, a user."""
    kind = next((word for word in entry.action.split(".") if word in ("members", "workspaces", "users")), None)
    if entry.outcome != DONE or kind is None:
        return None
    if kind == "members":
        workspace_id, _, user_id = entry.target.partition("/")
        return Change(workspace_id, user_id or None)
    return Change(entry.target, None) if kind == "workspaces" else Change(None, entry.target)


class Access:
    """Roles and standings from memory, read on a miss.

    What another process changed is seen after `max_age` seconds at most; open connections hear of it
    through `refresh`.
    """

    def __init__(
        self, database: Database, *, max_age: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._roles = SharedCache(self._read_role, max_age=max_age, clock=clock)
        self._active = SharedCache(self._read_active, max_age=max_age, clock=clock)
        self._workspaces = SharedCache(self._read_exists, max_age=max_age, clock=clock)
        self._listeners: list[Callable[[Change], None]] = []
        self._seen: int | None = None

    async def role_of(self, user_id: str, workspace_id: str) -> Role | None:
        """The user's role in the workspace; None for strangers, deactivated users and workspaces that are not there."""
        if not is_workspace_id(workspace_id) or not await self.is_active(user_id):
            return None
        return await self._roles.get((user_id, workspace_id))

    async def role_for(self, principal: Principal, workspace_id: str) -> Role | None:
        """What the principal counts as in the workspace: a server admin is an owner of every one that exists."""
        if not principal.is_admin:
            return await self.role_of(principal.user_id, workspace_id)
        if not is_workspace_id(workspace_id) or not await self.is_active(principal.user_id):
            return None
        return Role.OWNER if await self._workspaces.get(workspace_id) else None

    def peek_role(self, principal: Principal, workspace_id: str) -> Role | None:
        """What `role_for` would answer, if all of it is in memory and fresh; else None, as for no role."""
        if not self._active.peek(principal.user_id):
            return None
        if principal.is_admin:
            return Role.OWNER if self._workspaces.peek(workspace_id) else None
        return self._roles.peek((principal.user_id, workspace_id))

    async def is_active(self, user_id: str) -> bool:
        """False once a user is deactivated. A user that was never stored is not deactivated."""
        return await self._active.get(user_id)

    async def require(
        self, principal: Principal | None, permission: Permission, workspace_id: str | None = None
    ) -> None:
        """Returns if the principal may, else raises NotAuthenticated, Forbidden or NotFound.

        Whoever has no role in a workspace is told that it is not there, whether or not it is.
        """
        if permission is Permission.PUBLIC:
            return
        if principal is None:
            raise NotAuthenticated("Sign in first: send a bearer token.")
        if not await self.is_active(principal.user_id):
            raise NotAuthenticated("This user is deactivated.", code="deactivated")
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
        change = Change(workspace_id, user_id)
        self._roles.drop(lambda key: change.concerns(*key))
        self._active.drop(lambda key: change.user_id in (None, key))
        self._workspaces.drop(lambda key: change.workspace_id in (None, key))
        self._tell(change)

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Calls `listener` after each change, until the returned function is called. It must not block or raise."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def refresh(self) -> None:
        """Forgets, and tells the listeners, what others changed since the last call: every change is in the audit."""
        async with self._database.read() as connection:
            head = await audit.head(connection)
            newest = head.id if head else 0
            fresh = 0 if self._seen is None else newest - self._seen
            rows = await audit.read(connection, limit=min(fresh, _MOST_ROWS)) if fresh else []
        self._seen = newest
        if fresh > _MOST_ROWS:
            self.invalidate()
            return
        for change in dict.fromkeys(filter(None, map(change_of, reversed(rows)))):
            self.invalidate(change.workspace_id, change.user_id)

    async def run(self, interval: float = 1.0) -> None:
        """Refreshes until cancelled: what another node or the command line changed reaches open connections."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.refresh()
            except StorageError:
                logger.exception("access could not be refreshed and is tried again")

    def _tell(self, change: Change) -> None:
        for listener in tuple(self._listeners):
            listener(change)

    async def _read_role(self, key: tuple[str, str]) -> Role | None:
        user_id, workspace_id = key
        async with self._database.read() as connection:
            role = await members.role_of(connection, workspace_id, user_id)
        return Role(role) if role is not None else None

    async def _read_active(self, user_id: str) -> bool:
        async with self._database.read() as connection:
            user = await users.get(connection, user_id)
        return user is None or user.is_active

    async def _read_exists(self, workspace_id: str) -> bool:
        async with self._database.read() as connection:
            return await workspaces.get(connection, workspace_id) is not None

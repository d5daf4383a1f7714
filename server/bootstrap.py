"""What a fresh installation gets: a name, the key that signs tokens, the workspace `default`, the user `admin`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from secrets import token_hex, token_urlsafe
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.access import Role
from handlers.audit_trail import DONE
from storage import audit, members, secrets, users, workspaces
from storage.database import Database

SIGNING_KEY = "signing_key"
INSTALLATION = "installation"
FIRST_WORKSPACE = "default"
FIRST_USER = "admin"
# Who acts where no user does: whoever has a shell on the server's machine. The slash keeps users from that name.
CONSOLE = "server/cli"


async def signing_secret(
    database: Database, configured: str | None, generate: Callable[[], str] = lambda: token_urlsafe(48)
) -> str:
    """The configured key, or the one in the database, made if need be: the same for all nodes that ask."""
    if configured is not None:
        return configured
    async with database.write() as connection:
        return (await secrets.get_or_create(connection, SIGNING_KEY, lambda: generate().encode())).decode()


async def installation_name(database: Database, generate: Callable[[], str] = lambda: token_hex(6)) -> str:
    """What tells this database's nodes from those of other databases, where they share a Redis. No secret."""
    async with database.write() as connection:
        return (await secrets.get_or_create(connection, INSTALLATION, lambda: generate().encode())).decode()


async def prepare_first_use(database: Database, at: datetime) -> bool:
    """Makes the first workspace and user where they never were; whether the user was made, so a first start.

    Both stay as they are found, deleted and deactivated ones too.
    """
    async with database.write() as connection:
        # Of nodes that start together all but one wait here, and then find everything made.
        made = await workspaces.ensure(connection, FIRST_WORKSPACE, created_by=FIRST_USER, at=at)
        is_first = await users.get(connection, FIRST_USER) is None
        if is_first:
            await users.ensure(connection, FIRST_USER, at=at, is_admin=True)
            await note(connection, "users.create", FIRST_USER, at, {"is_admin": True})
        if made:
            await members.put(connection, FIRST_WORKSPACE, FIRST_USER, Role.OWNER, added_by=FIRST_USER, at=at)
            await note(connection, "collaboration.workspaces.create", FIRST_WORKSPACE, at, {"owner": FIRST_USER})
    return is_first


async def note(connection: AsyncConnection, action: str, target: str, at: datetime, details: Mapping[str, Any]) -> None:
    """The audit row of something that was done at the server's own console, by whoever may use it."""
    details = {"via": "cli", **details}
    await audit.append(connection, actor=CONSOLE, action=action, target=target, outcome=DONE, details=details, at=at)

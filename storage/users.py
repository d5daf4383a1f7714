"""People and services that sign in. The id is the user's name, and never changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import users
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class User:
    """A row of users."""

    id: str
    display_name: str
    is_admin: bool
    is_active: bool
    created_at: datetime


async def ensure(
    connection: AsyncConnection, user_id: str, *, at: datetime, display_name: str | None = None, is_admin: bool = False
) -> User:
    """The user, made if there was none. One that exists stays as it is."""
    if user := await get(connection, user_id):
        return user
    values = {
        "id": user_id,
        "display_name": display_name or user_id,
        "is_admin": is_admin,
        "is_active": True,
        "created_at": at,
    }
    await connection.execute(insert(connection, users).values(values).on_conflict_do_nothing())
    query = select(users).where(users.c.id == user_id)
    return User(*(await connection.execute(query)).one())


async def create(connection: AsyncConnection, user_id: str, *, at: datetime, display_name: str) -> bool:
    """Whether the user was made: False if the name is taken, also if that was at this very moment."""
    values = {"id": user_id, "display_name": display_name, "is_admin": False, "is_active": True, "created_at": at}
    result = await connection.execute(insert(connection, users).values(values).on_conflict_do_nothing())
    return result.rowcount > 0


async def get(connection: AsyncConnection, user_id: str) -> User | None:
    """The user, None if it was never stored."""
    row = (await connection.execute(select(users).where(users.c.id == user_id))).first()
    return User(*row) if row else None


async def change(
    connection: AsyncConnection,
    user_id: str,
    *,
    display_name: str | None = None,
    is_admin: bool | None = None,
    is_active: bool | None = None,
) -> User | None:
    """Sets what is not None. Returns the user as it is now, None if there is none."""
    given = {"display_name": display_name, "is_admin": is_admin, "is_active": is_active}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not values:
        return await get(connection, user_id)
    statement = update(users).where(users.c.id == user_id).values(values).returning(*users.c)
    row = (await connection.execute(statement)).first()
    return User(*row) if row else None


async def list_all(connection: AsyncConnection, *, after: str | None = None, limit: int) -> list[User]:
    """Users by id; `after` is the last id seen."""
    query = select(users).order_by(users.c.id).limit(limit)
    if after is not None:
        query = query.where(users.c.id > after)
    return [User(*row) for row in await connection.execute(query)]


async def count(connection: AsyncConnection) -> int:
    """How many users are stored, deactivated ones too."""
    return (await connection.execute(select(func.count()).select_from(users))).scalar_one()

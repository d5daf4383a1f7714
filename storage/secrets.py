"""The server's own secrets, made once and shared by all nodes: the key that signs tokens, for example."""

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import secrets
from storage.upsert import insert


async def get(connection: AsyncConnection, name: str) -> bytes | None:
    """The secret, None if it was never made."""
    value: bytes | None = await connection.scalar(select(secrets.c.value).where(secrets.c.name == name))
    return value


async def get_or_create(connection: AsyncConnection, name: str, factory: Callable[[], bytes]) -> bytes:
    """The secret; the factory's if there was none. Of nodes that make it at once, all get that of the first."""
    if (found := await get(connection, name)) is not None:
        return found
    statement = insert(connection, secrets).values({"name": name, "value": factory()})
    await connection.execute(statement.on_conflict_do_nothing())
    made = await get(connection, name)
    assert made is not None
    return made

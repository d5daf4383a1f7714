"""Users."""

from storage import users
from storage.database import Database
from storage.users import User
from tests.storage.opened import NOW, SECOND, with_database


def test_ensuring_makes_a_user_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            made = await users.ensure(connection, "ann", at=NOW, display_name="Ann", is_admin=True)
            assert made == User("ann", "Ann", is_admin=True, is_active=True, created_at=NOW)
            assert await users.ensure(connection, "ann", at=NOW + SECOND, display_name="Other") == made
            assert (await users.ensure(connection, "bob", at=NOW)).display_name == "bob"
        async with database.read() as connection:
            assert await users.get(connection, "ann") == made
            assert await users.get(connection, "Ann") is None
            assert await users.count(connection) == 2

    with_database(database_url, body)


def test_changing(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await users.ensure(connection, "ann", at=NOW)
            off = await users.change(connection, "ann", is_active=False)
            assert off is not None
            assert (off.is_active, off.is_admin, off.display_name) == (False, False, "ann")
            changed = await users.change(connection, "ann", is_active=True, is_admin=True, display_name="Ann")
            assert changed == User("ann", "Ann", is_admin=True, is_active=True, created_at=NOW)
            assert await users.change(connection, "ann") == changed
            assert await users.change(connection, "nobody", is_active=False) is None

    with_database(database_url, body)


def test_lists_have_the_order_of_code_points(database_url: str) -> None:
    async def body(database: Database) -> None:
        names = ["Zoe", "_x", "ann", "bob-b", "bob_a", "boba", "zoë", "Žofie", "数据"]
        async with database.write() as connection:
            for name in reversed(names):
                await users.ensure(connection, name, at=NOW)
        found: list[str] = []
        async with database.read() as connection:
            while page := await users.list_all(connection, after=found[-1] if found else None, limit=2):
                found += [user.id for user in page]
        assert found == sorted(names)

    with_database(database_url, body)

"""Sessions."""

from datetime import timedelta

from storage import sessions
from storage.database import Database
from storage.sessions import Session
from tests.storage.opened import NOW, SECOND, with_database

HOUR = timedelta(hours=1)


async def opened(database: Database, sid: str, user: str = "ann", lifetime: timedelta = HOUR) -> Session:
    async with database.write() as connection:
        return await sessions.create(
            connection, sid=sid, user_id=user, opened_by="console", at=NOW, expires_at=NOW + lifetime
        )


def test_a_session_is_found_until_it_ends(database_url: str) -> None:
    async def body(database: Database) -> None:
        first, second = await opened(database, "one"), await opened(database, "two", lifetime=SECOND)
        async with database.write() as connection:
            assert await sessions.find(connection, "one", at=NOW) == first
            assert await sessions.find(connection, "two", at=NOW + SECOND) is None
            assert await sessions.find(connection, "three", at=NOW) is None
            assert await sessions.end(connection, "bob", first.id, at=NOW) is None
            ended = await sessions.end(connection, "ann", first.id, at=NOW + SECOND)
            assert ended is not None
            assert ended.ended_at == NOW + SECOND
            assert await sessions.find(connection, "one", at=NOW) is None
            assert await sessions.end(connection, "ann", first.id, at=NOW) is None
            assert await sessions.find(connection, "two", at=NOW) == second

    with_database(database_url, body)


def test_the_newest_comes_first_and_what_ended_is_not_listed(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = [await opened(database, f"s{i}") for i in range(4)]
        await opened(database, "short", lifetime=SECOND)
        await opened(database, "others", user="bob")
        later = NOW + SECOND
        async with database.write() as connection:
            await sessions.end(connection, "ann", made[1].id, at=later)
            listed = await sessions.list_of(connection, "ann", at=later, limit=2)
            assert [session.sid for session in listed] == ["s3", "s2"]
            rest = await sessions.list_of(connection, "ann", at=later, before=listed[-1].id, limit=2)
            assert [session.sid for session in rest] == ["s0"]

    with_database(database_url, body)


def test_all_others_end_at_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        for sid in ("one", "two", "three"):
            await opened(database, sid)
        await opened(database, "others", user="bob")
        async with database.write() as connection:
            ended = await sessions.end_others(connection, "ann", "two", at=NOW)
            assert sorted(session.sid for session in ended) == ["one", "three"]
            assert [session.sid for session in await sessions.list_of(connection, "ann", at=NOW, limit=9)] == ["two"]
            assert len(await sessions.list_of(connection, "bob", at=NOW, limit=9)) == 1
            assert len(await sessions.end_others(connection, "ann", None, at=NOW)) == 1

    with_database(database_url, body)


def test_the_last_use_is_remembered_and_what_ended_long_ago_is_not(database_url: str) -> None:
    async def body(database: Database) -> None:
        await opened(database, "one")
        await opened(database, "old", lifetime=-sessions.KEPT_AFTER_ITS_END - SECOND)
        async with database.write() as connection:
            await sessions.note_use(connection, "one", at=NOW + SECOND, address="192.0.2.7", user_agent="Mosaic")
            session = await sessions.find(connection, "one", at=NOW)
            assert session is not None
            assert (session.last_seen_at, session.address, session.user_agent) == (
                NOW + SECOND,
                "192.0.2.7",
                "Mosaic",
            )
        await opened(database, "newer")
        async with database.read() as connection:
            assert await sessions.find(connection, "old", at=NOW - timedelta(days=90)) is None

    with_database(database_url, body)

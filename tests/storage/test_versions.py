"""Versions of documents."""

import pytest

from storage import versions
from storage.database import Database
from storage.errors import BrokenReference
from storage.update_log import open_update_log
from storage.versions import Version
from tests.storage.opened import NOW, append_of, make_documents, with_database


def test_versions_are_made_found_renamed_and_removed(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        async with database.write() as connection:
            assert await versions.latest(connection, one.id) is None
            first = await versions.create(connection, one.id, 3, automatic=True, created_by="system", at=NOW)
            assert first == Version(first.id, one.id, 3, None, True, "system", NOW)
            second = await versions.create(connection, one.id, 5, name="Final", created_by="ann", at=NOW)
            assert await versions.latest(connection, one.id) == second
            assert await versions.get(connection, one.id, first.id) == first
            assert await versions.get(connection, other.id, first.id) is None
            named = await versions.rename(connection, one.id, first.id, "Draft")
            assert named == Version(first.id, one.id, 3, "Draft", False, "system", NOW)
            assert await versions.rename(connection, other.id, first.id, "Mine") is None
            unnamed = await versions.rename(connection, one.id, second.id, None)
            assert unnamed is not None
            assert (unnamed.name, unnamed.automatic) == (None, False)
            assert not await versions.remove(connection, other.id, first.id)
            assert await versions.remove(connection, one.id, first.id)
            assert not await versions.remove(connection, one.id, first.id)

    with_database(database_url, body)


def test_lists_begin_with_the_latest(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        async with database.write() as connection:
            for number in range(1, 8):
                await versions.create(connection, one.id, number, automatic=number % 2 == 0, created_by="ann", at=NOW)
            await versions.create(connection, other.id, 1, created_by="ann", at=NOW)
        found: list[Version] = []
        async with database.read() as connection:
            while page := await versions.list_of(connection, one.id, before=found[-1].id if found else None, limit=3):
                found += page
            automatic = await versions.list_of(connection, one.id, automatic=True, limit=9)
            by_hand = await versions.list_of(connection, one.id, automatic=False, limit=2)
        assert [version.number for version in found] == [7, 6, 5, 4, 3, 2, 1]
        assert [version.number for version in automatic] == [6, 4, 2]
        assert [version.number for version in by_hand] == [7, 5]

    with_database(database_url, body)


def test_a_version_needs_a_document(database_url: str) -> None:
    async def body(database: Database) -> None:
        with pytest.raises(BrokenReference):
            async with database.write() as connection:
                await versions.create(connection, 99, 1, created_by="ann", at=NOW)

    with_database(database_url, body)


def told(version: Version | None) -> tuple[int, bool, str] | None:
    return None if version is None else (version.number, version.automatic, version.created_by)


def test_automatic_ones_are_made_of_what_no_version_holds(database_url: str) -> None:
    async def body(database: Database) -> None:
        names = ("edited", "kept", "edited since", "empty", "not asked for")
        _, is_kept, edited_since, empty, other = made = await make_documents(database, *names)
        log = open_update_log(database)
        await log.append([append_of(document, b"a", b"b") for document in made if document is not empty])
        async with database.write() as connection:
            await versions.create(connection, is_kept.id, 2, name="mine", created_by="bob", at=NOW)
            await versions.create(connection, edited_since.id, 1, created_by="bob", at=NOW)
            asked = [document.id for document in made if document is not other]
            await versions.create_automatic(connection, [*asked, 4711], at=NOW)
        async with database.read() as connection:
            newest = {document.name: await versions.latest(connection, document.id) for document in made}
        assert {name: told(version) for name, version in newest.items()} == {
            "edited": (2, True, "ann"),
            "kept": (2, False, "bob"),
            "edited since": (2, True, "ann"),
            "empty": None,
            "not asked for": None,
        }
        assert newest["edited"] is not None
        assert (newest["edited"].created_at, newest["edited"].name) == (NOW, None)

    with_database(database_url, body)

"""Documents: names, titles, shapes, the trash."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from storage import documents, search, versions, workspaces
from storage.database import Database
from storage.documents import Counts, Document
from storage.errors import AlreadyExists, BrokenReference
from storage.update_log import open_update_log
from tests.storage.opened import NOW, SECOND, append_of, make_documents, with_database


async def names(database: Database, **filters: object) -> list[str]:
    """All the names of the list, read three at a time."""
    found: list[str] = []
    async with database.read() as connection:
        while page := await documents.list_of(
            connection,
            "default",
            after=found[-1] if found else None,
            limit=3,
            **filters,  # type: ignore[arg-type]
        ):
            found += [document.name for document in page]
    return found


def test_a_new_document(database_url: str) -> None:
    async def body(database: Database) -> None:
        await make_documents(database)
        async with database.write() as connection:
            made = await documents.create(
                connection, "default", "notes", title="Notes", kind="text", root="content", created_by="ann", at=NOW
            )
            plain = await documents.create(connection, "default", "plain", created_by="ann", at=NOW)
        assert made == Document(
            made.id, "default", "notes", "Notes", "text", "content", 0, 0, "ann", NOW, NOW, "ann", None, None
        )
        assert (plain.title, plain.kind, plain.root) == ("plain", None, None)
        async with database.read() as connection:
            assert await documents.get(connection, "default", "notes") == made
            assert await documents.get_by_id(connection, made.id) == made
            assert await documents.get(connection, "other", "notes") is None
            assert await documents.get(connection, "default", "Notes") is None
            assert await documents.get_by_id(connection, made.id + 100) is None

    with_database(database_url, body)


def test_names_are_taken_once_a_workspace_even_from_the_trash(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "notes")
        async with database.write() as connection:
            for _ in range(2):
                with pytest.raises(AlreadyExists, match="'notes'"):
                    await documents.create(connection, "default", "notes", created_by="bob", at=NOW)
                await documents.trash(connection, document.id, by="ann", at=NOW)
            await workspaces.create(connection, "other", created_by="ann", at=NOW)
            await documents.create(connection, "other", "notes", created_by="ann", at=NOW)

    with_database(database_url, body)


def test_a_document_needs_a_workspace(database_url: str) -> None:
    async def body(database: Database) -> None:
        with pytest.raises(BrokenReference):
            async with database.write() as connection:
                await documents.create(connection, "nowhere", "notes", created_by="ann", at=NOW)

    with_database(database_url, body)


def test_joiners_at_once_make_one_document(database_url: str) -> None:
    async def body(database: Database) -> None:
        await make_documents(database)
        elsewhere = await Database.open(database_url)

        async def join(node: Database, user: str) -> tuple[Document, bool]:
            async with node.write() as connection:
                return await documents.ensure(connection, "default", "notes", created_by=user, at=NOW)

        try:
            joined = await asyncio.gather(*[join([database, elsewhere][i % 2], f"user{i}") for i in range(8)])
        finally:
            await elsewhere.close()
        assert sorted(made for _, made in joined) == [False] * 7 + [True]
        assert len({document for document, _ in joined}) == 1

    with_database(database_url, body)


def test_creating_at_once_makes_one_document(database_url: str) -> None:
    async def body(database: Database) -> None:
        await make_documents(database)

        async def create() -> bool:
            try:
                await make_documents(database, "notes")
            except AlreadyExists:
                return False
            return True

        assert sorted(await asyncio.gather(*[create() for _ in range(6)])) == [False] * 5 + [True]

    with_database(database_url, body)


def test_lists_by_name(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make_documents(database, "b", "a", "B", "é", "ab", "a%", "a_", "a\U0001f600", "数据")
        async with database.write() as connection:
            await documents.trash(connection, made[2].id, by="ann", at=NOW)
            await documents.set_shape(connection, made[0].id, "text", "content")
        assert await names(database) == ["a", "a%", "a_", "ab", "a\U0001f600", "b", "é", "数据"]
        assert await names(database, trashed=True) == ["B"]
        assert await names(database, kind="text") == ["b"]
        assert await names(database, prefix="a") == ["a", "a%", "a_", "ab", "a\U0001f600"]
        assert await names(database, prefix="a%") == ["a%"]
        assert await names(database, prefix="A") == []
        assert await names(database, prefix="a\U0001f600") == ["a\U0001f600"]

    with_database(database_url, body)


def test_lists_of_the_latest_edited(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make_documents(database, "a", "b", "c", "d")
        await open_update_log(database).append(
            [append_of(made[1], b"x", at=2 * 10**15), append_of(made[3], b"x", at=3 * 10**15)]
        )
        found: list[str] = []
        last: tuple[datetime, int] | None = None
        async with database.read() as connection:
            while page := await documents.list_recent(connection, "default", before=last, limit=1):
                found.append(page[0].name)
                last = (page[0].updated_at, page[0].id)
        assert found == ["d", "b", "c", "a"]

    with_database(database_url, body)


def test_changing_name_and_title(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, _ = await make_documents(database, "one", "other")
        async with database.write() as connection:
            assert await documents.change(connection, one.id, title="Title") == replace(one, title="Title")
            renamed = replace(one, title="Title", name="uno")
            assert await documents.change(connection, one.id, name="uno") == renamed
            with pytest.raises(AlreadyExists, match="'other'"):
                await documents.change(connection, one.id, name="other", title="lost")
            # A conflict leaves the transaction usable, and nothing half done.
            assert await documents.change(connection, one.id) == renamed
            assert await documents.change(connection, 99, name="x") is None
        async with database.read() as connection:
            assert await documents.get(connection, "default", "uno") == renamed
            assert await documents.get(connection, "default", "one") is None

    with_database(database_url, body)


def test_a_shape_is_set_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        async with database.write() as connection:
            assert await documents.set_shape(connection, document.id, "text", "content")
            assert not await documents.set_shape(connection, document.id, "map", "other")
            assert not await documents.set_shape(connection, 99, "map", "other")
            found = await documents.get_by_id(connection, document.id)
        assert found == replace(document, kind="text", root="content")

    with_database(database_url, body)


def test_into_the_trash_and_out_of_it(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        async with database.write() as connection:
            assert await documents.untrash(connection, document.id) is None
            trashed = replace(document, trashed_at=NOW + SECOND, trashed_by="bob")
            assert await documents.trash(connection, document.id, by="bob", at=NOW + SECOND) == trashed
            assert await documents.trash(connection, document.id, by="eve", at=NOW) is None
            assert await documents.get(connection, "default", "one") == trashed
            assert await documents.untrash(connection, document.id) == document

    with_database(database_url, body)


def test_purging_leaves_nothing(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        async with database.write() as connection:
            for document in (one, other):
                await versions.create(connection, document.id, 0, created_by="ann", at=NOW)
                await search.index(connection, document.id, "default", document.name, "words")
            assert await documents.purge(connection, one.id)
            assert not await documents.purge(connection, one.id)
            assert await documents.get_by_id(connection, one.id) is None
            assert await versions.list_of(connection, one.id, limit=9) == []
            assert [hit.document_id for hit in await search.find(connection, "default", "words", limit=9)] == [other.id]
            assert len(await versions.list_of(connection, other.id, limit=9)) == 1

    with_database(database_url, body)


def test_counts(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, _, third = await make_documents(database, "one", "other", "third")
        await open_update_log(database).append([append_of(one, b"1234"), append_of(third, b"56")])
        async with database.write() as connection:
            await documents.trash(connection, third.id, by="ann", at=NOW)
            assert await documents.counts(connection, "default") == Counts(2, 1, 6)
            assert await documents.counts(connection, "nowhere") == Counts(0, 0, 0)

    with_database(database_url, body)

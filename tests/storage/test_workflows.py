"""Workflows and their published versions."""

import asyncio
from dataclasses import replace

import pytest

from storage import documents, workflow_versions, workflows, workspaces
from storage.database import Database
from storage.errors import AlreadyExists, BrokenReference
from storage.workflow_versions import NewVersion
from storage.workflows import Workflow
from tests.storage.opened import NOW, SECOND, make_documents, with_database

NEW = NewVersion(document_number=7, fingerprint="f" * 64, message="first", nodes=2, edges=1, form=b"a form")


async def make_workflows(database: Database, *names: str) -> list[Workflow]:
    made = await make_documents(database, *names)
    async with database.write() as connection:
        return [
            await workflows.create(connection, "default", each.id, description="", created_by="ann", at=NOW)
            for each in made
        ]


def test_a_document_is_one_workflow_at_most(database_url: str) -> None:
    async def body(database: Database) -> None:
        [document] = await make_documents(database, "flow")
        async with database.write() as connection:
            made = await workflows.create(
                connection, "default", document.id, description="Nightly", created_by="bob", at=NOW + SECOND
            )
            assert (made.name, made.title, made.head, made.trashed_at) == ("flow", "flow", 0, None)
            assert (made.description, made.newest_version) == ("Nightly", 0)
            assert (made.created_by, made.created_at, made.updated_by) == ("bob", NOW + SECOND, "ann")
            with pytest.raises(AlreadyExists):
                await workflows.create(connection, "default", document.id, description="", created_by="ann", at=NOW)
            assert await workflows.get(connection, made.id) == made
            assert await workflows.of_document(connection, document.id) == made
            assert await workflows.get(connection, made.id + 1) is None
            assert await workflows.of_document(connection, document.id + 1) is None
            await workflows.describe(connection, made.id, "Weekly")
            assert await workflows.get(connection, made.id) == replace(made, description="Weekly")

    with_database(database_url, body)


def test_there_is_no_workflow_without_a_document(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await workspaces.ensure(connection, "default", created_by="ann", at=NOW)
        with pytest.raises(BrokenReference):
            async with database.write() as connection:
                await workflows.create(connection, "default", 99, description="", created_by="ann", at=NOW)

    with_database(database_url, body)


def test_lists_begin_with_the_newest_and_know_the_trash(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make_workflows(database, "a", "b", "c", "d")
        async with database.write() as connection:
            await workspaces.create(connection, "other", created_by="ann", at=NOW)
            await documents.trash(connection, made[1].document_id, by="bob", at=NOW)
            first = await workflows.list_of(connection, "default", limit=2)
            rest = await workflows.list_of(connection, "default", before=first[-1].id, limit=2)
            assert [each.name for each in (*first, *rest)] == ["d", "c", "a"]
            trashed = await workflows.list_of(connection, "default", trashed=True, limit=9)
            assert [(each.name, each.trashed_by) for each in trashed] == [("b", "bob")]
            assert await workflows.list_of(connection, "other", limit=9) == []

    with_database(database_url, body)


def test_versions_are_counted_without_gaps(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_workflows(database, "one", "other")
        async with database.write() as connection:
            assert await workflow_versions.newest(connection, one.id) is None
            for message in ("first", "second", "third"):
                assert await workflow_versions.lock(connection, one.id)
                new = replace(NEW, message=message, form=message.encode())
                await workflow_versions.add(connection, one.id, new, created_by="bob", at=NOW)
            await workflow_versions.add(connection, other.id, NEW, created_by="ann", at=NOW)
            found = await workflow_versions.list_of(connection, one.id, limit=2)
            found += await workflow_versions.list_of(connection, one.id, before=found[-1].version, limit=2)
            assert [(each.version, each.message) for each in found] == [(3, "third"), (2, "second"), (1, "first")]
            assert await workflow_versions.newest(connection, one.id) == found[0]
            assert await workflow_versions.get(connection, one.id, 2) == found[1]
            assert await workflow_versions.get(connection, other.id, 2) is None
            assert await workflow_versions.form_of(connection, found[1].id) == b"second"
            assert await workflow_versions.form_of(connection, 99) is None
            assert not await workflow_versions.lock(connection, 99)
            counted = await workflows.get(connection, one.id)
            assert counted == replace(one, newest_version=3)

    with_database(database_url, body)


def test_two_that_publish_at_once_see_each_other(database_url: str) -> None:
    """Whoever holds the lock has everything that others published before."""

    async def body(database: Database) -> None:
        [flow] = await make_workflows(database, "flow")
        seen: list[int] = []

        async def publish() -> None:
            async with database.write() as connection:
                await workflow_versions.lock(connection, flow.id)
                newest = await workflow_versions.newest(connection, flow.id)
                seen.append(newest.version if newest else 0)
                await workflow_versions.add(connection, flow.id, NEW, created_by="ann", at=NOW)

        await asyncio.gather(*[publish() for _ in range(5)])
        assert sorted(seen) == [0, 1, 2, 3, 4]

    with_database(database_url, body)


def test_what_is_purged_takes_its_workflow_along(database_url: str) -> None:
    async def body(database: Database) -> None:
        [flow] = await make_workflows(database, "flow")
        async with database.write() as connection:
            version = await workflow_versions.add(connection, flow.id, NEW, created_by="ann", at=NOW)
            await documents.purge(connection, flow.document_id)
            assert await workflows.get(connection, flow.id) is None
            assert await workflow_versions.form_of(connection, version.id) is None

    with_database(database_url, body)

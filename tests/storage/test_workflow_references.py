"""What workflows name, looked up in one workspace."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from storage import data_sources, documents, integrations, members, workflow_references, workflow_versions, workspaces
from storage.database import Database
from storage.workflow_versions import NewVersion
from tests.storage.opened import NOW, make_documents, with_database
from tests.storage.test_workflows import make_workflows

NEW = NewVersion(document_number=1, fingerprint="f", message="", nodes=0, edges=0, form=b"form")


def test_what_is_of_the_workspace_exists_and_nothing_else(database_url: str) -> None:
    async def body(database: Database) -> None:
        mine, gone = await make_workflows(database, "mine", "gone")
        await make_documents(database, "plan")
        async with database.write() as connection:
            await workspaces.create(connection, "other", created_by="ann", at=NOW)
            await members.put(connection, "default", "bob", "editor", added_by="ann", at=NOW)
            await members.put(connection, "other", "eve", "editor", added_by="ann", at=NOW)
            await documents.trash(connection, gone.document_id, by="ann", at=NOW)

            async def existing(kind: str, *ids: str, workspace_id: str = "default") -> set[str]:
                return await workflow_references.existing(connection, workspace_id, kind, ids)

            assert await existing("user", "bob", "eve", "nobody") == {"bob"}
            assert await existing("user", "eve", workspace_id="other") == {"eve"}
            assert await existing("document", "plan", "gone", "none") == {"plan"}
            assert await existing("workflow", str(mine.id), str(gone.id), "99", "x", "²", "07") == {str(mine.id)}
            assert await existing("workflow", str(mine.id), workspace_id="other") == set()
            assert await existing("workflow", "9" * 30, "-1", "") == set()
            assert await existing("secret", "x") == set()
            many = [f"user-{number}" for number in range(2_500)]
            assert await existing("user", "bob", *many) == {"bob"}

    with_database(database_url, body)


def test_sources_and_integrations_are_told_by_their_numbers(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            for name in ("default", "other"):
                await workspaces.ensure(connection, name, created_by="ann", at=NOW)
            sources = [await make_source(connection, name) for name in ("default", "other")]
            hooks = [await make_hook(connection, name) for name in ("default", "other")]
            for kind, ids in (("source", sources), ("integration", hooks)):
                asked = [str(each) for each in ids]
                assert await workflow_references.existing(connection, "default", kind, asked) == {asked[0]}

    with_database(database_url, body)


def test_the_newest_forms_are_those_published_last(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other, unpublished = await make_workflows(database, "one", "other", "unpublished")
        async with database.write() as connection:
            for form in (b"old", b"new"):
                await workflow_versions.add(connection, one.id, replace(NEW, form=form), created_by="ann", at=NOW)
            await workflow_versions.add(connection, other.id, NEW, created_by="ann", at=NOW)
            ids = [str(each.id) for each in (one, other, unpublished)]
            forms = await workflow_references.newest_forms(connection, "default", ids)
            assert forms == {ids[0]: b"new", ids[1]: b"form"}
            assert await workflow_references.newest_forms(connection, "elsewhere", ids) == {}

    with_database(database_url, body)


async def make_source(connection: AsyncConnection, workspace_id: str) -> int:
    made = await data_sources.create(
        connection,
        workspace_id=workspace_id,
        name="shop",
        kind="sqlite",
        description=None,
        settings={},
        owner="ann",
        at=NOW,
    )
    return made.id


async def make_hook(connection: AsyncConnection, workspace_id: str) -> int:
    made = await integrations.create(
        connection,
        workspace_id=workspace_id,
        name="hook",
        kind="webhook",
        settings={},
        feeds=["*"],
        events=["*"],
        owner="ann",
        enabled=True,
        at=NOW,
    )
    return made.id

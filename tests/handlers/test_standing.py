"""Whose standing changed, read from the audit trail: nothing twice, nothing left out, and all of it when in doubt."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from http_node import START
from sqlalchemy import text

from handlers.standing import EVERYTHING, AuditFollower, Change, change_of
from storage import audit
from storage.audit import Entry
from storage.database import Database


def play(url: str, scenario: Callable[[Database, AuditFollower], Awaitable[None]]) -> None:
    async def run() -> None:
        database = await Database.open(url)
        try:
            await scenario(database, AuditFollower(database))
        finally:
            await database.close()

    asyncio.run(run())


async def note(database: Database, action: str, target: str, *, outcome: str = "done", **details: Any) -> None:
    async with database.write() as connection:
        await audit.append(
            connection, at=START, actor="admin", action=action, target=target, outcome=outcome, details=details
        )


def test_a_concerned_change_names_them_or_nobody() -> None:
    assert Change("lab", "ada").concerns("ada", "lab")
    assert not Change("lab", "ada").concerns("ada", "office")
    assert not Change("lab", "ada").concerns("bob", "lab")
    assert Change(None, "ada").concerns("ada", "office")
    assert Change("lab", None).concerns("bob", "lab")
    assert EVERYTHING.concerns("bob", "office")


@pytest.mark.parametrize(
    ("action", "target", "outcome", "details", "change"),
    [
        ("collaboration.members.put", "lab/ada", "done", {}, Change("lab", "ada")),
        ("members.put", "lab/ada", "done", {}, Change("lab", "ada")),
        ("collaboration.workspaces.delete", "lab", "done", {}, Change("lab", None)),
        ("users.deactivate", "ada", "done", {}, Change(None, "ada")),
        ("users.deactivate", "ada", "refused", {}, None),
        ("api_keys.revoke", "7", "done", {"user": "ada", "name": "job"}, Change(None, "ada")),
        ("api_keys.revoke", "7", "done", {}, EVERYTHING),
        ("api_keys.create", "7", "done", {"user": "ada"}, None),
        ("collaboration.documents.create", "lab/notes", "done", {}, None),
        ("sign_in", "ada", "done", {}, None),
    ],
)
def test_the_audit_tells_whose_standing_changed(
    action: str, target: str, outcome: str, details: dict[str, Any], change: Change | None
) -> None:
    entry = Entry(1, START + timedelta(seconds=1), "admin", action, target, outcome, details, "", "")
    assert change_of(entry) == change


def test_it_reads_on_from_where_it_was(database_url: str) -> None:
    async def scenario(database: Database, follower: AuditFollower) -> None:
        assert await follower.changes() == [EVERYTHING]
        assert await follower.changes() == []
        await note(database, "users.deactivate", "ada")
        await note(database, "sign_in", "bob")
        await note(database, "members.put", "lab/bob")
        await note(database, "users.deactivate", "ada")
        assert await follower.changes() == [Change(None, "ada"), Change("lab", "bob")]
        assert await follower.changes() == []

    play(database_url, scenario)


def test_a_long_absence_is_a_change_of_everything(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.standing.MOST_ROWS", 3)

    async def scenario(database: Database, follower: AuditFollower) -> None:
        await follower.changes()
        for number in range(3):
            await note(database, "users.activate", str(number))
        assert await follower.changes() == [Change(None, str(number)) for number in range(3)]
        for number in range(4):
            await note(database, "users.activate", str(number))
        assert await follower.changes() == [EVERYTHING]
        assert await follower.changes() == []

    play(database_url, scenario)


def test_a_trail_that_was_lost_in_a_failover_is_a_change_of_everything(postgres_url: str) -> None:
    """Its rows were given again to others: only the seal tells them apart."""

    async def scenario(database: Database, follower: AuditFollower) -> None:
        await note(database, "users.activate", "ada")
        await note(database, "users.activate", "bob")
        await follower.changes()
        async with database.write() as connection:
            await connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
            await connection.execute(text("DELETE FROM audit WHERE id = 2"))
        assert await follower.changes() == [EVERYTHING]
        await note(database, "users.activate", "cid")
        assert await follower.changes() == [Change(None, "cid")]
        async with database.write() as connection:
            await connection.execute(text("DELETE FROM audit WHERE id = 2"))
        await note(database, "users.deactivate", "ada")
        await note(database, "sign_in", "ada")
        assert await follower.changes() == [EVERYTHING]

    play(postgres_url, scenario)

"""Users, memberships and tokens from the server's own console."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handlers.access import change_of
from handlers.feed_names import activity_of, inbox_of
from server.bootstrap import signing_secret
from server.grants import Grant, GrantError, issue_token
from server.settings import Settings
from server.tokens import Identity, ServerIssuer
from storage import audit, feeds, members, users
from storage.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def now() -> datetime:
    return NOW


def issue(
    folder: Path, user: str, workspace: str | None = None, role: str | None = None, secret: str | None = None
) -> str:
    settings = Settings(data=folder, secret_key=secret)
    return asyncio.run(issue_token(settings, Grant(user, workspace, role, HOUR), now))


async def trail(folder: Path) -> list[audit.Entry]:
    database = await Database.open(Settings(data=folder).database_url)
    try:
        async with database.read() as connection:
            return (await audit.read(connection, limit=100))[::-1]
    finally:
        await database.close()


def test_a_token_for_a_new_user_in_a_new_installation(tmp_path: Path) -> None:
    async def look() -> tuple[users.User | None, str | None, Identity]:
        database = await Database.open(Settings(data=tmp_path).database_url)
        try:
            async with database.read() as connection:
                user = await users.get(connection, "ada")
                role = await members.role_of(connection, "default", "ada")
            secret = await signing_secret(database, None)
            return user, role, await ServerIssuer(secret, now).verify(token)
        finally:
            await database.close()

    token = issue(tmp_path, "ada", "default", "commenter")
    user, role, identity = asyncio.run(look())
    assert user is not None
    assert (user.is_admin, role) == (False, "commenter")
    assert (identity.user_id, identity.expires_at) == ("ada", NOW + HOUR)


def test_everything_that_was_done_is_audited_for_running_servers_to_see(tmp_path: Path) -> None:
    issue(tmp_path, "ada", "default", "viewer")
    issue(tmp_path, "ada", "default", "editor")
    issue(tmp_path, "ada", "default", "editor")
    entries = asyncio.run(trail(tmp_path))[2:]
    assert [(entry.action, entry.target) for entry in entries] == [
        ("users.create", "ada"),
        ("collaboration.members.put", "default/ada"),
        ("tokens.issue", "ada"),
        ("collaboration.members.put", "default/ada"),
        ("tokens.issue", "ada"),
        ("tokens.issue", "ada"),
    ]
    assert entries[3].details == {"via": "cli", "role": "editor", "before": "viewer"}
    change = change_of(entries[3])
    assert change is not None
    assert change.concerns("ada", "default")


def test_a_configured_key_signs(tmp_path: Path) -> None:
    secret = "a secret of the operator's, which is long enough"
    token = issue(tmp_path, "ada", secret=secret)
    assert asyncio.run(ServerIssuer(secret, now).verify(token)).user_id == "ada"


@pytest.mark.parametrize("name", ["", " ada", "ada ", "a/b", "a\nb", "x" * 201, "\x00"])
def test_what_can_be_no_name_is_refused_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(GrantError, match="cannot be a user's name"):
        issue(tmp_path / "data", name)
    assert not (tmp_path / "data").exists()


def test_without_the_workspace_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(GrantError, match="there is no workspace 'nowhere'"):
        issue(tmp_path, "ada", "nowhere", "editor")
    assert "ada" not in {entry.target for entry in asyncio.run(trail(tmp_path))}


def test_a_deactivated_user_gets_no_token(tmp_path: Path) -> None:
    async def deactivate() -> None:
        database = await Database.open(Settings(data=tmp_path).database_url)
        try:
            async with database.write() as connection:
                await users.change(connection, "ada", is_active=False)
        finally:
            await database.close()

    issue(tmp_path, "ada")
    asyncio.run(deactivate())
    with pytest.raises(GrantError, match="deactivated"):
        issue(tmp_path, "ada")


def test_who_is_let_in_from_the_console_hears_of_it(tmp_path: Path) -> None:
    async def look(feed: str) -> list[tuple[str, object]]:
        database = await Database.open(Settings(data=tmp_path).database_url)
        try:
            async with database.read() as connection:
                found = await feeds.get(connection, feed)
                assert found is not None
                return [
                    (event.type, event.data["role"])
                    for event in await feeds.read(connection, found.id, after=0, limit=9)
                ]
        finally:
            await database.close()

    issue(tmp_path, "ada", "default", "commenter")
    issue(tmp_path, "ada", "default", "commenter")
    issue(tmp_path, "ada", "default", "editor")
    for feed, subject in ((inbox_of("ada"), "membership"), (activity_of("default"), "member")):
        told = asyncio.run(look(feed))
        assert told == [(f"{subject}.added", "commenter"), (f"{subject}.role_changed", "editor")]

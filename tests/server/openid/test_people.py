"""Who comes in, as whom, and as what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openid_nodes import World, openid_nodes
from openid_provider import ADA

from server.openid.person import person_of
from storage import members, users, workspaces
from tests.server.openid.test_provider import options_for

Body = Callable[[World], Awaitable[None]]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def in_world(body: Body, url: str, folder: Path, **settings: Any) -> None:
    async def run() -> None:
        async with openid_nodes(url, folder, **settings) as world:
            await body(world)

    asyncio.run(run())


async def user_of(world: World, **claims: Any) -> str:
    world.provider.account = claims
    return str((await world.browser().sign_in())["user_id"])


def test_who_somebody_is_is_issuer_and_subject(database_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        async with world.database.write() as connection:
            await users.ensure(connection, "grace", at=NOW)
        assert await user_of(world, **ADA) == "ada"
        # Another name, the same person.
        assert await user_of(world, sub=ADA["sub"], preferred_username="countess") == "ada"
        # The same name, another person; also that of one who never came from there, and of the administrator.
        assert (
            await user_of(world, sub="2", preferred_username="ada", email="ada@x.test", email_verified=True) == "ada-2"
        )
        assert await user_of(world, sub="3", preferred_username="grace") == "grace-2"
        assert await user_of(world, sub="4", preferred_username="admin") == "admin-2"
        assert await user_of(world, sub="5", preferred_username="Anonymous") == "anonymous-2"
        assert await user_of(world, sub="6") == "user"
        # Many at once who are new, and one who is new many times.
        world.provider.account = {"sub": "7", "preferred_username": "alan"}
        many = await asyncio.gather(*(world.browser().sign_in() for _ in range(4)))
        assert {opened["user_id"] for opened in many} == {"alan"}

    in_world(body, database_url, tmp_path)


def test_names_look_like_nobody_elses() -> None:
    options = options_for("https://login.test")
    for claims, name in (
        ({"preferred_username": "Ada.Lovelace@example.org"}, "ada.lovelace"),
        ({"preferred_username": "аdmin"}, "dmin"),
        ({"preferred_username": "server/cli"}, "server-cli"),
        ({"preferred_username": "../../etc"}, "etc"),
        ({"preferred_username": "x\r\ny"}, "x-y"),
        ({"preferred_username": "n" * 300}, "n" * 64),
        ({"email": "bob@example.org"}, "bob"),
        ({"preferred_username": ["ada"]}, "user"),
    ):
        assert person_of({"sub": "1", **claims}, options).wished_name == name


def test_an_address_counts_only_where_it_was_verified() -> None:
    options = options_for("https://login.test", groups_claim="realm_access.roles")
    for verified, email in (
        (True, "a@x.test"),
        ("true", "a@x.test"),
        (False, None),
        ("yes", None),
        (1, None),
        (None, None),
    ):
        person = person_of({"sub": "1", "email": "a@x.test", "email_verified": verified}, options)
        assert person.email == email, verified
    nested = person_of({"sub": "1", "realm_access": {"roles": ["a", 7, "b"]}}, options)
    assert nested.groups == {"a", "b"}
    assert person_of({"sub": "1", "realm_access": ["roles"]}, options).groups == frozenset()


def test_only_those_on_each_list_come_in(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        there = {"sub": "1", "email": "a@Example.org", "email_verified": True, "groups": ["staff"]}
        assert await user_of(world, **there) == "a"
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"email_verified": False}, "domain_not_allowed"),
            ({"email": "a@example.org.evil.test"}, "domain_not_allowed"),
            ({"email": "a@evil.test"}, "domain_not_allowed"),
            ({"email": None}, "domain_not_allowed"),
            ({"groups": ["guests"]}, "group_not_allowed"),
            ({"groups": None}, "group_not_allowed"),
            ({"groups": "staff2"}, "group_not_allowed"),
        ]
        for changes, reason in wrong:
            # Also those who came in before.
            world.provider.account = there | changes
            assert (await world.browser().ended()).status_code == 403, changes
            assert (await world.refusals())[-1] == reason, changes
        async with world.database.write() as connection:
            await users.change(connection, "a", is_active=False)
        world.provider.account = there
        assert (await world.browser().ended()).status_code == 403
        assert (await world.refusals())[-1] == "deactivated"

    lists: dict[str, Any] = {"oidc_allowed_domains": ("example.org",), "oidc_allowed_groups": ("staff", "crew")}
    in_world(body, sqlite_url, tmp_path, **lists)


ROLES = (
    ("everybody", "default", "viewer"),
    ("analysts", "default", "editor"),
    ("stewards", "lake", "admin"),
    ("analysts", "gone", "viewer"),
)


def test_groups_give_roles_and_take_what_they_gave(database_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        async with world.database.write() as connection:
            await workspaces.create(connection, "lake", created_by="admin", at=NOW)

        async def roles(**account: Any) -> tuple[str | None, str | None, bool]:
            await user_of(world, **ADA, **account)
            async with world.database.read() as connection:
                user = await users.get(connection, "ada")
                assert user is not None
                first, second = [await members.role_of(connection, name, "ada") for name in ("default", "lake")]
            return first, second, user.is_admin

        assert await roles(groups=["everybody", "analysts"]) == ("editor", None, False)
        assert await roles(groups=["everybody", "stewards", "chiefs"]) == ("viewer", "admin", True)
        assert await roles(groups=["analysts"]) == ("editor", None, False)
        assert await roles() == (None, None, False)
        # What was given by hand stays.
        async with world.database.write() as connection:
            await members.put(connection, "lake", "ada", "commenter", added_by="admin", at=NOW)
            await users.change(connection, "ada", is_admin=True)
        assert await roles(groups=["stewards"]) == (None, "commenter", True)
        assert await roles() == (None, "commenter", True)
        actions = [row.action for row in await world.audited() if row.actor == "server/openid"]
        assert actions.count("collaboration.members.put") == 4
        assert actions.count("collaboration.members.remove") == 2
        assert actions.count("users.change") == 2

    in_world(body, database_url, tmp_path, oidc_roles=ROLES, oidc_admin_groups=("chiefs",))


def test_a_role_that_is_gone_is_gone_at_once(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        world.provider.account = {**ADA, "groups": ["everybody"]}
        token = (await browser.sign_in())["access_token"]
        address = "https://studio.test/collaboration/documents/default"
        headers = {"Authorization": f"Bearer {token}"}
        assert (await browser.client.get(address, headers=headers)).status_code == 200
        world.provider.account = dict(ADA)
        await world.browser().sign_in()
        assert (await browser.client.get(address, headers=headers)).status_code == 404

    in_world(body, sqlite_url, tmp_path, oidc_roles=ROLES)

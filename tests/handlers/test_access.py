"""One answer to "may this user do this here", from memory, and never from a memory that was told to forget."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from http_node import START, Node, play

from handlers.access import NEEDED, ROLES, Access, Change, Role, allows, change_of
from handlers.registry import (
    Forbidden,
    NotAuthenticated,
    NotFound,
    OperationError,
    Permission,
    Principal,
)
from storage import audit, members, users, workspaces
from storage.audit import Entry

ADA = Principal("ada", is_admin=False, via="token")
ADMIN = Principal("admin", is_admin=True, via="token")
STRANGER = Principal("mallory", is_admin=False, via="token")


def test_each_role_may_what_weaker_ones_may() -> None:
    asked = (Permission.READ, Permission.COMMENT, Permission.WRITE, Permission.MANAGE, Permission.OWN)
    may = {role: [permission for permission in asked if allows(role, permission)] for role in ROLES}
    assert [len(may[role]) for role in ROLES] == [1, 2, 3, 4, 5]
    assert may[Role.EDITOR] == [Permission.READ, Permission.COMMENT, Permission.WRITE]
    assert not any(allows(None, permission) for permission in asked)
    assert set(NEEDED) == set(asked)


async def outcome(access: Access, principal: Principal | None, permission: Permission, where: str = "lab") -> object:
    try:
        await access.require(principal, permission, where)
    except OperationError as error:
        return type(error)
    return None


def test_require_answers_for_everybody(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        access = node.parts.access
        assert await outcome(access, None, Permission.PUBLIC) is None
        assert await outcome(access, None, Permission.SIGNED_IN) is NotAuthenticated
        assert await outcome(access, None, Permission.READ) is NotAuthenticated
        assert await outcome(access, ADA, Permission.WRITE) is None
        assert await outcome(access, ADA, Permission.MANAGE) is Forbidden
        assert await outcome(access, ADA, Permission.SERVER_ADMIN) is Forbidden
        assert await outcome(access, ADMIN, Permission.SERVER_ADMIN) is None
        assert await outcome(access, ADMIN, Permission.OWN) is None

    play(tmp_path, scenario)


def test_a_stranger_is_not_told_what_exists(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        with pytest.raises(NotFound) as existing:
            await node.parts.access.require(STRANGER, Permission.READ, "lab")
        with pytest.raises(NotFound) as missing:
            await node.parts.access.require(STRANGER, Permission.READ, "nowhere")
        assert existing.value.message.replace("lab", "nowhere") == missing.value.message
        assert (existing.value.code, existing.value.details) == (missing.value.code, missing.value.details)

    play(tmp_path, scenario)


@pytest.mark.parametrize("name", ["nowhere", "", "a/b", "\0", "LAB", "lab\n", "x" * 500, "\ud800"])
def test_what_is_not_there_is_not_found_for_an_administrator_too(tmp_path: Path, name: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        assert await outcome(node.parts.access, ADMIN, Permission.READ, name) is NotFound
        assert await outcome(node.parts.access, ADA, Permission.READ, name) is NotFound

    play(tmp_path, scenario)


def test_a_deleted_workspace_is_gone_for_all(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        assert await outcome(node.parts.access, ADA, Permission.READ) is None
        assert await outcome(node.parts.access, ADMIN, Permission.READ) is None
        async with node.parts.database.write() as connection:
            await workspaces.delete(connection, "lab", at=START)
        node.parts.access.invalidate(workspace_id="lab")
        assert await outcome(node.parts.access, ADA, Permission.READ) is NotFound
        assert await outcome(node.parts.access, ADMIN, Permission.READ) is NotFound

    play(tmp_path, scenario)


def test_a_deactivated_user_may_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        async with node.parts.database.write() as connection:
            await users.change(connection, "ada", is_active=False)
            await users.change(connection, "admin", is_active=False)
        for principal in (ADA, ADMIN):
            assert await outcome(node.parts.access, principal, Permission.SIGNED_IN) is NotAuthenticated
            assert await outcome(node.parts.access, principal, Permission.READ) is NotAuthenticated
            assert await node.parts.access.role_for(principal, "lab") is None

    play(tmp_path, scenario)


def test_roles_are_remembered_until_they_grow_old_or_are_invalidated(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        access = node.parts.access
        assert access.peek_role(ADA, "lab") is None
        assert await access.role_of("ada", "lab") is Role.EDITOR
        async with node.parts.database.write() as connection:
            await members.put(connection, "lab", "ada", Role.VIEWER, added_by="x", at=START)
        node.ticks = 1.9
        assert (await access.role_of("ada", "lab"), access.peek_role(ADA, "lab")) == (Role.EDITOR, Role.EDITOR)
        node.ticks = 2.0
        assert access.peek_role(ADA, "lab") is None
        assert await access.role_of("ada", "lab") is Role.VIEWER
        async with node.parts.database.write() as connection:
            await members.put(connection, "lab", "ada", Role.OWNER, added_by="x", at=START)
        access.invalidate("lab", "ada")
        assert await access.role_of("ada", "lab") is Role.OWNER

    play(tmp_path, scenario)


def test_a_crowd_asks_once(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        roles = await asyncio.gather(*(node.parts.access.role_of("ada", "lab") for _ in range(200)))
        assert roles == [Role.EDITOR] * 200

    play(tmp_path, scenario)


def test_listeners_hear_of_changes_until_they_stop(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        heard: list[Change] = []
        stop = node.parts.access.on_change(heard.append)
        node.parts.access.invalidate("lab", "ada")
        node.parts.access.invalidate(user_id="ada")
        stop()
        node.parts.access.invalidate("lab")
        assert heard == [Change("lab", "ada"), Change(None, "ada")]

    play(tmp_path, scenario)


def test_a_change_concerns_whom_it_names() -> None:
    assert Change("lab", "ada").concerns("ada", "lab")
    assert not Change("lab", "ada").concerns("ada", "office")
    assert not Change("lab", "ada").concerns("bob", "lab")
    assert Change(None, "ada").concerns("ada", "office")
    assert Change("lab", None).concerns("bob", "lab")


def test_what_another_process_changed_is_heard_of_by_refreshing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        access, heard = node.parts.access, list[Change]()
        await access.refresh()
        assert await access.role_of("ada", "lab") is Role.EDITOR
        access.on_change(heard.append)
        async with node.parts.database.write() as connection:  # as another node would
            await members.remove(connection, "lab", "ada")
            for action, target in [("collaboration.members.remove", "lab/ada"), ("sign_in", "ada")]:
                await audit.append(connection, at=START, actor="admin", action=action, target=target, outcome="done")
        await access.refresh()
        assert heard == [Change("lab", "ada")]
        assert await access.role_of("ada", "lab") is None
        await access.refresh()
        assert heard == [Change("lab", "ada")]

    play(tmp_path, scenario)


def test_more_changes_than_can_be_looked_at_forget_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.access._MOST_ROWS", 4)

    async def scenario(node: Node) -> None:
        access, heard = node.parts.access, list[Change]()
        await access.refresh()
        access.on_change(heard.append)
        async with node.parts.database.write() as connection:
            for number in range(5):
                await audit.append(
                    connection, at=START, actor="admin", action="users.activate", target=str(number), outcome="done"
                )
        await access.refresh()
        assert heard == [Change(None, None)]

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("action", "target", "outcome", "change"),
    [
        ("collaboration.members.put", "lab/ada", "done", Change("lab", "ada")),
        ("members.put", "lab/ada", "done", Change("lab", "ada")),
        ("collaboration.workspaces.delete", "lab", "done", Change("lab", None)),
        ("users.deactivate", "ada", "done", Change(None, "ada")),
        ("users.deactivate", "ada", "refused", None),
        ("collaboration.documents.create", "lab/notes", "done", None),
        ("sign_in", "ada", "done", None),
    ],
)
def test_the_audit_tells_whose_standing_changed(action: str, target: str, outcome: str, change: Change | None) -> None:
    entry = Entry(1, START + timedelta(seconds=1), "admin", action, target, outcome, {}, "", "")
    assert change_of(entry) == change

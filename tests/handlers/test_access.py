"""One answer to "may this user do this here", from memory, and never from a memory that was told to forget."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from http_node import START, Node, play
from lossy_bus import LossyBus

from handlers.access import NEEDED, ROLES, Access, Change, Role, allows
from handlers.registry import (
    Forbidden,
    NotAuthenticated,
    NotFound,
    OperationError,
    Permission,
    Principal,
)
from storage import audit, members, users, workspaces
from storage.bus.memory_bus import Hub, MemoryBus

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


def test_what_another_process_changed_is_heard_of_by_refreshing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        access, heard = node.parts.access, list[Change]()
        await access.refresh()
        assert await access.role_of("ada", "lab") is Role.EDITOR
        access.on_change(heard.append)
        await remove_ada(node)
        await access.refresh()
        assert heard == [Change("lab", "ada")]
        assert await access.role_of("ada", "lab") is None
        await access.refresh()
        assert heard == [Change("lab", "ada")]

    play(tmp_path, scenario)


async def remove_ada(node: Node) -> None:
    """As another node would: this one is not told."""
    async with node.parts.database.write() as connection:
        await members.remove(connection, "lab", "ada")
        for action, target in [("collaboration.members.remove", "lab/ada"), ("sign_in", "ada")]:
            await audit.append(connection, at=START, actor="admin", action=action, target=target, outcome="done")


class Told:
    """A node's listener, to be waited for."""

    def __init__(self, access: Access) -> None:
        self.changes: asyncio.Queue[Change] = asyncio.Queue()
        access.on_change(self.changes.put_nowait)

    async def next(self) -> Change:
        async with asyncio.timeout(5):
            return await self.changes.get()


@contextlib.asynccontextmanager
async def following(access: Access, interval: float) -> AsyncIterator[Told]:
    """The access's own task, once it has looked for the first time."""
    told = Told(access)
    running = asyncio.ensure_future(access.run(interval))
    # What was changed before the first look was perhaps read before it was changed.
    assert await told.next() == Change(None, None)
    yield told
    running.cancel()
    await asyncio.wait((running,))


def test_a_hint_on_the_bus_is_followed_at_once(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        hub = Hub()
        here = Access(node.parts.database, MemoryBus("here", hub), max_age=3600)
        there = Access(node.parts.database, MemoryBus("there", hub), max_age=3600)
        async with following(here, 3600) as told:
            assert await here.role_of("ada", "lab") is Role.EDITOR
            await remove_ada(node)
            there.invalidate("lab", "ada")
            assert await told.next() == Change("lab", "ada")
            assert await here.role_of("ada", "lab") is None

    play(tmp_path, scenario)


def test_without_a_bus_the_trail_is_looked_at_again_and_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        async with following(Access(node.parts.database), 0.1) as told:
            await remove_ada(node)
            assert await told.next() == Change("lab", "ada")

    play(tmp_path, scenario)


def test_a_bus_that_comes_back_may_have_lost_a_hint(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        hub = Hub()
        bus = LossyBus("here", hub, random.Random(1))
        async with following(Access(node.parts.database, bus), 3600) as told:
            bus.cut_off()
            await remove_ada(node)
            bus.connect_again()
            assert await told.next() == Change("lab", "ada")

    play(tmp_path, scenario)


class Logged(logging.Handler):
    """Set when a warning was logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.event.set()


def test_a_database_that_is_away_is_looked_at_again(tmp_path: Path) -> None:
    logged = Logged()

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        async with following(Access(node.parts.database), 0.1) as told:
            async with node.parts.database.write() as connection:
                await connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
            async with asyncio.timeout(5):
                await logged.event.wait()
            async with node.parts.database.write() as connection:
                await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO audit")
            await remove_ada(node)
            assert await told.next() == Change("lab", "ada")

    logger = logging.getLogger("handlers.access")
    logger.addHandler(logged)
    try:
        play(tmp_path, scenario)
    finally:
        logger.removeHandler(logged)


def test_what_was_changed_here_is_told_to_others_and_not_to_itself(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        hub = Hub()
        heard = Heard()
        MemoryBus("other", hub).subscribe("access", heard)
        await asyncio.sleep(0)
        access = Access(node.parts.database, MemoryBus("here", hub))
        access.invalidate("lab", "ada")
        await access.refresh()
        await asyncio.sleep(0)
        # The first look tells everything, and that is no reason to tell others.
        assert heard.messages == [b"here"]

    play(tmp_path, scenario)


class Heard:
    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def received(self, message: bytes) -> None:
        self.messages.append(message)

    def resumed(self) -> None:
        """There was nothing before."""

"""Versions that the server makes: when they are due, and of what."""

from pathlib import Path
from typing import Any

from editor import open_editor, row_of
from http_node import Node, play

from handlers.access import Role
from handlers.collaboration import automatic_versions
from handlers.collaboration.automatic_versions import ACTIVE_SECONDS, LEFT_SECONDS, VersionKeeper
from storage import versions

HERE = "/collaboration/documents/lab/plan"


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def kept(node: Node) -> tuple[Any, VersionKeeper, Clock]:
    """A client of an editor, and a keeper that hears of changes."""
    await node.make_workspace("lab", ada=Role.EDITOR)
    clock = Clock()
    keeper = VersionKeeper(clock)
    node.parts.rooms.change_listeners.append(keeper.changed)
    ada = node.client("ada")
    await ada.put(f"{HERE}/content", json={"text": "x"})
    return ada, keeper, clock


async def made(ada: Any) -> list[tuple[int, bool, str]]:
    items = (await ada.get(f"{HERE}/versions")).json()["items"]
    return [(item["number"], item["automatic"], item["created_by"]) for item in items]


def test_one_is_made_when_everybody_has_left(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, keeper, clock = await kept(node)
        editor = await open_editor(node.parts, "eve", "plan")
        editor.type("y")
        await editor.saved()
        clock.now += LEFT_SECONDS + 1
        await keeper.sweep(node.parts, clock.now)
        assert await made(ada) == [], "somebody is still there"
        editor.leave()
        await keeper.sweep(node.parts, clock.now)
        assert await made(ada) == [(2, True, "eve")]

    play(tmp_path, scenario)


def test_none_is_made_while_a_script_edits_in_an_empty_room(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, keeper, clock = await kept(node)
        for number in range(5):
            clock.now += LEFT_SECONDS - 1
            await keeper.sweep(node.parts, clock.now)
            await ada.put(f"{HERE}/content", json={"text": str(number)})
        assert await made(ada) == []
        clock.now += LEFT_SECONDS
        await keeper.sweep(node.parts, clock.now)
        await keeper.sweep(node.parts, clock.now + 10 * ACTIVE_SECONDS)
        assert await made(ada) == [(6, True, "ada")], "and only one"

    play(tmp_path, scenario)


def test_one_is_made_every_half_hour_of_work(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, keeper, clock = await kept(node)
        editor = await open_editor(node.parts, "eve", "plan")
        while clock.now < 2.5 * ACTIVE_SECONDS:
            clock.now += 60
            editor.type(".")
            await editor.saved()
            await keeper.sweep(node.parts, clock.now)
        numbers = [number for number, _, _ in await made(ada)]
        assert numbers == [61 + 1, 30 + 1]

    play(tmp_path, scenario)


def test_none_is_made_where_a_named_one_is(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, keeper, clock = await kept(node)
        await ada.post(f"{HERE}/versions", json={"name": "mine"})
        await keeper.sweep(node.parts, clock.now + LEFT_SECONDS)
        assert await made(ada) == [(1, False, "ada")]

    play(tmp_path, scenario)


def test_what_a_crash_left_behind_gets_one(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, _, clock = await kept(node)
        await ada.put("/collaboration/documents/lab/other/content", json={"text": "x"})
        async with node.parts.database.write() as connection:
            other = await row_of(node.parts, "lab", "other")
            await versions.create(connection, other.id, 1, created_by="ada", at=node.now())
        keeper = VersionKeeper(clock)
        await keeper.catch_up(node.parts)
        await keeper.sweep(node.parts, clock.now + LEFT_SECONDS)
        assert await made(ada) == [(1, True, "ada")]
        async with node.parts.database.read() as connection:
            assert len(await versions.list_of(connection, other.id, limit=10)) == 1

    play(tmp_path, scenario)


def test_a_document_that_is_gone_gets_none(tmp_path: Path, caplog: Any) -> None:
    async def scenario(node: Node) -> None:
        keeper = VersionKeeper(lambda: 0.0)
        keeper.changed(4711)
        await keeper.sweep(node.parts, 1e6)
        assert caplog.text == ""

    play(tmp_path, scenario)


def test_what_is_too_much_to_remember_is_looked_for_again(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(automatic_versions, "MOST_EDITED", 2)

    async def scenario(node: Node) -> None:
        ada, keeper, clock = await kept(node)
        names = ["plan", *(f"d{number}" for number in range(4))]
        for name in names[1:]:
            await ada.put(f"/collaboration/documents/lab/{name}/content", json={"text": "x"})
            assert len(keeper._edited) <= 2
        for _ in range(3):
            await keeper.catch_up(node.parts)
            assert len(keeper._edited) <= 2
            clock.now += LEFT_SECONDS
            await keeper.sweep(node.parts, clock.now)
        for name in names:
            items = (await ada.get(f"/collaboration/documents/lab/{name}/versions")).json()["items"]
            assert [item["number"] for item in items] == [1], name

    play(tmp_path, scenario)


def test_versions_that_could_not_be_made_are_made_later(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    async def failing(*_: Any, **__: Any) -> None:
        raise OSError("no disk")

    async def scenario(node: Node) -> None:
        ada, keeper, clock = await kept(node)
        clock.now += LEFT_SECONDS
        with monkeypatch.context() as patch:
            patch.setattr(versions, "create_automatic", failing)
            await keeper.sweep(node.parts, clock.now)
        assert "trying again" in caplog.text
        assert await made(ada) == []
        await keeper.sweep(node.parts, clock.now)
        assert await made(ada) == [(1, True, "ada")]

    play(tmp_path, scenario)

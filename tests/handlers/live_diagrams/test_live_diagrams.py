"""Diagrams that people have open: validated while they edit, told to everybody, and rid of what leads nowhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from editor import row_of
from http_node import Node, serving
from painter import Painter, chain, draw, make_diagram, open_painter
from painter import node as new_node
from pycrdt import Map, UndoManager

from analysis.workflow.checks import check
from analysis.workflow.references import References
from crdt.diagram import build_shared, edge_id, normalise, validate
from crdt.room import SYSTEM
from handlers.access import Role
from handlers.live_diagrams.live_diagram import LONGEST_WAIT_SECONDS, MOST_TOLD, QUIET_SECONDS
from handlers.live_diagrams.service import keep_diagrams_live
from handlers.parts import Limits
from storage import documents, update_log

AROUND_N1 = ("n0:out>n1:in", "n1:out>n2:in")
LONG = 1_000.0
SHORT = 0.6


@contextlib.asynccontextmanager
async def kept_live(node: Node) -> AsyncIterator[None]:
    service = asyncio.create_task(keep_diagrams_live(node.parts))
    await asyncio.sleep(0)
    assert len(node.parts.rooms.watchers) == 1
    try:
        yield
    finally:
        service.cancel()
        await asyncio.wait([service])
        assert node.parts.rooms.watchers == []


def play_live(place: Path, scenario: Callable[[Node], Awaitable[None]], *, grace: float = LONG) -> None:
    async def run() -> None:
        async with serving(place, limits=Limits(dangling_edge_seconds=grace)) as node:
            await node.make_workspace("lab", ada=Role.EDITOR)
            async with kept_live(node):
                await scenario(node)

    asyncio.run(run())


def test_everybody_is_told_what_is_wrong_and_when_it_is_right_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        ada, bob = await open_painter(node, "ada", "flow"), await open_painter(node, "bob", "flow")
        await ada.until_dangling()
        draw(ada, chain(3))
        ada.delete("n1")
        for painter in (ada, bob):
            await painter.until_dangling(*AROUND_N1)
            assert painter.told is not None
            assert painter.told["type"] == "violations"
            assert painter.told["total"] == len(painter.told["violations"])
            assert painter.told["violations"][0] == {
                "id": "edge.dangling@/edges/n0:out>n1:in",
                "code": "edge.dangling",
                "severity": "error",
                "node": None,
                "edge": "n0:out>n1:in",
                "path": "/edges/n0:out>n1:in",
                "message": "the edge leads from or to a node that does not exist: 'n1'",
                "fix": "remove the edge",
            }
            assert painter.is_up_to_date()
        draw(bob, chain(3))
        await ada.until_dangling()
        late = await open_painter(node, "eve", "flow")
        assert late.dangling() == []

    play_live(tmp_path, scenario)


def test_it_waits_for_a_quiet_moment_but_not_for_ever(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        ada = await open_painter(node, "ada", "flow")
        draw(ada, chain(3))
        await ada.until(lambda: ada.is_up_to_date() and ada.dangling() == [])
        loop, told = asyncio.get_running_loop(), len(ada.news)
        begun = loop.time()
        ada.delete("n1")
        await ada.until(lambda: len(ada.news) > told)
        assert QUIET_SECONDS * 0.9 <= loop.time() - begun < LONGEST_WAIT_SECONDS
        begun, told = loop.time(), len(ada.news)
        while len(ada.news) == told:
            ada.edit(lambda doc: doc.get("nodes", type=Map)["n0"].__setitem__("position", {"x": loop.time(), "y": 0.0}))
            await asyncio.sleep(QUIET_SECONDS / 10)
            assert loop.time() - begun < LONGEST_WAIT_SECONDS * 3, "somebody moves a node without a pause"
        assert loop.time() - begun >= LONGEST_WAIT_SECONDS * 0.9

    play_live(tmp_path, scenario)


def test_a_room_that_does_not_change_and_one_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        await make_diagram(node, "letter", kind="text")
        ada = await open_painter(node, "ada", "flow")
        await ada.until_dangling()
        letter = await open_painter(node, "ada", "letter")
        letter.type("hello")
        told = len(ada.news)
        draw(await open_painter(node, "bob", "flow"), {})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS * 2):
                await ada.until(lambda: len(ada.news) > told)
        assert len(ada.news) == told
        assert letter.news == []

    play_live(tmp_path, scenario)


def test_a_document_that_turns_out_to_be_a_diagram_is_one_from_then_on(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow", kind=None)
        ada = await open_painter(node, "ada", "flow")
        draw(ada, chain(2))
        ada.delete("n1")
        row = await row_of(node.parts, "lab", "flow")
        async with node.parts.database.write() as connection:
            await documents.set_shape(connection, row.id, "diagram", "")
        node.parts.changes.tell("documents", "lab")
        await ada.until_dangling("n0:out>n1:in")

    play_live(tmp_path, scenario)


def test_the_server_removes_what_leads_nowhere_after_the_grace_time(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        ada = await open_painter(node, "ada", "flow")
        draw(ada, chain(4))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        ada.delete("n1")
        await ada.until_dangling(*AROUND_N1)
        assert ada.edges() == ["n0:out>n1:in", "n1:out>n2:in", "n2:out>n3:in"]
        await ada.until_dangling()
        assert loop.time() - begun >= SHORT
        assert ada.edges() == ["n2:out>n3:in"]
        await ada.saved()
        rows = await update_log.read(node.parts.database, ada.room.row_id, 0, 100)
        assert (rows[-1].author, rows[-1].origin) == ("server", SYSTEM)

    play_live(tmp_path, scenario, grace=SHORT)


def undoing(painter: Painter) -> tuple[UndoManager, Callable[[], None], Callable[[], None]]:
    """An undo manager of the painter's own edits, a deletion of n1 that it follows, and its undoing."""
    roots: list[Any] = [painter.doc.get(root, type=Map) for root in ("nodes", "edges")]
    manager = UndoManager(scopes=roots)

    def delete() -> None:
        painter.delete("n1")

    def undo() -> None:
        painter.send_what(manager.undo)

    return manager, delete, undo


def test_undoing_the_deletion_in_time_brings_the_edge_back(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        ada = await open_painter(node, "ada", "flow")
        draw(ada, chain(3))
        manager, delete, undo = undoing(ada)
        manager.clear()
        delete()
        await ada.until_dangling(*AROUND_N1)
        undo()
        await ada.until_dangling()
        # Whatever dangles next is removed in its own time, and by then this would have been.
        ada.edit(lambda doc: doc.get("edges", type=Map).__setitem__(edge_id(GONE), Map(GONE)))
        await ada.until_dangling(edge_id(GONE))
        await ada.until_dangling()
        assert ada.edges() == ["n0:out>n1:in", "n1:out>n2:in"]
        assert validate(ada.json()) == []
        assert "n1" in ada.json()["nodes"]

    play_live(tmp_path, scenario, grace=SHORT)


GONE = {"source": "n0", "source_port": "out", "target": "nobody", "target_port": "in"}


def test_each_edge_has_its_own_grace_time(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        ada = await open_painter(node, "ada", "flow")
        draw(ada, chain(3))
        ada.delete("n1")
        await ada.until_dangling(*AROUND_N1)
        later = edge_id(GONE)
        ada.edit(lambda doc: doc.get("edges", type=Map).__setitem__(later, Map(GONE)))
        await ada.until_dangling(*sorted([*AROUND_N1, later]))
        await ada.until(lambda: ada.dangling() != sorted([*AROUND_N1, later]))
        assert ada.dangling() == [later]
        await ada.until_dangling()

    play_live(tmp_path, scenario, grace=1.0)


def test_a_room_that_everybody_left_is_mended_before_it_is_unloaded(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        ada = await open_painter(node, "ada", "flow")
        draw(ada, chain(3))
        ada.delete("n1")
        await ada.until_dangling(*AROUND_N1)
        row_id = ada.room.row_id
        await ada.saved()
        ada.leave()
        node.parts.rooms.sweep(float("inf"))
        assert node.parts.rooms.live(row_id) is not None, "what was just removed has to be stored first"
        await node.parts.rooms.settle(ada.room)
        node.parts.rooms.sweep(float("inf"))
        assert node.parts.rooms.live(row_id) is None
        again = await open_painter(node, "ada", "flow")
        assert again.edges() == []

    play_live(tmp_path, scenario)


def test_what_is_told_is_what_a_fresh_check_of_all_says(tmp_path: Path) -> None:
    """Also of what the diagram names, which is looked up: a workflow that is not there."""

    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        ada = await open_painter(node, "ada", "flow")
        draw(ada, chain(3))
        call = new_node(type="sub_workflow", params={"workflow_id": "77"})
        ada.edit(lambda doc: doc.get("nodes", type=Map).__setitem__("call", build_shared(call, ("nodes", "call"))))
        await ada.until(lambda: "reference.missing" in ada.codes())
        assert ada.told is not None
        form = normalise(ada.json())
        faults: list[Any] = [*validate(ada.json()), *check(form, references=References())]
        fresh = {fault.id: fault.severity for fault in faults}
        assert {each["id"]: each["severity"] for each in ada.told["violations"]} == fresh
        ada.delete("call")
        await ada.until(lambda: "reference.missing" not in ada.codes())

    play_live(tmp_path, scenario)


def test_a_long_list_is_cut_and_counted(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_diagram(node, "flow")
        ada = await open_painter(node, "ada", "flow")
        for at in range(MOST_TOLD + 5):
            ada.set(f"n{at}", 1.0, root="nodes")
        ada.set("a" * 5_000, 1.0, root="nodes")
        await ada.until(lambda: ada.told is not None and ada.told["total"] >= MOST_TOLD + 5)
        assert ada.told is not None
        assert len(ada.told["violations"]) == MOST_TOLD
        assert len(ada.news[-1]) < 500 * MOST_TOLD

    play_live(tmp_path, scenario)

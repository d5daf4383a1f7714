"""Ten people at one diagram: all end with the same, and are told what a fresh look at all of it finds.

Clients of both dialects edit at random over wires that drop connections with what is on its way. Every run prints its
seed. A run takes DIAGRAM_SECONDS, or as many steps as fit the suite: see `make diagrams`.
"""

import asyncio
import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from node_in_process import Node, running_node
from painter import chain
from painter import node as new_node
from wired_painter import WiredPainter

from analysis.workflow.checks import check
from analysis.workflow.references import References
from crdt.content import replace_json
from crdt.diagram import build_shared, normalise, validate
from handlers.dispatch import execute
from handlers.live_diagrams.live_diagram import MOST_TOLD
from handlers.registry import Conflict, Context, Principal
from storage import documents

PEOPLE = 10
NODES = 200
STEPS = 900
SECONDS = float(os.environ.get("DIAGRAM_SECONDS", "0"))
DEADLINE = 60.0
NAME = "flow"


def fresh(diagram: dict[str, Any]) -> list[str]:
    """The ids of what is wrong, as publishing finds it: errors first, in the order of paths, as many as are told."""
    found: list[Any] = [*validate(diagram), *check(normalise(diagram), references=References())]
    once = {violation.id: (violation.severity, violation.path, violation.code) for violation in found}
    return sorted(once, key=once.__getitem__)[:MOST_TOLD]


def step(painters: list[WiredPainter], chance: random.Random) -> None:
    painter = chance.choice(painters)
    dice = chance.random()
    if dice < 0.4:
        painter.edit()
    elif dice < 0.9:
        painter.deliver(chance.randint(1, 20))
    elif dice < 0.93 and painter.wire is not None:
        painter.drop()
    elif painter.wire is None:
        painter.connect()


async def settle(node: Node, painters: list[WiredPainter]) -> None:
    """Everybody is connected, has all that the others have, and was told of it."""
    for painter in painters:
        if painter.wire is None:
            painter.connect()
    try:
        async with asyncio.timeout(DEADLINE):
            while not (all(painter.is_quiet for painter in painters) and all_told(painters)):
                for painter in painters:
                    painter.deliver(200)
                await node.settled()
    except TimeoutError:
        raise AssertionError([painter.state_in_words(fresh(painter.json())) for painter in painters]) from None


def all_told(painters: list[WiredPainter]) -> bool:
    """State vectors say nothing of deletions: whoever is told the same as a fresh look finds was told of them, too."""
    if not all(painter.is_told_of_this for painter in painters):
        return False
    expected = fresh(painters[0].json())
    return all(painter.violations() == expected for painter in painters)


async def draw(node: Node) -> None:
    """The diagram that everybody finds."""
    row = await node.document(NAME)
    async with node.database.write() as connection:
        await documents.set_shape(connection, row.id, "diagram", "")
    await node.rooms.edit(row, "admin", lambda doc: replace_json(doc, "diagram", "", chain(NODES)))


async def ask(node: Node, operation: str, **parameters: Any) -> Any:
    context = Context(Principal("admin", True, "token"), node.studio.parts, "request", lambda: datetime.now(UTC))
    return await execute(node.studio.gateway.operations[f"workflow.definitions.{operation}"], context, parameters)


async def assert_unpublishable(node: Node, painters: list[WiredPainter]) -> None:
    """With a circle and an edge that leads nowhere; what everybody is told is what `validate` answers."""
    with painters[0].doc.transaction(origin=painters[0].user):
        for name in ("left", "right"):
            painters[0].nodes[name] = build_shared(new_node(type="transform"), ("nodes", name))
        painters[0].draw("left", "right")
        painters[0].draw("right", "left")
        painters[0].draw("left", "nobody")
    await settle(node, painters)
    workflow = await ask(node, "create", workspace_id="default", document_id=NAME)
    validated = await ask(node, "validate", workflow_id=workflow.id)
    assert [found.id for found in validated.violations] == painters[-1].violations()
    assert {"graph.cycle", "edge.dangling"} <= {found.code for found in validated.violations}
    assert not validated.can_be_published
    with pytest.raises(Conflict, match="cannot be published"):
        await ask(node, "publish", workflow_id=workflow.id)


async def undo_own(node: Node, painters: list[WiredPainter]) -> None:
    """Each puts a node there; half of them take it back, after all have seen all."""
    managers = [painter.undo_manager() for painter in painters]
    for number, painter in enumerate(painters):
        with painter.doc.transaction(origin=painter.user):
            painter.put(f"own{number}")
    await settle(node, painters)
    for manager in managers[::2]:
        assert manager.undo()
    await settle(node, painters)
    for painter in painters:
        left = sorted(name for name in painter.json()["nodes"] if name.startswith("own"))
        assert left == [f"own{number}" for number in range(1, PEOPLE, 2)], (
            "undoing takes back one's own, and no others'"
        )


def test_all_end_equal_and_are_told_what_a_fresh_look_finds(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    async def run() -> None:
        async with running_node(tmp_path) as node:
            await draw(node)
            painters = [WiredPainter(node, number, NAME, chance) for number in range(PEOPLE)]
            for painter in painters:
                await node.enlist(painter.user)
                painter.connect()
            await settle(node, painters)
            ends, steps = time.monotonic() + SECONDS, 0
            while steps < STEPS or time.monotonic() < ends:
                step(painters, chance)
                steps += 1
                await asyncio.sleep(0)
            await settle(node, painters)
            first = painters[0].json()
            for painter in painters:
                assert painter.json() == first, f"seed {seed}, {painter.user}"
                assert painter.violations() == fresh(first)
            await undo_own(node, painters)
            await assert_unpublishable(node, painters)
            print(f"{steps} steps, {len(first['nodes'])} nodes, {len(fresh(first))} violations")

    asyncio.run(run())

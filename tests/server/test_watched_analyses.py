"""An analysis that is watched on a connection: a new answer when the content changes, or what is said of it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from analysed import SALES
from answer_watcher import Watcher, answered
from catalog_sources import run_sqlite
from node_in_process import Node, running_node
from starlette.applications import Starlette
from starlette.routing import Match, Route
from studio_client import StudioClient

from handlers.analytics import versions
from handlers.discovery import discover
from server.answer_frames import ANSWER, WATCH_OPERATION
from server.studio_frames import REQUEST, RESULT
from storage import catalog, data_sources

DEADLINE = 60.0


async def dataset_of(node: Node, path: Path) -> int:
    parts = node.studio.parts
    async with node.database.write() as connection:
        source = await data_sources.create(
            connection,
            workspace_id="default",
            name="shop",
            kind="sqlite",
            description=None,
            settings={"path": str(path)},
            owner="ada",
            at=datetime.now(UTC),
        )
    await discover(parts, source, by="ada")
    async with node.database.read() as connection:
        found = await catalog.find(connection, source.id, None, "sales")
        assert found is not None
    return found.id


def test_it_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "MARKER_SECONDS", 0.0)
    run_sqlite(tmp_path / "shop.db", SALES)

    async def scenario() -> None:
        async with asyncio.timeout(2 * DEADLINE), running_node(tmp_path / "data") as node:
            await node.enlist("ada")
            sales = await dataset_of(node, tmp_path / "shop.db")
            operations: Any = node.studio.gateway.operations
            one = operations["analytics.correlations"]
            operations[one.name] = replace(one, watched=replace(one.watched, refresh_seconds=0.2))
            client = Watcher(node)
            asked = {"dataset_id": sales, "columns": ["price", "noise"]}
            client.say(WATCH_OPERATION, id=1, operation="analytics.correlations", parameters=asked)
            client.answer = (await client.hear(ANSWER))["value"]
            assert client.answer["state"] in ("computing", "done")
            await client.when("state", holds=lambda state: state == "done")
            first = client.answer
            assert first["result"]["pairs"][0]["strength"] == 0
            # The same answer over a request is the one that is there.
            client.say(REQUEST, id=2, operation="analytics.correlations", parameters=asked)
            result = await answered(client)
            assert result["value"]["cached"]
            run_sqlite(tmp_path / "shop.db", "UPDATE sales SET noise = price * 2;")
            pairs = await client.when("result", "pairs", holds=lambda pairs: pairs and pairs[0]["strength"] != 0)
            assert pairs[0]["status"] == "deterministic"
            assert client.answer["version"] != first["version"]
            await client.when("is_outdated", holds=lambda outdated: not outdated)
            await judged(client, sales)

    asyncio.run(scenario())


def test_every_watched_operation_has_its_stream(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            routes = app_routes(node.studio.app)
            for operation in node.studio.gateway.operations.values():
                if operation.watched is not None:
                    path = re.sub(r"\{[^}]*\}", "1", operation.path) + "/stream"
                    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
                    taken = next(route for route in routes if route.matches(scope)[0] is Match.FULL)
                    assert taken.path == f"{operation.path}/stream"

    asyncio.run(scenario())


def app_routes(app: Any) -> list[Route]:
    """Of the application inside of what is around it."""
    while not isinstance(app, Starlette):
        app = next(value for value in vars(app).values() if callable(value) and not isinstance(value, type))
    return [route for route in app.routes if isinstance(route, Route)]


async def judged(client: Watcher, sales: int) -> None:
    """What another one says of a finding is seen by whoever watches."""
    other = StudioClient(client.node, "ada")
    other.say(
        REQUEST,
        id=3,
        operation="analytics.results.findings",
        parameters={"result_id": client.answer["result_id"]},
    )
    [finding] = (await other.hear(RESULT))["value"]["items"]
    said = {"dataset_id": sales, "fingerprint": finding["fingerprint"], "verdict": "acknowledged"}
    other.say(REQUEST, id=4, operation="analytics.verdicts.decide", parameters=said)
    await other.hear(RESULT)
    verdicts = await client.when("verdicts", holds=bool)
    assert verdicts[0]["fingerprint"] == finding["fingerprint"]

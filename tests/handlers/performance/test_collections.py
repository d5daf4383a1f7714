"""Who may see and change how sources are collected from; what growth and statements answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from collecting_nodes import LAB, Counted, collecting, make_lab, make_source, set_collection

from handlers import measurements
from handlers.performance.visiting import SourceVisits
from storage import data_sources, metric_collections
from storage.samples.columns import SampleColumns, SeriesKey

PATH = "/performance/collections"


def test_members_see_and_administrators_change(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with collecting(tmp_path, reader=Counted()) as (node, _):
            await make_lab(node)
            await node.make_user("eve")
            source_id = await make_source(node)
            one = f"{PATH}/{source_id}"
            assert (await node.client("bob").get(one)).json()["state"] == "off"
            assert (await node.client("bob").patch(one, json={"enabled": True})).status_code == 403
            assert (await node.client("eve").get(one)).status_code == 404
            assert (await node.client("eve").get(PATH, params={"workspace_id": LAB})).status_code == 404
            assert (await node.client("ada").get(f"{PATH}/{source_id + 1}")).status_code == 404
            await set_collection(node, source_id, enabled=True, preset="minimal", capacity_bytes=10**9)
            changed = await set_collection(node, source_id, statements=False)
            assert (changed["enabled"], changed["preset"], changed["capacity_bytes"]) == (True, "minimal", 10**9)
            assert (await set_collection(node, source_id, capacity_bytes=None))["capacity_bytes"] is None
            listed = (await node.client("bob").get(PATH, params={"workspace_id": LAB})).json()["items"]
            assert [(item["data_source_id"], item["state"]) for item in listed] == [(source_id, "waiting")]
            assert "metrics.collections.update" in [entry.action for entry in await node.audited()]
            for what in ("statements", "blocking", "index-advice", "growth"):
                assert (await node.client("eve").get(f"/performance/{what}/{source_id}")).status_code == 404, what
                assert (await node.client("bob").get(f"/performance/{what}/{source_id}")).status_code == 200, what

    asyncio.run(scenario())


def test_what_a_source_cannot_tell_is_listed_with_what_would_help(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with collecting(tmp_path, reader=Counted()) as (node, service):
            await make_lab(node)
            source_id = await make_source(node)
            await set_collection(node, source_id, enabled=True)
            async with node.parts.database.read() as connection:
                [collected] = await metric_collections.enabled(connection)
            visits: SourceVisits = service._visits(collected, None)
            await visits.turn()
            async with node.parts.database.write() as connection:
                await metric_collections.note_visits(connection, [visits.visits])
            shown = (await node.client("bob").get(f"{PATH}/{source_id}")).json()
            assert shown["cannot_tell"] == [
                {"what": "statements", "reason": "A toy has none.", "remedy": "GRANT toys TO everybody;"}
            ]
            assert shown["grant_script"] == "GRANT toys TO everybody;"
            answer = (await node.client("bob").get(f"/performance/statements/{source_id}")).json()
            assert answer["items"] == []
            assert answer["cannot_tell"]["reason"] == "A toy has none."

    asyncio.run(scenario())


def test_growth_against_the_capacity_of_the_collection(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with collecting(tmp_path, reader=Counted()) as (node, _):
            await make_lab(node)
            source_id = await make_source(node)
            hours = np.arange(5 * 24)
            now_ms = int(node.now().timestamp() * 1000)
            at = now_ms - (len(hours) - 1 - hours) * 3_600_000
            keys = [
                SeriesKey("postgresql.database.size", (("database", name),), "gauge", "By") for name in ("shop", "log")
            ]
            sizes = np.concatenate([1e9 + 1e6 * hours, 2e9 + 3e6 * hours])
            index = np.repeat(np.arange(2, dtype=np.int32), len(hours))
            columns = SampleColumns(keys, index, np.tile(at, 2), sizes)
            async with node.parts.database.read() as connection:
                source = await data_sources.get(connection, source_id)
            await measurements.store(node.parts, source, columns)
            await set_collection(node, source_id, capacity_bytes=4 * 10**9)
            found = (await node.client("bob").get(f"/performance/growth/{source_id}")).json()
            whole = found["whole"]
            assert whole["status"] == "growing"
            assert abs(whole["bytes_per_day"] - 24 * 4e6) < 24 * 4e4
            left = 4e9 - (3e9 + 4e6 * (len(hours) - 1))
            assert abs(whole["days"] - left / (24 * 4e6)) < 0.2
            assert whole["earliest_days"] <= whole["days"] <= whole["latest_days"]
            assert [item["labels"]["database"] for item in found["items"]] == ["log", "shop"]
            asked = await node.client("bob").get(
                f"/performance/growth/{source_id}", params={"capacity_bytes": 3 * 10**9}
            )
            assert asked.json()["whole"]["status"] == "full"

    asyncio.run(scenario())

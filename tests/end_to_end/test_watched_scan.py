"""A scan that is watched while it runs: over server-sent events and over a socket, by two who see the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from collab_studio import BEGINNING, connect
from scanning import write_sqlite
from server_process import ServerProcess

DEADLINE = 90.0
ROWS = 400_000
ENDINGS = ("scan.finished", "scan.failed", "scan.cancelled")

Told = tuple[int, str, dict[str, Any], bool]


def test_a_scan_is_watched_while_it_runs(server: ServerProcess, tmp_path: Path) -> None:
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
    columns = ", ".join(
        f"i * {factor} % 99991 AS c{factor}, 'word ' || i % {factor} AS t{factor}" for factor in (3, 7, 11)
    )
    path = write_sqlite(tmp_path / "source.sqlite3", f"CREATE TABLE many AS {numbers} SELECT {columns} FROM n")
    token = server.token("admin", "owner")

    async def scenario() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            asyncio.timeout(DEADLINE),
            httpx.AsyncClient(base_url=server.url, headers=headers, timeout=DEADLINE) as client,
        ):
            body = {"name": "source", "kind": "sqlite", "settings": {"path": str(path)}}
            source = (await client.post("/data-sources", json=body)).json()
            scan = (await client.post("/scans", json={"source_id": source["id"], "parts": ["profile"]})).json()
            streamed, sent = await asyncio.gather(
                seen(client, scan["id"], events_of_stream(client, scan["id"])),
                seen(client, scan["id"], events_of_socket(server, token, scan["id"])),
            )
        assert [event[:3] for event in streamed] == [event[:3] for event in sent]
        assert [event[0] for event in streamed] == list(range(1, len(streamed) + 1))
        assert (streamed[0][1], streamed[-1][1]) == ("scan.started", "scan.finished")
        for told in (streamed, sent):
            progress = [(data, runs) for _, kind, data, runs in told if kind == "scan.progress"]
            assert any(runs for _, runs in progress), "nothing was told before it was over"
            percents = [data["percent"] for data, _ in progress]
            assert percents == sorted(percents)
            assert all(0 < percent < 100 for percent in percents), percents
            assert all(data["rows_per_second"] > 0 and 0 < data["rows"] <= ROWS for data, _ in progress)

    asyncio.run(scenario())


async def seen(
    client: httpx.AsyncClient, scan_id: int, events: AsyncIterator[tuple[int, str, dict[str, Any]]]
) -> list[Told]:
    """The events until the scan ends, each with whether the scan had not ended when it came."""
    told: list[Told] = []
    async for offset, kind, data in events:
        runs = kind == "scan.progress" and (await client.get(f"/scans/{scan_id}")).json()["finished_at"] is None
        told.append((offset, kind, data, runs))
        if kind in ENDINGS:
            break
    return told


async def events_of_stream(client: httpx.AsyncClient, scan_id: int) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
    headers = {"Last-Event-ID": ":0"}
    async with client.stream("GET", f"/feeds/default/scans.{scan_id}/stream", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        async for line in response.aiter_lines():
            if not line.startswith("data: "):
                continue
            event = json.loads(line.removeprefix("data: "))
            # Others tell of the stream itself.
            if "offset" in event and "type" in event:
                yield event["offset"], event["type"], event["data"]


async def events_of_socket(
    server: ServerProcess, token: str, scan_id: int
) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
    async with (
        connect(server.url, token=token) as studio,
        studio.watch(f"scans.{scan_id}", since=BEGINNING) as watch,
    ):
        async for event in watch:
            yield event.offset, event.type, event.data

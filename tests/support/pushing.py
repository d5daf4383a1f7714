"""A workspace with data sources that samples are pushed to."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from http_node import Node

from handlers.access import Role
from storage import data_sources

OTLP = "otlp/v1/metrics"
WRITE = "api/v1/write"
PROTOBUF = {"content-type": "application/x-protobuf"}
REMOTE_WRITE = {**PROTOBUF, "content-encoding": "snappy", "x-prometheus-remote-write-version": "0.1.0"}
LINES = {"content-type": "application/x-ndjson"}


@dataclass
class Shop:
    """Two sources of the workspace `lab`, and a push key of the first; `pusher` holds nothing else."""

    node: Node
    source_id: int
    other_id: int
    key_id: int
    secret: str
    pusher: httpx.AsyncClient
    ada: httpx.AsyncClient

    def address(self, path: str = "samples", source_id: int | None = None) -> str:
        return f"/performance/sources/{source_id or self.source_id}/{path}"

    async def stored(self, source_id: int | None = None) -> dict[str, list[float]]:
        """What is stored of each metric, whatever its labels, by time."""
        samples = self.node.parts.samples
        series = await samples.series(source_id or self.source_id)
        read = await samples.read(series, 0, 2**52)
        found: dict[str, list[float]] = {}
        for one in series:
            found.setdefault(one.key.metric, []).extend(read[one.id].value.tolist())
        return found


async def shop(node: Node) -> Shop:
    """`ada` administrates, `bob` edits and `eve` looks at `lab`."""
    await node.make_workspace("lab", ada=Role.ADMIN, bob=Role.EDITOR, eve=Role.VIEWER)
    ids = []
    async with node.parts.database.write() as connection:
        for name in ("Shop", "Other"):
            made = await data_sources.create(
                connection,
                workspace_id="lab",
                name=name,
                kind="sqlite",
                description=None,
                settings={"path": "/nowhere.sqlite3"},
                owner="ada",
                at=node.now(),
            )
            ids.append(made.id)
    ada = node.client("ada")
    made_key = await ada.post(f"/performance/sources/{ids[0]}/push-keys", json={"name": "Collector"})
    assert made_key.status_code == 201, made_key.text
    key = made_key.json()
    pusher = node.client(None, credential=key["secret"])
    return Shop(node, ids[0], ids[1], key["key"]["id"], key["secret"], pusher, ada)


def now_ms(node: Node) -> int:
    return int(node.now().timestamp() * 1000)


async def post(there: Shop, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
    return await there.pusher.post(there.address(path), content=content, headers=headers)

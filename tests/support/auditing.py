"""A node that audits sources, and whoever waits for what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from http_node import Node, executing
from httpx import AsyncClient
from postgres_server import PostgresServer

from handlers.access import Role
from handlers.catalogue import JOBS
from storage import alert_lists
from storage.alert_lists import Wanted
from storage.alerts import Alert

DEADLINE = 60.0
CHECK = "PG-PRIV-002"


@dataclass
class Auditor:
    """`ada` is an editor of the workspace `lab`, `mia` its manager, `vic` may only look."""

    node: Node
    ada: AsyncClient
    mia: AsyncClient

    async def source(self, server: PostgresServer, name: str = "pg", **settings: Any) -> int:
        at = {"host": "127.0.0.1", "port": server.port, "database": server.database, "user": "postgres"}
        body = {
            "workspace_id": "lab",
            "name": name,
            "kind": "postgresql",
            "settings": at | {"tls": "disable"} | settings,
        }
        return int((await done(self.mia.post("/data-sources", json=body), 201))["id"])

    async def begin(self, source_id: int, **options: Any) -> int:
        body = {"workspace_id": "lab", "source_ids": [source_id], **options}
        return int((await done(self.ada.post("/security/scans", json=body), 202))["items"][0]["id"])

    async def when_over(self, scan_id: int) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            while True:
                found = await done(self.ada.get(f"/security/scans/{scan_id}"))
                if found["finished_at"] is not None:
                    return found
                await asyncio.sleep(0.02)

    async def audit(self, source_id: int, **options: Any) -> dict[str, Any]:
        """The audit once it has ended."""
        return await self.when_over(await self.begin(source_id, **options))

    async def posture(self, source_id: int, client: AsyncClient | None = None) -> dict[str, Any]:
        return await done((client or self.mia).get(f"/security/audit/{source_id}"))

    async def finding(self, source_id: int, check_id: str = CHECK) -> dict[str, Any]:
        """The one finding of a check, fixed or not."""
        listed = await done(self.mia.get("/security/findings", params={"workspace_id": "lab", "source_id": source_id}))
        [found] = [one for one in listed["items"] if one["check_id"] == check_id]
        return dict(found)

    async def events(self, feed: str) -> list[dict[str, Any]]:
        listed = await done(self.ada.get(f"/feeds/lab/{feed}", params={"limit": 200}))
        return list(listed["items"][::-1])


async def alerts_of(auditor: Auditor) -> list[Alert]:
    async with auditor.node.parts.database.read() as connection:
        return await alert_lists.list_of(connection, Wanted("lab", "security"), limit=100)


async def done(answering: Awaitable[Any], status: int = 200) -> dict[str, Any]:
    answer = await answering
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


@contextlib.asynccontextmanager
async def auditing(place: Path | str, folder: Path) -> AsyncIterator[Auditor]:
    """A node over the database that executes audits."""
    async with executing(place, jobs=JOBS, folder=folder) as node:
        # Audits go by the calendar of the machine; what people decide has to be of the same days.
        node.clock = datetime.now(UTC)
        await node.make_workspace("lab", ada=Role.EDITOR, vic=Role.VIEWER, mia=Role.ADMIN)
        yield Auditor(node, node.client("ada"), node.client("mia"))


def audit_with(place: Path | str, folder: Path, scenario: Callable[[Auditor], Any]) -> None:
    async def run() -> None:
        async with auditing(place, folder) as auditor:
            await scenario(auditor)

    asyncio.run(run())

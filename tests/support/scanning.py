"""A node that scans, sources to be scanned, and whoever waits for what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from http_node import Node, executing
from httpx import AsyncClient

from handlers.access import Role
from handlers.catalogue import JOBS

DEADLINE = 60.0
CARDS = ("4111111111111111", "5500000000000004", "340000000000009", "30000000000004")


@dataclass
class Scanner:
    """`ada` is an editor of the workspace `lab`; `admin` may register files."""

    node: Node
    ada: AsyncClient

    async def source(self, name: str, kind: str, password: str | None = None, **settings: Any) -> int:
        body = {"workspace_id": "lab", "name": name, "kind": kind, "settings": settings}
        if password is not None:
            body["password"] = password
        answer = await self.node.client("admin").post("/data-sources", json=body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    async def begin(self, source_id: int, **options: Any) -> int:
        answer = await self.ada.post("/scans", json={"source_id": source_id, **options})
        assert answer.status_code == 202, answer.text
        return int(answer.json()["id"])

    async def look(self, scan_id: int) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ada.get(f"/scans/{scan_id}")).json()
        return found

    async def when(self, scan_id: int, holds: Callable[[dict[str, Any]], bool], deadline: float = DEADLINE) -> Any:
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(deadline):
                while True:
                    found = await self.look(scan_id)
                    if holds(found):
                        return found
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"the scan is still {found}") from None

    async def scan(self, source_id: int, *, deadline: float = DEADLINE, **options: Any) -> dict[str, Any]:
        """The scan once it has ended."""
        scan_id = await self.begin(source_id, **options)
        ended: dict[str, Any] = await self.when(scan_id, lambda scan: scan["finished_at"] is not None, deadline)
        return ended

    async def run_when_over(self, run_id: str) -> dict[str, Any]:
        """A durable run once it has ended: a moment after its scan."""
        async with asyncio.timeout(DEADLINE):
            while True:
                run: dict[str, Any] = (await self.ada.get(f"/runs/{run_id}")).json()
                if run["finished_at"] is not None:
                    return run
                await asyncio.sleep(0.02)

    async def results(self, scan_id: int, **chosen: Any) -> list[dict[str, Any]]:
        """All of them, page by page."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        while True:
            page = (await self.ada.get(f"/scans/{scan_id}/results", params={**chosen, **cursor, "limit": 50})).json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    async def outcomes(self, scan_id: int) -> dict[str, dict[str, Any]]:
        """What came of each dataset, by its name."""
        return {found["dataset"]: found["body"] for found in await self.results(scan_id, kind="dataset")}

    async def events(self, scan_id: int) -> list[dict[str, Any]]:
        answer = await self.ada.get(f"/feeds/lab/scans.{scan_id}", params={"limit": 200})
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["items"][::-1]
        return events


@contextlib.asynccontextmanager
async def scanning(place: Path | str, folder: Path) -> AsyncIterator[Scanner]:
    """A node over the database that executes scans."""
    async with executing(place, jobs=JOBS, folder=folder) as node:
        await node.make_workspace("lab", ada=Role.EDITOR, vic=Role.VIEWER, admin=Role.ADMIN)
        yield Scanner(node, node.client("ada"))


def scan_with(place: Path | str, folder: Path, scenario: Callable[[Scanner], Any]) -> None:
    async def run() -> None:
        async with scanning(place, folder) as scanner:
            await scenario(scanner)

    asyncio.run(run())


def write_sqlite(path: Path, *statements: str, rows: Iterable[tuple[str, list[tuple[Any, ...]]]] = ()) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
        for statement, values in rows:
            connection.executemany(statement, values)
    return path


def shop(folder: Path, orders: int = 2_000) -> Path:
    """A SQLite database of customers with cards, and orders."""
    customers = [(key, f"person{key}@example.org", CARDS[key % len(CARDS)]) for key in range(1, 301)]
    sold = [(key, key % 300 + 1, key * 1.5, f"2024-01-{key % 28 + 1:02d}") for key in range(1, orders + 1)]
    return write_sqlite(
        folder / "shop.sqlite3",
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, card_number TEXT)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, amount REAL, day TEXT)",
        "CREATE VIEW best AS SELECT * FROM orders WHERE amount > 100",
        rows=[
            ("INSERT INTO customers VALUES (?, ?, ?)", customers),
            ("INSERT INTO orders VALUES (?, ?, ?, ?)", sold),
        ],
    )

"""Datasets to be analysed, in sources of a node, and whoever asks about them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from catalog_sources import found_in, ids_of, lab, register, run_duckdb, run_sqlite
from http_node import Node, serving

DEADLINE = 60.0
# Price and cost go together, noise with nothing.
SALES = """
CREATE TABLE sales (id INTEGER PRIMARY KEY, price REAL, cost REAL, noise REAL, region TEXT, day DATE);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
INSERT INTO sales SELECT i, (i*i*i * 7919 + i * 17) % 1009,
    (i*i*i * 7919 + i * 17) % 1009 * 0.6 + (i*i*i * 104729 + i * 13) % 97, (i*i*i * 31337 + i * 101) % 541,
    CASE i % 3 WHEN 0 THEN 'north' WHEN 1 THEN 'south' ELSE 'east' END,
    date('2024-01-01', ((i*i*i * 53 + i * 7) % 359) || ' days') FROM n;
"""


@dataclass
class Analyst:
    """`ada` is an editor of the workspace `lab`, `eve` a viewer."""

    node: Node
    ada: httpx.AsyncClient
    folder: Path

    async def sqlite(self, sql: str, name: str = "shop") -> dict[str, int]:
        """The ids of the tables by name."""
        run_sqlite(self.folder / f"{name}.db", sql)
        return await self._found(name, "sqlite", {"path": str(self.folder / f"{name}.db")})

    async def duckdb(self, sql: str, name: str = "mart") -> dict[str, int]:
        run_duckdb(self.folder / f"{name}.duckdb", sql)
        return await self._found(name, "duckdb", {"path": str(self.folder / f"{name}.duckdb")})

    async def files(self, **contents: str) -> dict[str, int]:
        """CSV files by name; the ids by file name."""
        place = self.folder / "files"
        place.mkdir(exist_ok=True)
        for name, content in contents.items():
            (place / f"{name}.csv").write_text(content, encoding="utf-8")
        return await self._found("files", "files", {"path": str(place)})

    async def _found(self, name: str, kind: str, settings: dict[str, Any]) -> dict[str, int]:
        source = await register(self.node, name, kind, settings)
        await found_in(self.node, source)
        return await ids_of(self.ada, source.id)

    async def ask(self, kind: str, dataset_id: int, **asked: Any) -> dict[str, Any]:
        """The answer once it is computed."""
        async with asyncio.timeout(DEADLINE):
            while True:
                found = await self.ada.get(f"/analytics/{kind}/{dataset_id}", params=asked)
                assert found.status_code == 200, found.text
                answer: dict[str, Any] = found.json()
                if answer["state"] != "computing":
                    return answer

    async def get(self, address: str, **asked: Any) -> Any:
        found = await self.ada.get(address, params=asked)
        assert found.status_code == 200, found.text
        return found.json()

    async def refused(self, address: str, **asked: Any) -> tuple[int, str, str]:
        """Status, code and what is said."""
        found = await self.ada.get(address, params=asked)
        assert found.headers["content-type"] == "application/problem+json", found.text
        return found.status_code, found.json()["code"], found.json()["detail"]


async def until(condition: Callable[[], bool], what: str) -> None:
    """Returns as soon as the condition holds; fails at the deadline."""
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it is not so that {what}") from None


def analyse(place: Path | str, folder: Path, scenario: Callable[[Analyst], Coroutine[Any, Any, None]]) -> None:
    """Runs a scenario against a node of its own."""

    async def run() -> None:
        async with serving(place) as node:
            await scenario(Analyst(node, await lab(node), folder))

    asyncio.run(run())


def pairs_of(answer: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The pairs of an association matrix by their names in order."""
    return {(min(pair["a"], pair["b"]), max(pair["a"], pair["b"])): pair for pair in answer["result"]["pairs"]}

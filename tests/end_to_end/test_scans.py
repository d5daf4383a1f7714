"""`serve`, killed with SIGKILL in the middle of a scan, and started again."""

from pathlib import Path
from typing import Any

import httpx
from scanning import write_sqlite
from server_process import ServerProcess
from waiting import wait_until

TABLES = 12
DEADLINE = 60.0


def test_a_killed_server_goes_on_with_the_next_dataset(server: ServerProcess, tmp_path: Path) -> None:
    path = write_sqlite(
        tmp_path / "source.sqlite3", *(f"CREATE TABLE t{number:02d} AS SELECT 1 AS x" for number in range(TABLES))
    )
    headers = {"Authorization": f"Bearer {server.token('admin', 'owner')}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        body = {"name": "source", "kind": "sqlite", "settings": {"path": str(path)}}
        source = client.post("/data-sources", json=body).json()
        asked = {"source_id": source["id"], "parts": ["profile", "classification"], "pause_ms": 300}
        scan = client.post("/scans", json=asked).json()

        def look() -> dict[str, Any]:
            found: dict[str, Any] = client.get(f"/scans/{scan['id']}").json()
            return found

        wait_until(lambda: look()["datasets"].get("succeeded", 0) >= 4, DEADLINE, lambda: str(look()))
        server.kill()
        server.start()
        wait_until(lambda: look()["finished_at"] is not None, DEADLINE, lambda: str(look()))
        ended = look()
        assert (ended["state"], ended["summary"]["succeeded"]) == ("succeeded", TABLES)
        assert client.get(f"/runs/{scan['run_id']}").json()["attempt"] == 2
        results = client.get(f"/scans/{scan['id']}/results", params={"kind": "dataset"}).json()["items"]
        attempts = [result["body"]["attempt"] for result in results]
        # Only the one that was under way was begun a second time.
        assert len(attempts) == TABLES
        assert sum(attempts) in (TABLES, TABLES + 1), attempts
        events = client.get(f"/feeds/default/scans.{scan['id']}", params={"limit": 200}).json()["items"]
        done = [event["data"]["dataset"] for event in events if event["type"] == "scan.dataset"]
        assert sorted(done) == [f"t{number:02d}" for number in range(TABLES)]
    assert "Traceback" not in server.log.read_text()

"""`serve`, killed with SIGKILL in the middle of an export, and started again."""

import json
from pathlib import Path
from typing import Any

import httpx
from server_process import ServerProcess
from waiting import wait_until

DOCUMENTS = 100
DEADLINE = 60.0


def test_a_killed_server_goes_on_with_the_next_document(server: ServerProcess, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {server.token('admin', 'owner')}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        for first in range(0, DOCUMENTS, 50):
            requests = [make(f"document-{number:03d}") for number in range(first, first + 50)]
            answers = client.post("/batch", json=requests).json()
            assert {answer["status"] for answer in answers} == {200}, answers
        plan = {"workspace_id": "default", "title": "Export", "job": "workspace.export", "every_seconds": 86400}
        schedule = client.post("/schedules", json=plan).json()
        run = client.post(f"/schedules/{schedule['id']}/run", json={}).json()

        def look() -> dict[str, Any]:
            found: dict[str, Any] = client.get(f"/runs/{run['id']}").json()
            return found

        exports = tmp_path / "data" / "exports" / "default"
        wait_until(lambda: len(list(exports.glob("*/*.txt"))) >= 20, DEADLINE, lambda: str(look()))
        server.kill()
        before = {path.name: path.stat().st_mtime_ns for path in exports.glob("*/*.txt")}
        assert 20 <= len(before) < DOCUMENTS, "it was too late to interrupt anything"
        server.start()
        wait_until(lambda: look()["finished_at"] is not None, DEADLINE, lambda: str(look()))
        ended = look()
        assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
        assert ended["progress"] == {"done": DOCUMENTS, "total": DOCUMENTS, "note": None}
        after = {path.name: path.stat().st_mtime_ns for path in exports.glob("*/*.txt")}
        assert len(after) == DOCUMENTS
        # At most the one that was under way was written once more.
        assert len([name for name, at in before.items() if after[name] != at]) <= 1
        [manifest] = exports.glob("*/manifest.json")
        names = [file["document"] for file in json.loads(manifest.read_text())["files"]]
        assert names == [f"document-{number:03d}" for number in range(DOCUMENTS)]
        assert client.get(f"/schedules/{schedule['id']}").json()["last_run"]["state"] == "succeeded"
    log = server.log.read_text()
    assert "Traceback" not in log, log
    assert "dbos" not in log.lower().replace("durable", ""), log


def make(name: str) -> dict[str, Any]:
    parameters = {"workspace_id": "default", "document_id": name, "text": f"This is {name}."}
    return {"id": name, "operation": "collaboration.content.put", "parameters": parameters}

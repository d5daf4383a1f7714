"""Audits of some checks: they say nothing about the others, and one of none fails."""

import asyncio
from pathlib import Path
from typing import Any

from auditing import CHECK, DEADLINE, Auditor, audit_with, done
from postgres_server import PostgresServer


def test_whoever_chooses_checks_changes_nothing_about_the_others(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        first = await auditor.audit(source, checks=["PG-ROLE-005"])
        early = await auditor.posture(source)
        assert first["summary"]["overall"]["coverage"] == 1.0
        assert early["overall"]["coverage"] < 0.05
        assert early["overall"]["not_evaluated"] == len(early["checks"]) - 1 - _hygiene(early)
        every = await auditor.audit(source)
        whole = await auditor.posture(source)
        assert (whole["overall"], whole["categories"]) == (every["summary"]["overall"], every["summary"]["categories"])
        await audited_server.execute_soon("REVOKE UPDATE ON open_house FROM PUBLIC")
        chosen = await auditor.audit(source, checks=[CHECK])
        posture = await auditor.posture(source)
        assert [one["check_id"] for one in posture["checks"]] == [one["check_id"] for one in whole["checks"]]
        made = {one["check_id"]: (one["scan_id"], one["outcome"]) for one in posture["checks"]}
        assert made.pop(CHECK) == (chosen["id"], "pass")
        assert {scan_id for scan_id, _ in made.values()} == {every["id"]}
        assert posture["overall"]["passed"] == whole["overall"]["passed"] + 1
        page = (await auditor.mia.get(f"/security/audit/{source}/export", params={"format": "html"})).text
        assert f"<td>overall</td><td>{posture['overall']['score']:g}</td>" in page

    audit_with(engine_url, tmp_path, scenario)


def _hygiene(posture: dict[str, Any]) -> int:
    return sum(one["category"] == "schema_hygiene" for one in posture["checks"])


def test_an_audit_of_checks_that_there_are_not_fails(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        plan = {
            "workspace_id": "lab",
            "title": "Misspelt",
            "job": "security.audit",
            "cron": "0 3 * * *",
            "arguments": {"source_ids": [source], "checks": ["PG-ROLE-1"]},
        }
        schedule = await done(auditor.ada.post("/schedules", json=plan), 201)
        run = await done(auditor.ada.post(f"/schedules/{schedule['id']}/run", json={}), 202)
        async with asyncio.timeout(DEADLINE):
            while True:
                ended = await done(auditor.ada.get(f"/runs/{run['id']}"))
                if ended["state"] not in ("queued", "running"):
                    break
                await asyncio.sleep(0.02)
        assert (ended["state"], ended["error"]["code"]) == ("failed", "unknown_check")
        assert (await auditor.posture(source))["latest"] is None

    audit_with(engine_url, tmp_path, scenario)

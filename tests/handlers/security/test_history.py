"""What happened to a finding is kept: by which audit or by whom, and what is different since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from auditing import CHECK, Auditor, alerts_of, audit_with, done
from postgres_server import PostgresServer

from connectors.security.catalogue import catalogue
from connectors.security.check import AuditedObject, CheckResult, Outcome, Server, Severity, Violation
from handlers.security.ending import end_acceptances
from handlers.security.recording import end_audit
from storage import security_scans


async def history(auditor: Auditor, finding_id: int, client: Any = None) -> list[dict[str, Any]]:
    asked = (client or auditor.mia).get(f"/security/findings/{finding_id}/history")
    return list((await done(asked))["items"])


def test_all_that_happens_to_a_finding_is_told_in_order(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        first = await auditor.audit(source, checks=[CHECK])
        found = await auditor.finding(source)
        path = f"/security/findings/{found['id']}"
        await done(auditor.ada.post(f"{path}/acknowledge", json={"note": "mine"}))
        await done(auditor.mia.post(f"{path}/accept", json={"why": "a demo", "seconds": 60}))
        await end_acceptances(auditor.node.parts, at=auditor.node.now() + timedelta(minutes=2))
        await done(auditor.mia.post(f"{path}/reopen", json={}))
        await done(auditor.mia.put(f"/security/audit/{source}/baseline", json={}))
        await done(auditor.mia.put(f"/security/audit/{source}/baseline", json={}))
        await audited_server.execute_soon("GRANT DELETE ON open_house TO PUBLIC")
        changed = await auditor.audit(source, checks=[CHECK])
        await auditor.audit(source, checks=[CHECK])
        await audited_server.execute_soon("REVOKE ALL ON open_house FROM PUBLIC")
        fixed = await auditor.audit(source, checks=[CHECK])
        await audited_server.execute_soon("GRANT DELETE ON open_house TO PUBLIC")
        reopened = await auditor.audit(source, checks=[CHECK])

        told = await history(auditor, found["id"])
        assert [(one["kind"], one["scan_id"], one["actor"], one["note"]) for one in told] == [
            ("opened", first["id"], None, None),
            ("acknowledged", None, "ada", "mine"),
            ("accepted", None, "mia", "a demo"),
            ("acceptance_ended", None, None, None),
            ("decision_taken_back", None, "mia", None),
            ("baseline_set", first["id"], "mia", None),
            ("changed", changed["id"], None, None),
            ("fixed", fixed["id"], None, None),
            ("reopened", reopened["id"], None, None),
        ]
        [different] = [one["details"] for one in told if one["details"]]
        assert different == {"evidence.rights": ["UPDATE", "DELETE, UPDATE"]}
        assert told[0]["at"] == found["first_seen_at"]
        events = await auditor.events("security.findings")
        assert "finding.changed" in [one["type"] for one in events]

        vic = await history(auditor, found["id"], auditor.node.client("vic"))
        assert [one["kind"] for one in vic] == [one["kind"] for one in told]
        assert {str(one["details"]) for one in vic} == {"None"}
        page = await done(auditor.mia.get(f"{path}/history", params={"limit": 4}))
        rest = await done(auditor.mia.get(f"{path}/history", params={"cursor": page["next_cursor"]}))
        assert [*page["items"], *rest["items"]] == told
        assert (await auditor.mia.get("/security/findings/987654/history")).status_code == 404

    audit_with(engine_url, tmp_path, scenario)


def test_what_becomes_severe_is_an_alert_and_what_becomes_harmless_is_none(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    """A check may judge by what is known later: advisories do."""
    check = next(one for one in catalogue("postgresql") if one.id == CHECK)

    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)

        async def found(severity: Severity) -> list[str]:
            async with auditor.node.parts.feeds.writing() as (connection, outbox):
                scan_id = await security_scans.create(
                    connection,
                    workspace_id="lab",
                    source_id=source,
                    run_id=f"run-{severity}",
                    options="{}",
                    created_by="ada",
                    at=auditor.node.now(),
                )
                scan = await security_scans.get(connection, scan_id)
                assert scan is not None
                judged = replace(check, severity=severity)
                result = CheckResult(judged, Outcome.FAIL, (Violation(AuditedObject("table", "open_house")),))
                server = Server(product="postgresql", version_text="16.1")
                assert await end_audit(connection, outbox, scan, server, [result], at=auditor.node.now())
            return [one.state for one in await alerts_of(auditor)]

        assert await found(Severity.MEDIUM) == []
        assert await found(Severity.CRITICAL) == ["firing"]
        assert await found(Severity.LOW) == ["resolved"]
        finding = await auditor.finding(source)
        assert [one["details"] for one in await history(auditor, finding["id"])] == [
            None,
            {"severity": ["medium", "critical"]},
            {"severity": ["critical", "low"]},
        ]

    audit_with(engine_url, tmp_path, scenario)

"""Audits over HTTP: what they find and when that is over, who may see it, and that one that died is never clean."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from auditing import CHECK, Auditor, alerts_of, audit_with, done
from http_node import Node, play
from postgres_server import PostgresServer
from sqlalchemy import update

from connectors.security.catalogue import catalogue
from connectors.security.check import AuditedObject, CheckResult, Outcome, Server, Violation
from handlers.access import Role
from handlers.security.ending import end_abandoned, end_acceptances
from handlers.security.recording import end_audit
from storage import run_tables, runs, security_scans


def test_a_fault_is_found_once_fixed_and_found_again(
    database_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        first = await auditor.audit(source)
        assert (first["state"], first["error"]) == ("succeeded", None)
        posture = await auditor.posture(source)
        assert posture["audit"]["id"] == first["id"]
        found = await auditor.finding(source)
        assert (found["state"], found["change"], found["severity"]) == ("open", "new", "high")
        assert "open_house" in found["object"]
        assert "REVOKE" in found["remediation"]["sql"]
        assert found["id"] in posture["changed"]["new"]

        second = await auditor.audit(source)
        assert second["summary"]["new"] == second["summary"]["fixed"] == 0
        await audited_server.execute_soon("REVOKE UPDATE ON open_house FROM PUBLIC")
        third = await auditor.audit(source)
        assert third["summary"]["fixed"] == 1
        fixed = await auditor.finding(source)
        assert (fixed["id"], fixed["state"], fixed["fingerprint"]) == (found["id"], "resolved", found["fingerprint"])
        assert (await auditor.posture(source))["changed"]["fixed"] == [found["id"]]
        await audited_server.execute_soon("GRANT UPDATE ON open_house TO PUBLIC")
        await auditor.audit(source)
        again = await auditor.finding(source)
        assert (again["id"], again["state"], again["reopened"]) == (found["id"], "open", 1)
        told = [event for event in await auditor.events("security.findings") if event["data"]["check_id"] == CHECK]
        assert [event["type"] for event in told] == ["finding.opened", "finding.fixed", "finding.reopened"]

    audit_with(database_url, tmp_path, scenario)


def test_a_check_that_was_not_made_fixes_nothing(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        await auditor.audit(source)
        await audited_server.execute_soon("REVOKE UPDATE ON open_house FROM PUBLIC")
        other = await auditor.audit(source, checks=["PG-ROLE-001"])
        assert other["summary"]["fixed"] == 0
        assert (await auditor.finding(source))["state"] == "open"

    audit_with(engine_url, tmp_path, scenario)


def test_the_score_says_how_much_was_seen(engine_url: str, tmp_path: Path, audited_server: PostgresServer) -> None:
    async def scenario(auditor: Auditor) -> None:
        await audited_server.execute_soon("DROP ROLE IF EXISTS plain", "CREATE ROLE plain LOGIN")
        source = await auditor.source(audited_server, user="plain")
        scan = await auditor.audit(source)
        overall = scan["summary"]["overall"]
        assert overall["not_evaluated"] > 0
        assert 0 < overall["coverage"] < 1
        blind = await done(
            auditor.mia.get(f"/security/scans/{scan['id']}/results", params={"outcome": "not_evaluated"})
        )
        assert all(one["reason"] and one["count"] == 0 for one in blind["items"])
        categories = scan["summary"]["categories"]
        counted = sum(sum(one[key] for key in KINDS) for one in categories.values())
        assert counted == len((await auditor.posture(source))["checks"])
        script = await auditor.mia.get(f"/security/audit/{source}/grant-script")
        assert (script.status_code, "plain" in script.text) == (200, True)
        assert (await auditor.ada.get(f"/security/audit/{source}/grant-script")).status_code == 403

    audit_with(engine_url, tmp_path, scenario)


KINDS = ("passed", "failed", "not_evaluated", "not_applicable", "errors")


def test_who_may_not_manage_sees_no_objects(engine_url: str, tmp_path: Path, audited_server: PostgresServer) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        scan = await auditor.audit(source)
        vic = auditor.node.client("vic")
        seen = await auditor.posture(source, vic)
        assert seen["counts"]["open"] == len(seen["findings"]) > 0
        told = [
            str(seen),
            (await vic.get(f"/security/scans/{scan['id']}/results")).text,
            (await vic.get("/security/findings", params={"workspace_id": "lab"})).text,
            (await vic.get("/feeds/lab/security.findings")).text,
            (await vic.get("/feeds/lab/alerts.security")).text,
        ]
        assert CHECK in told[0]
        assert not any("open_house" in one for one in told)
        body = {"workspace_id": "lab", "source_ids": [source]}
        assert (await vic.post("/security/scans", json=body)).status_code == 403
        found = await auditor.finding(source)
        for act, given in (("acknowledge", {}), ("accept", {"why": "known", "seconds": 60})):
            assert (await vic.post(f"/security/findings/{found['id']}/{act}", json=given)).status_code == 403
        await auditor.node.make_workspace("elsewhere", eve=Role.OWNER)
        eve = auditor.node.client("eve")
        for path in (f"scans/{scan['id']}", f"scans/{scan['id']}/results", f"audit/{source}"):
            assert (await eve.get(f"/security/{path}")).status_code == 404, path
        assert (await eve.post(f"/security/findings/{found['id']}/acknowledge", json={})).status_code == 404
        taken = await eve.post("/security/scans", json={"workspace_id": "elsewhere", "source_ids": [source]})
        assert taken.status_code == 404
        forged = await auditor.ada.post(
            "/feeds/lab/security.findings/events", json={"events": [{"type": "finding.fixed"}]}
        )
        assert forged.status_code == 403

    audit_with(engine_url, tmp_path, scenario)


def test_an_audit_that_cannot_reach_its_source_is_failed_and_changes_nothing(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        first = await auditor.audit(source)
        change = {"settings": {"host": "127.0.0.1", "port": 1, "database": "none", "user": "postgres"}}
        await done(auditor.mia.patch(f"/data-sources/{source}", json=change))
        failed = await auditor.audit(source)
        assert (failed["state"], failed["summary"]) == ("failed", None)
        assert failed["error"]["message"].endswith(".")
        posture = await auditor.posture(source)
        assert (posture["audit"]["id"], posture["latest"]["id"]) == (first["id"], failed["id"])
        assert (await auditor.finding(source))["state"] == "open"

    audit_with(engine_url, tmp_path, scenario)


def test_a_source_has_one_audit_at_a_time_and_one_whose_run_is_gone_has_failed(
    sqlite_url: str, audited_server: PostgresServer
) -> None:
    async def scenario(node: Node) -> None:
        """Nobody executes runs here."""
        await node.make_workspace("lab", ada=Role.EDITOR, mia=Role.ADMIN)
        auditor = Auditor(node, node.client("ada"), node.client("mia"))
        source = await auditor.source(audited_server)
        first = await auditor.begin(source)
        body = {"workspace_id": "lab", "source_ids": [source]}
        refused = await auditor.ada.post("/security/scans", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "audit_running")
        assert refused.json()["details"]["scan_id"] == first
        cancelled = await done(auditor.ada.post(f"/security/scans/{first}/cancel", json={}))
        assert (cancelled["state"], cancelled["summary"]) == ("cancelled", None)

        second = await auditor.begin(source)
        async with node.parts.database.write() as connection:
            over = {"state": runs.SUCCEEDED, "finished_at": node.now()}
            await connection.execute(update(run_tables.runs).values(over))
        # Its run says that all is well; the audit never said so.
        assert (await done(auditor.ada.get(f"/security/scans/{second}")))["state"] == "failed"
        assert await end_abandoned(node.parts) == 1
        died = await done(auditor.ada.get(f"/security/scans/{second}"))
        assert (died["state"], died["error"]["code"], died["summary"]) == ("failed", "lost", None)
        assert (await auditor.events(f"scans.security.{second}"))[-1]["type"] == "security.audit_failed"
        await auditor.begin(source)

    play(sqlite_url, scenario)


def test_whoever_ends_an_audit_too_late_writes_nothing(sqlite_url: str, audited_server: PostgresServer) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR, mia=Role.ADMIN)
        auditor = Auditor(node, node.client("ada"), node.client("mia"))
        source = await auditor.source(audited_server)
        scan_id = await auditor.begin(source)
        await done(auditor.ada.post(f"/security/scans/{scan_id}/cancel", json={}))
        async with node.parts.database.read() as connection:
            scan = await security_scans.get(connection, scan_id)
        assert scan is not None
        check = next(one for one in catalogue("postgresql") if one.id == CHECK)
        found = CheckResult(check, Outcome.FAIL, (Violation(AuditedObject("table", "open_house")),))
        server = Server(product="postgresql", version_text="16.1")
        async with node.parts.feeds.writing() as (connection, outbox):
            assert await end_audit(connection, outbox, scan, server, [found], at=node.now()) is None
        listed = await done(auditor.mia.get("/security/findings", params={"workspace_id": "lab"}))
        assert listed["items"] == []
        assert (await done(auditor.ada.get(f"/security/scans/{scan_id}")))["state"] == "cancelled"

    play(sqlite_url, scenario)


def test_a_schedule_audits_all_sources_with_a_tag(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        sources = [await auditor.source(audited_server, name) for name in ("one", "two")]
        for source in sources:
            await done(auditor.mia.put(f"/data-sources/{source}/tags", json={"tags": ["nightly"]}))
        plan: dict[str, Any] = {"workspace_id": "lab", "title": "Nightly", "job": "security.audit", "cron": "0 3 * * *"}
        plan["arguments"] = {"tag": "nightly", "checks": [CHECK]}
        schedule = await done(auditor.ada.post("/schedules", json=plan), 201)
        await done(auditor.ada.post(f"/schedules/{schedule['id']}/run", json={}), 202)
        listed: list[Any] = []
        while len(listed) < 2 or any(one["finished_at"] is None for one in listed):
            listed = (await done(auditor.ada.get("/security/scans", params={"workspace_id": "lab"})))["items"]
        assert {one["source_id"] for one in listed} == set(sources)
        assert {one["state"] for one in listed} == {"succeeded"}
        assert len({one["run_id"] for one in listed}) == 1

    audit_with(engine_url, tmp_path, scenario)


def test_what_cannot_be_asked_is_refused(engine_url: str, tmp_path: Path, audited_server: PostgresServer) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        mistakes: tuple[tuple[dict[str, Any], int], ...] = (
            ({}, 400),
            ({"source_ids": [source], "tag": "x"}, 400),
            ({"tag": "nobody has it"}, 404),
            ({"source_ids": [source + 99]}, 404),
            ({"source_ids": [source], "checks": ["NO-SUCH"]}, 400),
        )
        for body, status in mistakes:
            answer = await auditor.ada.post("/security/scans", json={"workspace_id": "lab", **body})
            assert answer.status_code == status, body
        checks = await done(auditor.ada.get("/security/checks", params={"kind": "postgresql"}))
        assert CHECK in {one["id"] for one in checks["items"]}
        early = await auditor.mia.put(f"/security/audit/{source}/baseline", json={})
        assert (early.status_code, early.json()["code"]) == (409, "not_audited")

    audit_with(engine_url, tmp_path, scenario)


def test_what_is_severe_is_an_alert_until_it_is_fixed_accepted_or_in_the_baseline(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        source = await auditor.source(audited_server)
        await auditor.audit(source, checks=[CHECK, "PG-ROLE-011"])
        [alert] = await alerts_of(auditor)
        found = await auditor.finding(source)
        assert (alert.state, alert.severity, alert.source_id) == ("firing", "high", source)
        assert alert.evidence["finding_id"] == found["id"]

        path = f"/security/findings/{found['id']}"
        accepted = await done(auditor.mia.post(f"{path}/accept", json={"why": "a demo", "seconds": 3600}))
        assert (accepted["state"], accepted["decided_by"], accepted["note"]) == ("accepted_risk", "mia", "a demo")
        assert await states_of(auditor) == ["resolved"]
        again = await auditor.audit(source, checks=[CHECK])
        assert again["summary"]["new"] == 0
        assert (await auditor.finding(source))["state"] == "accepted_risk"
        assert await end_acceptances(auditor.node.parts, at=auditor.node.now() + timedelta(minutes=59)) == 0
        assert await end_acceptances(auditor.node.parts, at=auditor.node.now() + timedelta(minutes=61)) == 1
        assert (await auditor.finding(source))["state"] == "open"
        assert "firing" in await states_of(auditor)

        assert (await auditor.ada.put(f"/security/audit/{source}/baseline", json={})).status_code == 403
        baseline = await done(auditor.mia.put(f"/security/audit/{source}/baseline", json={}))
        assert baseline["findings"] == len((await auditor.posture(source))["findings"])
        assert set(await states_of(auditor)) == {"resolved"}
        assert (await auditor.posture(source))["baseline"]["drift"] == 0
        await audited_server.execute_soon("CREATE TABLE later (id int)", "GRANT UPDATE ON later TO PUBLIC")
        await auditor.audit(source, checks=[CHECK])
        assert (await auditor.posture(source))["baseline"]["drift"] == 1
        assert "firing" in await states_of(auditor)

    audit_with(engine_url, tmp_path, scenario)


async def states_of(auditor: Auditor) -> list[str]:
    return [one.state for one in await alerts_of(auditor)]

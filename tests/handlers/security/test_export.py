"""Postures as files: by the rules of their formats, and safe to open."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from auditing import CHECK, Auditor, audit_with, done
from httpx import Response
from postgres_server import PostgresServer
from published_schemas import faults_of_ocsf, faults_of_sarif


def test_exports_say_what_the_posture_says(engine_url: str, tmp_path: Path, audited_server: PostgresServer) -> None:
    async def scenario(auditor: Auditor) -> None:
        odd = '"=cmd|<script>alert(1)</script>"'
        await audited_server.execute_soon(f"CREATE TABLE {odd} (id int)", f"GRANT UPDATE ON {odd} TO PUBLIC")
        source = await auditor.source(audited_server, "=1+1")
        early = await auditor.mia.get(f"/security/audit/{source}/export")
        assert (early.status_code, early.json()["code"]) == (409, "not_audited")
        await auditor.audit(source)
        await audited_server.execute_soon("REVOKE UPDATE ON open_house FROM PUBLIC")
        await auditor.audit(source)
        posture = await auditor.posture(source)
        accepted = next(one for one in posture["findings"] if one["check_id"] == CHECK)
        await done(
            auditor.mia.post(f"/security/findings/{accepted['id']}/accept", json={"why": "=odd()", "seconds": 99})
        )

        async def exported(**asked: Any) -> Response:
            answer = await auditor.mia.get(f"/security/audit/{source}/export", params=asked)
            assert answer.status_code == 200, answer.text
            return answer

        assert (await auditor.ada.get(f"/security/audit/{source}/export")).status_code == 403
        check_sarif(json.loads((await exported(format="sarif")).content), posture, accepted)
        only = json.loads((await exported(format="sarif", failures_only=True)).content)["runs"][0]["results"]
        standing = {one["fingerprint"] for one in posture["findings"]} - {accepted["fingerprint"]}
        assert {one["partialFingerprints"]["finding/v1"] for one in only} == standing
        check_ocsf([json.loads(line) for line in (await exported(format="ocsf")).text.splitlines()], posture)
        rows = list(csv.DictReader(io.StringIO((await exported(format="csv")).text)))
        assert len(rows) == len(posture["findings"]) + 1 + sum(one["outcome"] != "fail" for one in posture["checks"])
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for value in row.values())
        check_references(json.loads((await exported(format="sarif")).content), rows)
        page = await exported(format="html")
        assert "CWE-732" in page.text
        assert page.headers["content-type"].startswith("text/html")
        assert "<script" not in page.text
        assert "&lt;script&gt;" in page.text
        assert "default-src 'none'" in page.text

    audit_with(engine_url, tmp_path, scenario)


def test_what_was_not_seen_is_open_in_sarif_and_unknown_in_ocsf(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        await audited_server.execute_soon("DROP ROLE IF EXISTS blind", "CREATE ROLE blind LOGIN")
        source = await auditor.source(audited_server, user="blind")
        await auditor.audit(source)
        unseen = {
            one["check_id"] for one in (await auditor.posture(source))["checks"] if one["outcome"] == "not_evaluated"
        }
        assert unseen
        path = f"/security/audit/{source}/export"
        log = (await auditor.mia.get(path, params={"format": "sarif"})).json()
        kinds = {one["ruleId"]: (one["kind"], one["level"]) for one in log["runs"][0]["results"]}
        assert {kinds[check_id] for check_id in unseen} == {("open", "none")}
        lines = (await auditor.mia.get(path, params={"format": "ocsf"})).text.splitlines()
        said = {event["compliance"]["control"]: event["compliance"]["status_id"] for event in map(json.loads, lines)}
        assert {said[check_id] for check_id in unseen} == {0}

    audit_with(engine_url, tmp_path, scenario)


def check_sarif(log: dict[str, Any], posture: dict[str, Any], accepted: dict[str, Any]) -> None:
    assert faults_of_sarif(log) == []
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["kind"] in ("pass", "fail", "open", "notApplicable")
        assert (result["kind"] == "fail") == (result["level"] != "none")
        assert result["message"]["text"]
        assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
    faults = {one["partialFingerprints"]["finding/v1"]: one for one in run["results"] if one["kind"] == "fail"}
    assert set(faults) >= {one["fingerprint"] for one in posture["findings"]}
    [suppressed] = [one for one in faults.values() if "suppressions" in one]
    assert suppressed["partialFingerprints"]["finding/v1"] == accepted["fingerprint"]
    assert suppressed["suppressions"][0]["justification"] == "=odd()"
    assert [one["baselineState"] for one in faults.values() if one["ruleId"] == CHECK].count("absent") == 1
    kinds = {one["ruleId"]: one["kind"] for one in run["results"]}
    words = {
        "pass": "pass",
        "fail": "fail",
        "not_evaluated": "open",
        "error": "open",
        "not_applicable": "notApplicable",
    }
    for check in posture["checks"]:
        assert kinds[check["check_id"]] == words[check["outcome"]]


def check_references(log: dict[str, Any], rows: list[dict[str, str]]) -> None:
    [rule] = [one for one in log["runs"][0]["tool"]["driver"]["rules"] if one["id"] == CHECK]
    assert "external/cwe/cwe-732" in rule["properties"]["tags"]
    assert {"CWE-732" in row["references"] for row in rows if row["check"] == CHECK} == {True}


def check_ocsf(events: list[dict[str, Any]], posture: dict[str, Any]) -> None:
    assert [fault for event in events for fault in faults_of_ocsf(event)] == []
    for event in events:
        assert (event["class_uid"], event["category_uid"], event["metadata"]["version"]) == (2003, 2, "1.3.0")
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["finding_info"]["uid"]
        assert event["compliance"]["standards"]
    failing = {event["finding_info"]["uid"] for event in events if event["compliance"]["status_id"] == 3}
    assert failing == {one["fingerprint"] for one in posture["findings"]}
    passing = {event["compliance"]["control"] for event in events if event["compliance"]["status_id"] == 1}
    assert passing >= {one["check_id"] for one in posture["checks"] if one["outcome"] == "pass"}
    assert not passing & {one["check_id"] for one in posture["checks"] if one["outcome"] == "not_evaluated"}

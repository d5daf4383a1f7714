"""Data policies over HTTP: what holds, what does not, and what cannot be told; violations are findings."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from auditing import done
from httpx import AsyncClient
from postgres_server import PostgresServer
from scanning import Scanner, scan_with, write_sqlite
from sensitive_sources import PEOPLE, of_postgres

from handlers.access import Role
from handlers.security.policy_keeping import evaluate_stale
from storage import access_policies, alert_lists, catalog, catalog_labels
from storage.alert_lists import Wanted

PII: dict[str, Any] = {"categories": ["PII"]}


def admin(scanner: Scanner) -> AsyncClient:
    return scanner.node.client("admin")


async def create(scanner: Scanner, *requires: dict[str, Any], name: str = "P", about: Any = None, **more: Any) -> int:
    policy = {"about": PII if about is None else about, "requires": list(requires)}
    body = {"workspace_id": "lab", "name": name, "policy": policy, **more}
    return int((await done(admin(scanner).post("/security/data-policies", json=body), 201))["id"])


async def evaluate(scanner: Scanner, source: int) -> dict[int, dict[str, Any]]:
    judged = await done(scanner.ada.post("/security/data-policies/evaluate", json={"data_source_id": source}))
    return {one["policy_id"]: one for one in judged["items"]}


async def results(scanner: Scanner, policy: int, **chosen: Any) -> list[tuple[str, str, str, str]]:
    found = await done(admin(scanner).get(f"/security/data-policies/{policy}/results", params=chosen))
    return [(one["dataset"], one["column"], one["requirement"], one["outcome"]) for one in found["items"]]


async def findings(scanner: Scanner, policy: int) -> list[dict[str, Any]]:
    listed = await done(admin(scanner).get("/security/findings", params={"workspace_id": "lab"}))
    return [one for one in listed["items"] if one["check_id"] == f"DATA-POLICY-{policy}"]


async def people_in_sqlite(scanner: Scanner, folder: Path, *statements: str) -> int:
    path = write_sqlite(
        folder / "shop.db",
        "CREATE TABLE people (email text, seen text)",
        *statements,
        rows=[("INSERT INTO people VALUES (?, '2020-01-01')", [(f"bob{number}@example.org",) for number in range(50)])],
    )
    return await scanner.source("shop", "sqlite", path=str(path))


async def hide_mail(scanner: Scanner, *roles: str) -> None:
    rights = {"applies_to": {"roles": roles}, "columns": {"classifications": ["email"]}, "effect": "mask"}
    values = {"name": "mail", "source_id": None, "dataset": None, "priority": 0, "enabled": True}
    async with scanner.node.parts.database.write() as connection:
        made = values | {"body": json.dumps(rights)}
        await access_policies.create(connection, "lab", made, by="admin", at=scanner.node.now())


def test_a_violation_is_a_finding_until_what_must_hold_does(database_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await people_in_sqlite(scanner, tmp_path)
        policy = await create(scanner, {"type": "masked", "roles": ["viewer", "commenter"]}, name="Mail is masked")
        before = (await evaluate(scanner, source))[policy]
        # Of a source that nobody has looked at nothing is known, which is not that it has no such column.
        assert (before["outcome"], before["reason"][:11]) == ("not_evaluated", "The catalog")
        await scanner.scan(source)
        failed = (await evaluate(scanner, source))[policy]
        assert (failed["outcome"], failed["failed"], failed["unseen"]) == ("fail", 1, 0)
        [found] = await findings(scanner, policy)
        assert (found["state"], found["severity"], found["changed_scan_id"]) == ("open", "high", None)
        assert (found["object"], found["title"]) == ("column people.email", "Mail is masked")
        async with scanner.node.parts.database.read() as connection:
            alerts = await alert_lists.list_of(connection, Wanted("lab", "security"), limit=10)
        assert [(one.name, one.labels["from"]) for one in alerts] == [(found["check_id"], "data_policy")]
        await hide_mail(scanner, "viewer")
        assert (await evaluate(scanner, source))[policy]["outcome"] == "fail"
        [result] = (await done(admin(scanner).get(f"/security/data-policies/{policy}/results")))["items"]
        assert result["reason"] == "No access policy keeps it from commenter."
        await done(
            admin(scanner).patch(
                f"/security/data-policies/{policy}",
                json={"policy": {"about": PII, "requires": [{"type": "masked", "roles": ["viewer"]}]}},
            )
        )
        assert (await evaluate(scanner, source))[policy]["outcome"] == "pass"
        [fixed] = await findings(scanner, policy)
        assert (fixed["id"], fixed["state"]) == (found["id"], "resolved")

    scan_with(database_url, tmp_path, scenario)


def test_what_cannot_be_told_never_passes_and_fixes_nothing(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await people_in_sqlite(scanner, tmp_path)
        await scanner.scan(source)
        kinds = (
            {"type": "encrypted_in_transit"},
            {"type": "encrypted_at_rest"},
            {"type": "retained", "date_column": "seen", "days": 30},
            {"type": "retained", "date_column": "no_such", "days": 30},
            {"type": "not_readable_by", "roles": ["nobody"]},
            {"type": "owned"},
        )
        policy = await create(scanner, *kinds)
        await evaluate(scanner, source)
        assert [outcome for *_, outcome in await results(scanner, policy)] == [
            "not_evaluated",
            "fail",
            "fail",
            "not_evaluated",
            "not_evaluated",
            "fail",
        ]
        assert len(await findings(scanner, policy)) == 3
        write_sqlite(tmp_path / "shop.db", "ALTER TABLE people RENAME COLUMN seen TO met")
        (tmp_path / "shop.db").rename(tmp_path / "away.db")
        await evaluate(scanner, source)
        assert [outcome for *_, outcome in await results(scanner, policy)] == [*["not_evaluated"] * 5, "fail"]
        assert [one["state"] for one in await findings(scanner, policy)] == ["open"] * 3
        only_unknown = await create(scanner, {"type": "encrypted_in_transit"}, name="TLS")
        judged = (await evaluate(scanner, source))[only_unknown]
        assert (judged["outcome"], judged["reason"]) == (
            "not_evaluated",
            "Of 1 things that must hold it cannot be told whether they do.",
        )

    scan_with(engine_url, tmp_path, scenario)


def test_a_dataset_that_nobody_looked_at_passes_nothing(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await people_in_sqlite(scanner, tmp_path)
        await scanner.scan(source)
        policy = await create(scanner, {"type": "owned"}, about={"types": ["iban"]})
        assert (await evaluate(scanner, source))[policy]["outcome"] == "not_applicable"
        write_sqlite(tmp_path / "shop.db", "CREATE TABLE later (iban text)")
        run = await done(admin(scanner).post(f"/data-sources/{source}/discover"), 202)
        await scanner.run_when_over(run["run_id"])
        judged = (await evaluate(scanner, source))[policy]
        assert (judged["outcome"], judged["unseen"]) == ("not_evaluated", 1)
        assert judged["reason"] == "1 datasets were never looked at for sensitive data."

    scan_with(engine_url, tmp_path, scenario)


def test_of_postgresql_rights_and_encryption_and_ages_are_told(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await audited_server.execute_soon(
            *PEOPLE,
            f"ALTER TABLE people ADD COLUMN joined timestamptz DEFAULT '{scanner.node.now() - timedelta(days=10)}'",
        )
        source = await of_postgres(scanner, audited_server)
        await scanner.scan(source)
        policy = await create(
            scanner,
            {"type": "not_readable_by", "roles": ["clerk"]},
            {"type": "not_readable_by", "roles": ["eve"]},
            {"type": "retained", "date_column": "joined", "days": 11},
            {"type": "retained", "date_column": "joined", "days": 9},
            {"type": "encrypted_in_transit"},
            about={"types": ["email"]},
        )
        await evaluate(scanner, source)
        outcomes = ["fail", "pass", "pass", "fail", "fail"]
        assert [outcome for *_, outcome in await results(scanner, policy)] == outcomes
        await audited_server.execute_soon("REVOKE SELECT (email) ON people FROM clerk", "GRANT SELECT ON people TO eve")
        await evaluate(scanner, source)
        assert [outcome for *_, outcome in await results(scanner, policy)][:2] == ["pass", "fail"]
        states = {one["evidence"]["why"]: one["state"] for one in await findings(scanner, policy)}
        assert states["It can be read in the source by clerk."] == "resolved"
        assert states["It can be read in the source by eve."] == "open"
        await audited_server.execute_soon("UPDATE people SET joined = NULL WHERE id = 1")
        await evaluate(scanner, source)
        assert [outcome for *_, outcome in await results(scanner, policy)][2:4] == ["not_evaluated", "fail"]

    scan_with(engine_url, tmp_path, scenario)


def test_they_are_judged_after_scans_and_again_when_they_change(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await people_in_sqlite(scanner, tmp_path)
        policy = await create(scanner, {"type": "tagged", "tags": ["gdpr"]})
        parts = scanner.node.parts
        assert [await evaluate_stale(parts), await evaluate_stale(parts)] == [1, 0]
        await scanner.scan(source)
        assert [await evaluate_stale(parts), await evaluate_stale(parts)] == [1, 0]
        shown = await done(scanner.ada.get(f"/security/data-policies/{policy}"))
        assert [one["outcome"] for one in shown["sources"]] == ["fail"]
        run = await done(admin(scanner).post(f"/data-sources/{source}/discover"), 202)
        await scanner.run_when_over(run["run_id"])
        async with parts.database.write() as connection:
            [people] = await catalog.list_of_source(connection, source)
            await catalog_labels.set_labels(connection, people.id, catalog_labels.TAG, ["gdpr"])
        assert (await evaluate(scanner, source))[policy]["outcome"] == "pass"
        tagged = await create(scanner, {"type": "owned"}, name="tagged", about={"tags": ["gdpr"]})
        assert (await evaluate(scanner, source))[tagged]["outcome"] == "fail"

    scan_with(engine_url, tmp_path, scenario)


def test_a_policy_that_is_switched_off_or_deleted_has_no_findings(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await people_in_sqlite(scanner, tmp_path)
        await scanner.scan(source)
        off, gone = [await create(scanner, {"type": "owned"}, name=name) for name in ("off", "gone")]
        await evaluate(scanner, source)
        assert [one["state"] for each in (off, gone) for one in await findings(scanner, each)] == ["open", "open"]
        switched = await done(admin(scanner).patch(f"/security/data-policies/{off}", json={"enabled": False}))
        assert switched["sources"] == []
        assert (await admin(scanner).delete(f"/security/data-policies/{gone}")).status_code == 204
        assert [one["state"] for each in (off, gone) for one in await findings(scanner, each)] == ["resolved"] * 2
        await evaluate(scanner, source)
        assert [one["state"] for one in await findings(scanner, off)] == ["resolved"]

    scan_with(engine_url, tmp_path, scenario)


def test_an_audit_leaves_them_alone_and_tells_them_in_exports(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await people_in_sqlite(scanner, tmp_path)
        await scanner.scan(source)
        policy = await create(scanner, {"type": "owned"}, name="Has an owner")
        await evaluate(scanner, source)
        body = {"workspace_id": "lab", "source_ids": [source]}
        [audit] = (await done(scanner.ada.post("/security/scans", json=body), 202))["items"]
        await scanner.run_when_over(audit["run_id"])
        [found] = await findings(scanner, policy)
        assert found["state"] == "open"
        posture = await done(admin(scanner).get(f"/security/audit/{source}"))
        assert found["id"] in [one["id"] for one in posture["findings"]]
        assert found["id"] not in [one for changed in posture["changed"].values() for one in changed]
        for form in ("sarif", "ocsf", "csv", "html"):
            export = await admin(scanner).get(f"/security/audit/{source}/export", params={"format": form})
            assert (export.status_code, found["check_id"] in export.text) == (200, True), form
        assert await evaluate_stale(scanner.node.parts) == 1

    scan_with(engine_url, tmp_path, scenario)


def test_who_may_what(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await people_in_sqlite(scanner, tmp_path)
        policy = await create(scanner, {"type": "owned"})
        vic = scanner.node.client("vic")
        here = f"/security/data-policies/{policy}"
        assert (await vic.get(here)).status_code == 200
        body = {"workspace_id": "lab", "name": "Q", "policy": {"requires": [{"type": "owned"}]}}
        assert (await scanner.ada.post("/security/data-policies", json=body)).status_code == 403
        for refused in (vic.get(f"{here}/results"), scanner.ada.patch(here, json={"name": "Z"}), vic.delete(here)):
            assert (await refused).status_code == 403
        asked = {"data_source_id": source}
        assert (await vic.post("/security/data-policies/evaluate", json=asked)).status_code == 403
        await scanner.node.make_workspace("elsewhere", eve=Role.OWNER)
        eve = scanner.node.client("eve")
        for hidden in (eve.get(here), eve.get(f"{here}/results"), eve.patch(here, json={}), eve.delete(here)):
            assert (await hidden).status_code == 404
        assert (await eve.post("/security/data-policies/evaluate", json=asked)).status_code == 404
        taken = await admin(scanner).post("/security/data-policies", json=body | {"name": "P"})
        assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
        bad = body | {"policy": {"requires": [{"type": "shredded"}]}}
        assert (await admin(scanner).post("/security/data-policies", json=bad)).status_code == 400

    scan_with(engine_url, tmp_path, scenario)

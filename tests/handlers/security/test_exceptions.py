"""Exceptions accept what is found by the names of checks and objects, for as long as they are in force."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from auditing import CHECK, Auditor, alerts_of, audit_with, done
from postgres_server import PostgresServer

from handlers.access import Role
from handlers.security.ending import end_acceptances

STAGING: dict[str, Any] = {
    "checks": "PG-PRIV-*",
    "objects": "table *.public.staging_*",
    "why": "loaded by everybody",
    "seconds": 3600,
}


async def make(auditor: Auditor, status: int = 201, **body: Any) -> dict[str, Any]:
    return await done(auditor.mia.post("/security/exceptions", json={"workspace_id": "lab", **body}), status)


async def states(auditor: Auditor, source: int) -> dict[str, str]:
    listed = await done(auditor.mia.get("/security/findings", params={"workspace_id": "lab", "source_id": source}))
    return {one["object"].rpartition(".")[2]: one["state"] for one in listed["items"]}


async def open_to_everybody(server: PostgresServer, *tables: str) -> None:
    for table in tables:
        await server.execute_soon(f"CREATE TABLE {table} (id int)", f"GRANT UPDATE ON {table} TO PUBLIC")


def test_what_matches_is_accepted_now_and_later_until_the_exception_is_over(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        await open_to_everybody(audited_server, "staging_a")
        source = await auditor.source(audited_server)
        await auditor.audit(source, checks=[CHECK])
        assert await states(auditor, source) == {"open_house": "open", "staging_a": "open"}
        made = await make(auditor, **STAGING, owner="ada")
        assert (made["owner"], made["created_by"], made["source_id"]) == ("ada", "mia", None)
        assert await states(auditor, source) == {"open_house": "open", "staging_a": "accepted_risk"}
        assert sorted(one.state for one in await alerts_of(auditor)) == ["firing", "resolved"]

        # What comes later is accepted as soon as it is found, and nobody is called.
        await open_to_everybody(audited_server, "staging_b", "plain_c")
        scan = await auditor.audit(source, checks=[CHECK])
        assert (scan["summary"]["new"], scan["summary"]["open"]) == (2, 2)
        assert (await states(auditor, source))["staging_b"] == "accepted_risk"
        assert sorted(one.state for one in await alerts_of(auditor)) == ["firing", "firing", "resolved"]
        listed = await done(auditor.mia.get("/security/findings", params={"workspace_id": "lab"}))
        [excepted] = [one for one in listed["items"] if one["object"].endswith("staging_b")]
        assert (excepted["exception_id"], excepted["decided_by"], excepted["note"]) == (
            made["id"],
            "ada",
            STAGING["why"],
        )
        told = await done(auditor.mia.get(f"/security/findings/{excepted['id']}/history"))
        assert [(one["kind"], one["actor"]) for one in told["items"]] == [("opened", None), ("excepted", "ada")]
        # One by one they are not decided.
        for act, given in (("reopen", {}), ("acknowledge", {}), ("accept", {"why": "x", "seconds": 1})):
            refused = await auditor.mia.post(f"/security/findings/{excepted['id']}/{act}", json=given)
            assert (refused.status_code, refused.json()["code"]) == (409, "finding_excepted"), act

        ended = await done(auditor.mia.delete(f"/security/exceptions/{made['id']}"))
        assert ended["ended_by"] == "mia"
        assert await done(auditor.mia.delete(f"/security/exceptions/{made['id']}")) == ended
        assert set((await states(auditor, source)).values()) == {"open"}
        assert {one.state for one in await alerts_of(auditor)} == {"firing"}
        again = await auditor.audit(source, checks=[CHECK])
        assert again["summary"]["open"] == 4

    audit_with(engine_url, tmp_path, scenario)


def test_another_exception_goes_on_where_one_runs_out(
    sqlite_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        await open_to_everybody(audited_server, "staging_a")
        source = await auditor.source(audited_server)
        other = await auditor.source(audited_server, "other")
        await make(auditor, **STAGING, source_id=source)
        longer = await make(auditor, **STAGING | {"checks": CHECK, "seconds": 7200}, source_id=source)
        for one in (source, other):
            await auditor.audit(one, checks=[CHECK])
        finding = await named(auditor, source, "staging_a")
        assert finding["exception_id"] == longer["id"]
        assert (await states(auditor, other))["staging_a"] == "open"
        shorter_still = await make(auditor, **STAGING, source_id=source)
        await done(auditor.mia.delete(f"/security/exceptions/{longer['id']}"))
        finding = await named(auditor, source, "staging_a")
        assert finding["state"] == "accepted_risk"
        assert finding["exception_id"] not in (longer["id"], shorter_still["id"])
        assert await end_acceptances(auditor.node.parts, at=auditor.node.now() + timedelta(hours=1)) == 1
        finding = await named(auditor, source, "staging_a")
        assert (finding["state"], finding["exception_id"], finding["note"]) == ("open", None, None)

    audit_with(sqlite_url, tmp_path, scenario)


async def named(auditor: Auditor, source: int, name: str) -> dict[str, Any]:
    listed = await done(auditor.mia.get("/security/findings", params={"workspace_id": "lab", "source_id": source}))
    [found] = [one for one in listed["items"] if one["object"].endswith(name)]
    return dict(found)


def test_exceptions_are_made_by_who_manages_and_owned_by_members(
    sqlite_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        refused = await auditor.ada.post("/security/exceptions", json={"workspace_id": "lab", **STAGING})
        assert refused.status_code == 403
        stranger = await auditor.mia.post(
            "/security/exceptions", json={"workspace_id": "lab", **STAGING, "owner": "nobody"}
        )
        assert (stranger.status_code, stranger.json()["details"]) == (400, {"parameter": "owner"})
        made = await make(auditor, **STAGING)
        for ask in (auditor.ada.get, auditor.ada.delete):
            assert (await ask(f"/security/exceptions/{made['id']}")).status_code == 403
        assert (await auditor.ada.get("/security/exceptions", params={"workspace_id": "lab"})).status_code == 403
        await auditor.node.make_workspace("elsewhere", eve=Role.OWNER)
        eve = auditor.node.client("eve")
        assert (await eve.delete(f"/security/exceptions/{made['id']}")).status_code == 404
        source = await auditor.source(audited_server)
        body = {"workspace_id": "elsewhere", **STAGING, "source_id": source}
        assert (await eve.post("/security/exceptions", json=body)).status_code == 404
        assert (await done(auditor.mia.get(f"/security/exceptions/{made['id']}"))) == made
        await done(auditor.mia.delete(f"/security/exceptions/{made['id']}"))
        listed = await done(auditor.mia.get("/security/exceptions", params={"workspace_id": "lab"}))
        assert listed["items"] == []
        every: dict[str, Any] = {"workspace_id": "lab", "include_ended": True}
        listed = await done(auditor.mia.get("/security/exceptions", params=every))
        assert [one["id"] for one in listed["items"]] == [made["id"]]

    audit_with(sqlite_url, tmp_path, scenario)


def test_a_name_that_looks_like_a_pattern_can_be_copied_from_a_finding(
    engine_url: str, tmp_path: Path, audited_server: PostgresServer
) -> None:
    async def scenario(auditor: Auditor) -> None:
        await open_to_everybody(audited_server, '"text[] and text[]"')
        source = await auditor.source(audited_server)
        await auditor.audit(source, checks=[CHECK])
        found = (await auditor.posture(source))["findings"]
        [odd] = [one["object"] for one in found if "[]" in one["object"]]
        await make(auditor, checks=CHECK, objects=odd, why="as it is", seconds=60)
        assert await states(auditor, source) == {"open_house": "open", "text[] and text[]": "accepted_risk"}

    audit_with(engine_url, tmp_path, scenario)

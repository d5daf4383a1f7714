"""Reports out of stored facts: true, complete about what is missing, and safe to open."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from direct_run import DirectRun
from http_node import Node, play

from connectors.datasets import Kind
from handlers.access import Role
from handlers.reports.charts import Chart
from handlers.reports.facts import Facts, Table
from handlers.reports.operations import MakeReport, make_report
from handlers.reports.rendering import drawn, page, table
from storage import data_sources, runs, scan_results, scans
from storage.scan_results import Found
from storage.scans import Listed

OPTIONS = '{"parts": ["profile", "classification", "quality"]}'
EVIL = "<script>alert(1)</script>"


def test_what_comes_from_a_source_is_neither_markup_nor_formula() -> None:
    bars = {"data": {"values": [{"n": EVIL, "v": 1}]}, "mark": "bar",
            "encoding": {"y": {"field": "n", "type": "nominal"},
                         "x": {"field": "v", "type": "quantitative"}}}  # fmt: skip
    facts = Facts(
        title=EVIL,
        subtitle="",
        made_at=datetime(2026, 3, 1, tzinfo=UTC),
        figures=[(EVIL, EVIL)],
        tables=[Table(title="t", headings=["h"], rows=[["=1+1"], ["@x"], [-5], [EVIL]])],
        charts=[Chart(title=EVIL, spec=bars)],
        missing=[],
    )
    html = page(facts, [drawn(chart.spec) for chart in facts.charts])
    assert "<script" not in html.lower()
    assert "<svg" in html
    assert table(facts).splitlines() == ["part,h", "t,'=1+1", "t,'@x", "t,-5", f"t,{EVIL}"]


def test_a_report_says_what_there_is_and_what_is_missing(database_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER, vic=Role.VIEWER)
        async with node.parts.database.write() as connection:
            row = await data_sources.create(
                connection, workspace_id="lab", name="shop", kind=Kind.SQLITE, description=None,
                settings={"path": str(tmp_path / "a")}, owner="ada", at=node.clock,
            )  # fmt: skip
        here, ada = f"/data-sources/{row.id}/reports", node.client("ada")
        created = (await ada.post(here, json={"kind": "profile"})).json()
        assert (await ada.get(f"{here}/{created['id']}/content")).json()["code"] == "report_unfinished"
        run = DirectRun(node.parts, created["run_id"], workspace_id="lab", created_by="ada")
        await make_report(run, MakeReport(source_id=row.id, kind="profile"))
        first = (await ada.get(f"{here}/{created['id']}")).json()
        assert (first["state"], len(first["missing"])) == ("succeeded", 1)
        await scanned(node, row.id)
        made = {}
        for kind in ("profile", "scan", "compliance"):
            run = DirectRun(node.parts, kind, workspace_id="lab", created_by="ada")
            made[kind] = (await make_report(run, MakeReport(source_id=row.id, kind=kind))).report_id
        vic = node.client("vic")
        profile = await vic.get(f"{here}/{made['profile']}/content")
        assert profile.headers["content-type"] == "text/html; charset=utf-8"
        assert "main.sold" in profile.text
        assert profile.text.count("<svg") == 2
        rows = (await vic.get(f"{here}/{made['profile']}/content", params={"format": "csv"})).text.splitlines()
        assert rows[1] == "Columns,main.sold,amount,float,10,20.0,8"
        assert "Confidence" in (await vic.get(f"{here}/{made['scan']}/content")).text
        compliance = (await vic.get(f"{here}/{made['compliance']}/content", params={"format": "csv"})).text
        assert "Checks,Backed up within a week,fail,never" in compliance
        assert "Checks,Account only reads,unknown,The source was never tested." in compliance
        kept_back = {"applies_to": {"roles": ["viewer"]}, "columns": {"names": ["amount"]}}
        policy = {"workspace_id": "lab", "name": "amounts", "rights": kept_back}
        assert (await ada.post("/security/policies", json=policy)).status_code == 201
        cut = await vic.get(f"{here}/{made['profile']}/content")
        assert (cut.text.count("<svg"), "Values are not shown" in cut.text) == (1, True)
        assert (await ada.get(f"{here}/{made['profile']}/content")).text == profile.text
        assert (await vic.post(here, json={})).status_code == 403
        assert len((await vic.get(here)).json()["items"]) == 4

    play(database_url, scenario)


def test_after_an_incremental_scan_a_report_still_has_what_did_not_change_and_says_what_failed(
    database_url: str, tmp_path: Path
) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        async with node.parts.database.write() as connection:
            row = await data_sources.create(
                connection, workspace_id="lab", name="shop", kind=Kind.SQLITE, description=None,
                settings={"path": str(tmp_path / "a")}, owner="ada", at=node.clock,
            )  # fmt: skip
        await scanned(node, row.id)
        await scanned_again(node, row.id)
        tested = {"ok": True, "rights": ["read"], "warnings": ["row security may hide rows"]}
        async with node.parts.database.write() as connection:
            await data_sources.note_test(connection, row.id, tested, at=node.clock)
        content = {}
        for kind in ("profile", "scan", "compliance"):
            run = DirectRun(node.parts, kind, workspace_id="lab", created_by="ada")
            made = (await make_report(run, MakeReport(source_id=row.id, kind=kind))).report_id
            answer = await node.client("ada").get(
                f"/data-sources/{row.id}/reports/{made}/content", params={"format": "csv"}
            )
            content[kind] = answer.text.splitlines()
        assert "Columns,main.sold,amount,float,10,20.0,8" in content["profile"]
        assert "missing,main.broken: It was not scanned: No such table." in content["profile"]
        assert "Not scanned,main.broken,failed,It was not scanned: No such table." in content["scan"]
        assert "Sensitive data,main.sold,amount,Card number,0.98" in content["scan"]
        assert "missing,1 datasets were never looked at for sensitive data." in content["scan"]
        # A warning that is about something else is no right to write.
        assert "Checks,Account only reads,pass,row security may hide rows" in content["compliance"]
        assert "Checks,Sensitive columns known,fail,1 findings; 1 of 2 datasets were looked at" in content["compliance"]

    play(database_url, scenario)


async def scanned_again(node: Node, source_id: int) -> None:
    """As if an incremental scan had found the table unchanged, and another one that it could not read."""
    async with node.parts.database.write() as connection:
        scan_id = await scans.create(
            connection, workspace_id="lab", source_id=source_id, run_id="t", mode="incremental", options=OPTIONS,
            created_by="ada", at=node.clock,
        )  # fmt: skip
        names = ("sold", "broken")
        await scans.plan(connection, scan_id, [Listed("main", name, "table", 10) for name in names])
        for ordinal, (state, said) in enumerate(
            [(scans.UNCHANGED, "Nothing changed."), (runs.FAILED, "It was not scanned: No such table.")]
        ):
            body = msgspec.json.encode({"state": state, "said": said}).decode()
            begun = await scans.begin_dataset(connection, scan_id, ordinal)
            assert begun is not None
            await scan_results.put(connection, scan_id, ordinal, [Found("dataset", None, body)])
            await scans.end_dataset(connection, scan_id, ordinal, state, body, attempt=begun.attempts)
        await scans.end(connection, scan_id, runs.SUCCEEDED, "{}", at=node.clock)


async def scanned(node: Node, source_id: int) -> None:
    """As if a scan had found a column."""
    histogram = {"rule": "fixed", "edges": [0, 1, 2], "counts": [3, 5]}
    column = {
        "name": "amount",
        "kind": "float",
        "rows": 10,
        "nulls": 2,
        "distinct": 8,
        "numbers": {"histogram": histogram},
    }
    bodies = [("profile", None, {"rows": 10}), ("profile", "amount", column),
              ("classification", "amount", {"title": "Card number", "confidence": 0.98}),
              ("quality", "amount", {"verdict": "fail", "reason": "two are negative"})]  # fmt: skip
    found = [Found(kind, name, msgspec.json.encode(body).decode()) for kind, name, body in bodies]
    async with node.parts.database.write() as connection:
        scan_id = await scans.create(
            connection, workspace_id="lab", source_id=source_id, run_id="s", mode="full", options=OPTIONS,
            created_by="ada", at=node.clock,
        )  # fmt: skip
        await scans.plan(connection, scan_id, [Listed("main", "sold", "table", 10)])
        begun = await scans.begin_dataset(connection, scan_id, 0)
        assert begun is not None
        await scan_results.put(connection, scan_id, 0, found)
        await scans.end_dataset(connection, scan_id, 0, runs.SUCCEEDED, "{}", attempt=begun.attempts)
        await scans.end(connection, scan_id, runs.SUCCEEDED, "{}", at=node.clock)


def test_another_workspaces_source_is_not_reported_on(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        run = DirectRun(node.parts, "r", workspace_id="den", created_by="eve")
        outcome = await asyncio.gather(make_report(run, MakeReport(source_id=1)), return_exceptions=True)
        assert getattr(outcome[0], "code", None) == "no_source"

    play(tmp_path, scenario)

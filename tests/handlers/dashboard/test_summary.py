"""The summary over both databases: each number is that of the facts, and says as of when."""

from datetime import timedelta

from governed import Read, discover, make_source, scan, table
from http_node import START, Node, play

from handlers.access import Role
from storage import data_sources, runs, schedules
from storage.runs import Ending, Progress
from storage.schedules import Plan

HERE = "/dashboard/summary"
LATER = START + timedelta(hours=2)


async def make(node: Node) -> int:
    await node.make_workspace("lab", ada=Role.EDITOR, vic=Role.VIEWER)
    return await make_source(node, "shop", test={"ok": True})


def test_an_empty_workspace_has_zeroes_and_nothing_measured(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", vic=Role.VIEWER)
        answer = await node.client("vic").get(HERE, params={"workspace_id": "lab"})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        nothing = {"oldest": None, "newest": None}
        assert told["sources"]["total"] == told["datasets"]["total"] == told["rows"]["counted"] == 0
        assert told["datasets"]["measured"] == told["rows"]["measured"] == told["rules"]["measured"] == nothing
        assert (told["scans"]["by_state"], told["scans"]["last_finished_at"]) == ({}, None)
        assert told["as_of"] == "2026-03-01T09:00:00Z"

    play(database_url, scenario)


def test_sources_count_by_kind_and_test(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await make(node)
        await make_source(node, "broken", test={"ok": False})
        await make_source(node, "new", kind="duckdb")
        gone = await make_source(node, "gone", test={"ok": True})
        async with node.parts.database.write() as connection:
            await data_sources.delete(connection, gone, at=START)
        await node.make_workspace("other")
        await make_source(node, "elsewhere", workspace_id="other")
        told = (await node.client("ada").get(HERE, params={"workspace_id": "lab"})).json()["sources"]
        assert told["total"] == 3
        assert told["kinds"] == [
            {"kind": "duckdb", "total": 1, "ok": 0, "failed": 0, "untested": 1},
            {"kind": "sqlite", "total": 2, "ok": 1, "failed": 1, "untested": 0},
        ]

    play(database_url, scenario)


def test_rows_are_counted_where_they_were_and_estimated_elsewhere(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        source = await make(node)
        await make_source(node, "undiscovered")
        tables = [table("a", "x", "y", rows=7), table("b", "x", rows=50), table("c", "x"), table("d", "x", rows=9)]
        await discover(node, source, *tables, table("gone", "x", rows=1_000))
        big = 5_000_000_000
        await scan(node, source, Read("a", rows=3), Read("gone", rows=1_000), Read("b", rows=1, is_exact=False))
        await scan(node, source, Read("a", rows=big), at=LATER)
        node.clock = LATER
        await discover(node, source, *tables)
        told = (await node.client("ada").get(HERE, params={"workspace_id": "lab"})).json()
        at = "2026-03-01T11:00:00Z"
        assert told["rows"] == {
            "measured": {"oldest": at, "newest": at},
            "counted": big,
            "counted_datasets": 1,
            "estimated": 59,
            "estimated_datasets": 2,
            "unknown_datasets": 1,
        }
        assert told["datasets"] == {
            "measured": {"oldest": at, "newest": at},
            "total": 4,
            "by_kind": {"table": 4},
            "columns": 5,
            "with_errors": 0,
            "undiscovered_sources": 1,
        }
        assert told["scans"]["by_state"] == {"succeeded": 2}
        assert told["scans"]["last_finished_at"] == at

    play(database_url, scenario)


def test_findings_are_those_of_the_newest_look(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        source = await make(node)
        mail, card = ("mail", "PII", "email"), ("card", "financial", "credit_card")
        await scan(
            node,
            source,
            Read("a", sensitive=[mail, card], rules=[("fail", "high"), ("pass", "low")]),
            Read("b", sensitive=[mail], rules=[("fail", "low")]),
        )
        # Looks for nothing: what was found before stands. Then one dataset is better.
        await scan(node, source, Read("a"), parts=["discovery"], at=START + timedelta(hours=1))
        better = Read("a", sensitive=[mail], rules=[("pass", "high"), ("not_evaluated", "low")])
        await scan(node, source, better, Read("b", state="failed"), at=LATER)
        told = (await node.client("ada").get(HERE, params={"workspace_id": "lab"})).json()
        when = {"oldest": "2026-03-01T09:00:00Z", "newest": "2026-03-01T11:00:00Z"}
        assert told["sensitive_data"] == {
            "measured": when,
            "datasets": 2,
            "types": [{"category": "PII", "type": "email", "columns": 2}],
        }
        assert told["rules"] == {
            "measured": when,
            "datasets": 2,
            "passed": 1,
            "not_evaluated": 1,
            "failed": {"low": 1},
        }

    play(database_url, scenario)


def test_people_are_active_who_wrote_within_a_day(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR, bob=Role.EDITOR)
        for user, name in (("ada", "one"), ("bob", "two"), ("ada", "three")):
            client = node.client(user)
            made = await client.post("/collaboration/documents/lab", json={"id": name, "kind": "text"})
            assert made.status_code == 201
            put = await client.put(f"/collaboration/documents/lab/{name}/content", json={"text": name})
            assert put.status_code == 200, put.text
        assert (await node.client("ada").delete("/collaboration/documents/lab/three")).status_code == 200
        told = (await node.client("ada").get(HERE, params={"workspace_id": "lab"})).json()["people"]
        assert (told["documents"], told["active_people"], told["members"]) == (2, 2, 2)
        assert told["changed_documents"] == 2

    play(database_url, scenario)


def test_a_schedule_fails_while_its_last_run_did(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        async with node.parts.database.write() as connection:
            for place, enabled in enumerate((True, True, False)):
                plan = Plan("Nightly", "scan", "{}", "0 3 * * *", "UTC", None, "skip", "skip", enabled)
                due = START + timedelta(hours=place + 1) if enabled else None
                made = await schedules.create(connection, "lab", plan, next_run_at=due, by="ada", at=START)
                await runs.add(connection, f"run-{place}", "scan", {}, workspace_id="lab", created_by="ada", at=START)
                if place != 1:
                    await runs.begin(connection, f"run-{place}", node_id="node", at=START)
                    failed = Ending(runs.FAILED, None, "unreachable", "It is away.")
                    await runs.end(connection, f"run-{place}", 1, failed, Progress(), at=START)
                await schedules.note_run(connection, made.id, f"run-{place}")
        told = (await node.client("ada").get(HERE, params={"workspace_id": "lab"})).json()["schedules"]
        assert told == {
            "as_of": "2026-03-01T09:00:00Z",
            "enabled": 2,
            "disabled": 1,
            "failing": 1,
            "next_run_at": "2026-03-01T10:00:00Z",
        }

    play(database_url, scenario)


def test_strangers_see_nothing(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await make(node)
        await node.make_user("eve")
        for name in ("summary", "trends", "data-sources", "metadata", "compliance", "lineage"):
            path = f"/dashboard/{name}"
            assert (await node.client("eve").get(path, params={"workspace_id": "lab"})).status_code == 404
            assert (await node.client(None).get(path, params={"workspace_id": "lab"})).status_code == 401
            assert (await node.client("vic").get(path, params={"workspace_id": "lab"})).status_code == 200

    play(database_url, scenario)

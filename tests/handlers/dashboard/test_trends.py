"""Trends over both databases: what was measured on a day, and null where nothing was."""

from datetime import timedelta
from typing import Any

import pytest
from governed import Read, make_source, scan
from http_node import START, Node, play

from handlers.access import Role
from storage import documents
from storage.tables import to_microseconds, updates

DAY = timedelta(days=1)


async def days_of(node: Node, days: int) -> list[dict[str, Any]]:
    answer = await node.client("ada").get("/dashboard/trends", params={"workspace_id": "lab", "days": days})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["days"]
    return found


def test_days_without_facts_are_gaps(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        node.clock = START - 2 * DAY
        await node.make_workspace("lab", ada=Role.EDITOR)
        node.clock = START
        days = await days_of(node, 4)
        assert [day["date"] for day in days] == ["2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01"]
        # Before the workspace was there nothing was counted; after it, nothing was scanned.
        assert [(day["scans"], day["edits"]) for day in days] == [(None, None), (0, 0), (0, 0), (0, 0)]
        for name in ("quality", "rows", "counted_datasets", "sensitive_columns", "failed_rules"):
            assert [day[name] for day in days] == [None] * 4, name

    play(database_url, scenario)


def test_scans_are_counted_on_the_day_they_ended(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        node.clock = START - 9 * DAY
        await node.make_workspace("lab", ada=Role.EDITOR)
        source = await make_source(node, "shop")
        card = ("card", "financial", "credit_card")
        rules = [("pass", "low"), ("pass", "low"), ("fail", "high"), ("not_evaluated", "low")]
        midnight = START.replace(hour=0)
        await scan(node, source, Read("a", rows=9), at=midnight - 2 * DAY - timedelta(microseconds=1))
        await scan(node, source, Read("a", rows=10, sensitive=[card], rules=rules), at=midnight - DAY)
        await scan(node, source, Read("a", rows=12), Read("b", rows=5), parts=["profile"], at=midnight - DAY / 2)
        await scan(node, source, Read("b", rows=3, is_exact=False), parts=["profile"], at=START)
        await scan(node, source, state="failed", parts=["profile"], at=START + timedelta(minutes=1))
        node.clock = START + timedelta(hours=1)
        gap, before, today = await days_of(node, 3)
        assert (gap["scans"], gap["rows"]) == (0, None)
        assert before == {
            "date": "2026-02-28",
            "scans": 2,
            "succeeded_scans": 2,
            "failed_scans": 0,
            "sensitive_columns": 1,
            "failed_rules": 1,
            "quality": 0.6667,
            "rows": 17,
            "counted_datasets": 2,
            "edits": 0,
            "editors": 0,
        }
        assert (today["scans"], today["succeeded_scans"], today["failed_scans"]) == (2, 1, 1)
        assert (today["sensitive_columns"], today["quality"], today["rows"]) == (None, None, None)

    play(database_url, scenario)


def test_edits_are_counted_by_day_and_person(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        node.clock = START - 3 * DAY
        await node.make_workspace("lab", ada=Role.EDITOR)
        node.clock = START
        written = (("eve", START - 9 * DAY), ("ada", START - DAY), ("ada", START), ("ada", START), ("bob", START))
        async with node.parts.database.write() as connection:
            made = await documents.create(connection, "lab", "one", created_by="ada", at=START)
            rows = [
                {"number": number, "author": author, "created_at": to_microseconds(at), "origin": 0, "data": b""}
                for number, (author, at) in enumerate(written, 1)
            ]
            await connection.execute(updates.insert(), [{"document_id": made.id, **row} for row in rows])
        days = await days_of(node, 3)
        assert [(day["edits"], day["editors"]) for day in days] == [(0, 0), (1, 1), (3, 2)]

    play(database_url, scenario)


@pytest.mark.parametrize("days", ["0", "367", "x"])
def test_days_out_of_bounds_are_refused(sqlite_url: str, days: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        answer = await node.client("ada").get("/dashboard/trends", params={"workspace_id": "lab", "days": days})
        assert answer.status_code == 400
        assert "days" in answer.json()["message"]

    play(sqlite_url, scenario)

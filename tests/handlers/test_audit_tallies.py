"""What is read leaves rows once it is much, and none for each request; what is missed does, if it is often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from http_node import Node, play

from handlers.access import Role
from handlers.audit_tallies import MISSED, READ, Tallies, Tally
from storage.audit_verification import verify

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def test_ordinary_work_is_a_row_an_hour() -> None:
    clock = Clock()
    tallies = Tallies(clock)
    rows: list[Tally] = []
    for minute in range(180):
        clock.now = START + timedelta(minutes=minute)
        for _ in range(2):
            tallies.read("ada", "lab", "documents.get", 1)
        rows += tallies.taken()
    assert [row.details["things"] for row in rows] == [122, 122]
    assert rows[0].details["operations"] == {"documents.get": 122}
    assert rows[0].details["requests"] == 122


def test_an_export_is_seen_while_it_goes_on_and_costs_few_rows() -> None:
    tallies = Tallies(Clock())
    rows: list[Tally] = []
    for _ in range(20_000):
        if tallies.read("ada", "lab", "feeds.read", 200):
            rows += tallies.taken()
    rows += tallies.taken(everything=True)
    told = [row.details["things"] for row in rows]
    assert told[:5] == [1000, 1000, 1000, 1000, 1000]
    assert sum(told) == 4_000_000
    assert len(told) < 45


def test_a_few_misses_leave_nothing_and_many_do() -> None:
    clock = Clock()
    tallies = Tallies(clock)
    for number in range(9):
        tallies.missed("ada", "documents.get", f"lab/{number}")
    assert tallies.taken(everything=True) == []
    for number in range(25):
        tallies.missed("eve", "documents.get", f"lab/{number}")
    (row,) = tallies.taken()
    assert (row.actor, row.action, row.target, row.details["count"]) == ("eve", MISSED, "lab/24", 25)
    clock.now += timedelta(minutes=5)
    assert tallies.taken() == []


def test_what_users_make_the_server_remember_is_bounded() -> None:
    tallies = Tallies(Clock())
    due = [tallies.read(f"user{number}", "lab", "documents.get", 1) for number in range(10_003)]
    assert due == [False] * 10_000 + [True] * 3
    assert [row.actor for row in tallies.taken()] == ["user0", "user1", "user2"]


def test_requests_are_counted_and_what_waits_is_written_when_the_server_stops(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER, bob=Role.EDITOR)
        ada = node.client("ada")
        for _ in range(3):
            assert (await ada.get("/collaboration/workspaces/lab/members")).status_code == 200
        assert (await ada.get("/collaboration/documents/lab/none")).status_code == 404
        assert (await ada.get("/me")).status_code == 200
        assert await node.audited() == []
        for _ in range(10):
            assert (await ada.get("/collaboration/workspaces/nowhere")).status_code == 404
        assert [(row.action, row.outcome, row.details["count"]) for row in await node.audited()] == [
            (MISSED, "refused", 11)
        ]
        await node.parts.audit.close()
        rows = {row.target: row for row in await node.audited() if row.action == READ}
        assert rows["lab"].details["things"] == 6
        assert rows["lab"].details["operations"] == {"collaboration.members.list": 6}
        assert rows[""].details["things"] == 1
        async with node.parts.database.read() as connection:
            assert await verify(connection) is None

    play(tmp_path, scenario)

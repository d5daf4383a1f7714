"""Schedules whose time has come: what is run, what is missed, and who moves them on."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from http_node import Node, serving
from run_jobs import JOBS

from handlers.access import Role
from handlers.attention import attention
from handlers.schedules import firing
from handlers.schedules.firing import LOOK_SECONDS, MISSED, run_due
from storage import members, runs, schedules, users, workspaces
from storage.schedules import Plan, Schedule

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DEADLINE = 10.0


async def make(node: Node, *, by: str = "ada", **changes: Any) -> Schedule:
    """Each minute, first at 9:01."""
    values: dict[str, Any] = {
        "title": "each minute",
        "job": "count",
        "arguments": '{"gate":null,"steps":1}',
        "cron": "* * * * *",
        "time_zone": "UTC",
        "every_seconds": None,
        "missed": "skip",
        "overlap": "queue",
        "enabled": True,
    }
    async with node.parts.database.write() as connection:
        return await schedules.create(
            connection, "lab", Plan(**values | changes), next_run_at=START + MINUTE, by=by, at=START
        )


async def look(node: Node, now: datetime) -> float:
    return await run_due(node.parts, lambda: now)


async def due_times(node: Node) -> list[str]:
    async with node.parts.database.read() as connection:
        found = await runs.list_of(connection, workspace_id="lab", limit=100)
    return sorted(f"{run.due_at:%H:%M:%S}" for run in found if run.due_at)


async def again(node: Node, schedule: Schedule) -> Schedule:
    async with node.parts.database.read() as connection:
        found = await schedules.get(connection, schedule.id)
    assert found is not None
    return found


def play(place: Path | str, scenario: Any) -> None:
    async def run() -> None:
        async with serving(place, jobs=JOBS) as node:
            await node.make_workspace("lab", ada=Role.EDITOR)
            await scenario(node)

    asyncio.run(run())


def test_it_is_run_when_its_time_has_come_and_not_before(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        schedule = await make(node)
        assert await look(node, START + MINUTE - timedelta(seconds=0.25)) == pytest.approx(0.25)
        assert await due_times(node) == []
        assert await look(node, START + MINUTE) == LOOK_SECONDS
        assert await due_times(node) == ["09:01:00"]
        schedule = await again(node, schedule)
        assert schedule.next_run_at == START + 2 * MINUTE
        async with node.parts.database.read() as connection:
            run = await runs.get(connection, schedule.last_run_id or "")
        assert run is not None
        assert (run.id, run.job, run.created_by) == (f"schedule:{schedule.id}:2026-03-01T09:01:00Z", "count", "ada")
        assert (run.state, run.schedule_id, run.arguments) == (runs.WAITING, schedule.id, '{"gate":null,"steps":1}')

    play(database_url, scenario)


def test_however_many_look_each_time_is_run_once(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await make(node)
        for minute in range(1, 4):
            await asyncio.gather(*(look(node, START + minute * MINUTE) for _ in range(8)))
        assert await due_times(node) == ["09:01:00", "09:02:00", "09:03:00"]

    play(database_url, scenario)


def test_a_clock_that_is_behind_runs_nothing_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make(node)
        await look(node, START + MINUTE)
        await look(node, START)
        await look(node, START + MINUTE)
        assert await due_times(node) == ["09:01:00"]

    play(tmp_path, scenario)


def test_what_came_in_a_short_pause_is_all_run(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make(node, cron="*/20 * * * * *")
        await look(node, START + MINUTE + timedelta(seconds=45))
        assert await due_times(node) == ["09:01:00", "09:01:20", "09:01:40"]

    play(tmp_path, scenario)


@pytest.mark.parametrize(("missed", "expected"), [("skip", []), ("run_once", ["09:01:00"])])
def test_what_was_missed_is_left_or_run_once(tmp_path: Path, missed: str, expected: list[str]) -> None:
    async def scenario(node: Node) -> None:
        schedule = await make(node, missed=missed)
        # It is not looked at for an hour.
        now = START + MINUTE + 60 * MINUTE + timedelta(seconds=5)
        assert now - START - MINUTE > MISSED
        await look(node, now)
        assert await due_times(node) == expected
        assert (await again(node, schedule)).next_run_at == START + 62 * MINUTE

    play(tmp_path, scenario)


@pytest.mark.parametrize(("overlap", "expected"), [("skip", ["09:01:00"]), ("queue", ["09:01:00", "09:02:00"])])
def test_a_run_that_has_not_ended_may_keep_back_the_next(tmp_path: Path, overlap: str, expected: list[str]) -> None:
    async def scenario(node: Node) -> None:
        schedule = await make(node, overlap=overlap)
        await look(node, START + MINUTE)
        await look(node, START + 2 * MINUTE)
        assert await due_times(node) == expected
        for minute in (1, 2):
            await node.parts.runs.cancel(f"schedule:{schedule.id}:2026-03-01T09:0{minute}:00Z")
        await look(node, START + 3 * MINUTE)
        assert await due_times(node) == [*expected, "09:03:00"]

    play(tmp_path, scenario)


def test_seconds_are_counted_from_when_it_was_made(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        schedule = await make(node, cron=None, time_zone=None, every_seconds=90)
        await look(node, START + MINUTE)
        # However late it was looked at.
        assert (await again(node, schedule)).next_run_at == START + timedelta(seconds=90)
        await look(node, START + timedelta(seconds=97))
        assert (await again(node, schedule)).next_run_at == START + timedelta(seconds=180)

    play(tmp_path, scenario)


def test_what_the_clock_skips_is_all_run_an_hour_later(tmp_path: Path) -> None:
    """In New York there is no time from two to three in the morning of the 8th of March."""

    async def scenario(node: Node) -> None:
        schedule = await make(node, cron="10,30 2 * * *", time_zone="America/New_York")
        async with node.parts.database.write() as connection:
            first = datetime(2026, 3, 8, 7, 10, tzinfo=UTC)
            await schedules.advance(connection, schedule, next_run_at=first, last_run_id=None)
        for minutes in range(0, 180, 5):
            await look(node, datetime(2026, 3, 8, 6, tzinfo=UTC) + timedelta(minutes=minutes))
        assert await due_times(node) == ["07:10:00", "07:30:00"]
        assert (await again(node, schedule)).next_run_at == datetime(2026, 3, 9, 6, 10, tzinfo=UTC)

    play(tmp_path, scenario)


def test_who_changes_it_meanwhile_wins(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        seen = await make(node)
        async with node.parts.database.write() as connection:
            later = START + timedelta(seconds=1)
            await schedules.change(connection, seen.id, seen.plan, next_run_at=seen.next_run_at, by="bob", at=later)
            assert not await schedules.advance(connection, seen, next_run_at=None, last_run_id=None)
        await look(node, START + MINUTE)
        assert await due_times(node) == ["09:01:00"]

    play(tmp_path, scenario)


def test_in_a_deleted_workspace_it_rests(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make(node)
        async with node.parts.database.write() as connection:
            await workspaces.delete(connection, "lab", at=START)
        assert await look(node, START + MINUTE) == LOOK_SECONDS
        assert await due_times(node) == []

    play(tmp_path, scenario)


def test_a_zone_that_is_gone_stops_it_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(node: Node) -> None:
        lost = await make(node, time_zone="Mars/Olympus")
        await make(node)
        await look(node, START + MINUTE)
        assert await due_times(node) == ["09:01:00", "09:01:00"]
        assert (await again(node, lost)).next_run_at is None
        assert f"the schedule {lost.id} is not run any more" in caplog.text

    play(tmp_path, scenario)


# Whoever it runs for


async def change_role(node: Node, user: str, role: Role | None) -> None:
    async with node.parts.database.write() as connection:
        if role is None:
            await members.remove(connection, "lab", user)
        else:
            await users.ensure(connection, user, at=START)
            await members.put(connection, "lab", user, role, added_by="admin", at=START)
    node.parts.access.invalidate("lab", user)


async def told(node: Node, user: str) -> list[Any]:
    answer = await node.client(user).get("/notifications")
    return [event["data"] for event in answer.json()["items"] if event["type"] == "schedule.refused"]


async def refused_runs(node: Node) -> dict[str, str | None]:
    """Why each run failed, by its id; None for one that waits."""
    async with node.parts.database.read() as connection:
        found = await runs.list_of(connection, workspace_id="lab", limit=100)
        waiting = await runs.waiting(connection, limit=100)
    assert all((run.error_code is None) == ((run.id, run.job) in waiting) for run in found)
    return {run.id.rpartition("T")[2]: run.error_message for run in found}


def test_who_may_not_any_more_runs_nothing_and_the_managers_are_told_once(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await change_role(node, "olga", Role.OWNER)
        await change_role(node, "max", Role.ADMIN)
        schedule = await make(node)
        await look(node, START + MINUTE)
        await change_role(node, "ada", Role.VIEWER)
        await look(node, START + 2 * MINUTE)
        await change_role(node, "ada", None)
        await look(node, START + 3 * MINUTE)
        found = await refused_runs(node)
        assert found["09:01:00Z"] is None
        assert "is viewer in the workspace, and editor is needed" in (found["09:02:00Z"] or "")
        assert "is no member of the workspace any more" in (found["09:03:00Z"] or "")
        for manager in ("olga", "max"):
            [notice] = await told(node, manager)
            assert (notice["schedule_id"], notice["author"], notice["title"]) == (schedule.id, "ada", "each minute")
            assert notice["message"] == found["09:02:00Z"]
        assert await told(node, "ada") == []
        # Somebody who may takes it over.
        answer = await node.client("max").patch(f"/schedules/{schedule.id}", json={"title": "mine now"})
        assert answer.status_code == 200, answer.text
        await look(node, START + 4 * MINUTE)
        assert (await refused_runs(node))["09:04:00Z"] is None

    play(database_url, scenario)


def test_the_schedule_of_a_deactivated_administrator_is_not_run(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        schedule = await make(node, by="root")
        await node.make_user("root", is_admin=True)
        await look(node, START + MINUTE)
        async with node.parts.database.write() as connection:
            await users.change(connection, "root", is_active=False)
        node.parts.access.invalidate(user_id="root")
        await look(node, START + 2 * MINUTE)
        found = await refused_runs(node)
        assert found["09:01:00Z"] is None
        assert "is deactivated" in (found["09:02:00Z"] or "")
        assert (await again(node, schedule)).next_run_at == START + 3 * MINUTE

    play(tmp_path, scenario)


def test_one_that_is_made_while_nothing_is_due_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(firing, "LOOK_SECONDS", 1_000.0)

    async def made_and_run(node: Node, title: str) -> None:
        body = {"workspace_id": "lab", "title": title, "job": "count", "arguments": {"gate": None, "steps": 1}}
        # By the node's clock it is due in March: long ago.
        made = await node.client("ada").post("/schedules", json={**body, "every_seconds": 3600, "missed": "run_once"})
        assert made.status_code == 201, made.text
        here = f"/schedules/{made.json()['id']}"
        with attention(node.parts.changes, "schedules") as news:
            async with asyncio.timeout(DEADLINE):
                while (await node.client("ada").get(here)).json()["last_run"] is None:
                    await news.wait(1.0)

    async def scenario(node: Node) -> None:
        service = asyncio.create_task(firing.keep_schedules(node.parts))
        try:
            await made_and_run(node, "first")
            # By now it waits for as long as it would without a word.
            await made_and_run(node, "second")
        finally:
            service.cancel()

    play(tmp_path, scenario)

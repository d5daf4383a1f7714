"""Schedules over HTTP: who makes, sees, changes and runs them, and what is said of wrong ones."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from http_node import Node, play

from handlers.access import Role
from handlers.schedules.firing import run_due

HERE = "/schedules"
NIGHTLY = {"workspace_id": "lab", "title": "Nightly", "job": "workspace.export", "cron": "30 2 * * *"}


def laboratory(place: Path | str, scenario: Any) -> None:
    async def run(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR, vic=Role.VIEWER)
        await node.make_user("eve")
        await scenario(node)

    play(place, run)


def test_one_is_made_and_says_when_it_runs(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        made = await ada.post(HERE, json={**NIGHTLY, "time_zone": "Europe/Berlin", "arguments": {"prefix": "a"}})
        assert made.status_code == 201
        schedule = made.json()
        expected = {
            "workspace_id": "lab",
            "title": "Nightly",
            "job": "workspace.export",
            "arguments": {"prefix": "a"},
            "cron": "30 2 * * *",
            "time_zone": "Europe/Berlin",
            "every_seconds": None,
            "missed": "skip",
            "overlap": "skip",
            "enabled": True,
            "next_run_at": "2026-03-02T01:30:00Z",
            "last_run": None,
            "created_by": "ada",
            "created_at": "2026-03-01T09:00:00Z",
            "updated_by": "ada",
            "updated_at": "2026-03-01T09:00:00Z",
        }
        assert schedule == {"id": schedule["id"], **expected}
        assert (await ada.get(f"{HERE}/{schedule['id']}")).json() == schedule
        assert (await ada.get(HERE, params={"workspace_id": "lab"})).json()["items"] == [schedule]
        [row] = await node.audited()
        assert (row.action, row.target) == ("schedules.create", f"lab/{schedule['id']}")

    laboratory(database_url, scenario)


@pytest.mark.parametrize(
    ("change", "parameter", "complaint"),
    [
        ({"cron": "0 25 * * *"}, "cron", "cron: the field hour is '25': '25' is not from 0 to 23."),
        ({"cron": "* * * *"}, "cron", "cron: it has 4 fields; give five"),
        ({"time_zone": "Berlin"}, "time_zone", "time_zone: 'Berlin' is not known; use a name such as Europe/Berlin"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "time_zone: '../../etc/passwd' is not known"),
        ({"time_zone": "Europe"}, "time_zone", "time_zone: 'Europe' is not known"),
        ({"time_zone": "a\x00b"}, "time_zone", "time_zone: 'a\\x00b' is not known"),
        ({"every_seconds": 60}, "cron", "Give either `cron` or `every_seconds`."),
        ({"cron": None}, "cron", "Give either `cron` or `every_seconds`."),
        ({"cron": None, "every_seconds": 60, "time_zone": "UTC"}, "time_zone", "time_zone: it belongs to `cron`"),
        ({"cron": None, "every_seconds": 0}, "every_seconds", "every_seconds: Expected `int` >= 1."),
        ({"job": "workspace.exprot"}, "job", "job: there is no job 'workspace.exprot'; there are "),
        ({"arguments": {"prefixx": 1}}, "arguments", "arguments: the job 'workspace.export' takes no 'prefixx'"),
        ({"arguments": {"prefix": 1}}, "arguments", "arguments: Expected `str`, got `int`"),
        ({"missed": "all"}, "missed", "missed: Invalid enum value 'all'; use 'run_once' or 'skip'."),
        ({"title": ""}, "title", "title: Expected `str` of length >= 1."),
    ],
)
def test_a_wrong_one_is_refused_and_says_what_is_wrong(
    tmp_path: Path, change: dict[str, Any], parameter: str, complaint: str
) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        refused = await ada.post(HERE, json={**NIGHTLY, **change})
        assert refused.status_code == 400
        assert refused.json()["message"].startswith(complaint), refused.json()["message"]
        assert refused.json()["details"]["parameter"] == parameter
        assert (await ada.get(HERE, params={"workspace_id": "lab"})).json()["items"] == []

    laboratory(tmp_path, scenario)


def test_it_is_changed_paused_and_resumed(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        here = f"{HERE}/{(await ada.post(HERE, json=NIGHTLY)).json()['id']}"
        node.clock += timedelta(minutes=10)
        paused = (await ada.patch(here, json={"enabled": False, "title": "Off"})).json()
        assert (paused["enabled"], paused["next_run_at"], paused["title"]) == (False, None, "Off")
        often = (await ada.patch(here, json={"enabled": True, "every_seconds": 3600})).json()
        assert (often["cron"], often["every_seconds"]) == (None, 3600)
        assert often["next_run_at"] == "2026-03-01T10:00:00Z"
        renamed = (await ada.patch(here, json={"title": "Hourly"})).json()
        assert renamed["next_run_at"] == often["next_run_at"]
        back = (await ada.patch(here, json={"cron": "0 12 * * *", "time_zone": "Asia/Tokyo"})).json()
        assert (back["every_seconds"], back["next_run_at"]) == (None, "2026-03-02T03:00:00Z")
        assert (await ada.patch(here, json={"time_zone": None})).json()["next_run_at"] == "2026-03-01T12:00:00Z"
        assert (await ada.patch(here, json={"cron": "x"})).json()["code"] == "bad_cron"
        assert (await ada.get(here)).json()["cron"] == "0 12 * * *"

    laboratory(tmp_path, scenario)


def test_viewers_see_them_editors_change_them_and_others_know_of_none(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, vic, eve = node.client("ada"), node.client("vic"), node.client("eve")
        here = f"{HERE}/{(await ada.post(HERE, json=NIGHTLY)).json()['id']}"
        assert (await vic.get(here)).status_code == 200
        assert (await vic.get(f"{here}/runs")).status_code == 200
        assert (await vic.get(HERE, params={"workspace_id": "lab"})).status_code == 200
        for method, path in (("POST", HERE), ("PATCH", here), ("DELETE", here), ("POST", f"{here}/run")):
            body = NIGHTLY if path == HERE else {} if method != "DELETE" else None
            assert (await vic.request(method, path, json=body)).status_code == 403, (method, path)
            refused = await eve.request(method, path, json=body)
            nowhere = await eve.request(method, path.replace("/1", "/99"), json=body)
            assert refused.status_code == 404
            assert refused.json()["message"].replace("schedule 1", "?") == nowhere.json()["message"].replace(
                "schedule 99", "?"
            )
        assert (await eve.get(here)).status_code == 404
        assert (await eve.get(HERE, params={"workspace_id": "lab"})).status_code == 404

    laboratory(tmp_path, scenario)


def test_it_is_run_now_once_a_key(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        here = f"{HERE}/{(await ada.post(HERE, json={**NIGHTLY, 'enabled': False})).json()['id']}"
        runs = [await ada.post(f"{here}/run", json={"key": "a"}) for _ in range(2)]
        assert [run.status_code for run in runs] == [202, 202]
        assert runs[0].json() == runs[1].json()
        assert (runs[0].json()["state"], runs[0].json()["due_at"]) == ("queued", None)
        node.clock += timedelta(seconds=1)
        another = (await ada.post(f"{here}/run", json={})).json()
        listed = (await ada.get(f"{here}/runs")).json()["items"]
        assert [run["id"] for run in listed] == [another["id"], runs[0].json()["id"]]
        assert (await ada.get(here)).json()["last_run"] == another
        assert [row.action for row in await node.audited()].count("schedules.run") == 2

    laboratory(database_url, scenario)


def test_the_last_run_and_all_runs_are_shown_page_by_page(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        here = (
            f"{HERE}/{(await ada.post(HERE, json={**NIGHTLY, 'cron': '* * * * *', 'overlap': 'queue'})).json()['id']}"
        )
        for minute in range(1, 6):
            node.clock = datetime(2026, 3, 1, 9, minute, tzinfo=UTC)
            await run_due(node.parts, node.now)
        seen: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(3):
            page = (await ada.get(f"{here}/runs", params={"limit": 2, **cursor})).json()
            seen += [run["due_at"] for run in page["items"]]
            cursor = {"cursor": page["next_cursor"]}
        assert seen == [f"2026-03-01T09:0{minute}:00Z" for minute in (5, 4, 3, 2, 1)]
        assert page["next_cursor"] is None
        assert (await ada.get(here)).json()["last_run"]["due_at"] == "2026-03-01T09:05:00Z"

    laboratory(tmp_path, scenario)


def test_a_deleted_one_leaves_its_runs(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        here = f"{HERE}/{(await ada.post(HERE, json=NIGHTLY)).json()['id']}"
        run = (await ada.post(f"{here}/run", json={})).json()
        assert (await ada.delete(here)).status_code == 204
        assert [(await ada.request(method, here)).status_code for method in ("GET", "DELETE")] == [404, 404]
        left = (await ada.get(f"/runs/{run['id']}")).json()
        assert left == {**run, "schedule_id": None}

    laboratory(tmp_path, scenario)


def test_a_workspace_has_no_end_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.schedules.schedules.MOST_IN_A_WORKSPACE", 2)

    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        answers = [await ada.post(HERE, json=NIGHTLY) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 409]
        assert answers[2].json()["code"] == "too_many_schedules"

    laboratory(tmp_path, scenario)


def test_runs_at_the_same_moment_are_one(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        here = f"{HERE}/{(await ada.post(HERE, json=NIGHTLY)).json()['id']}"
        answers = await asyncio.gather(*(ada.post(f"{here}/run", json={"key": "same"}) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {202}
        assert len((await ada.get(f"{here}/runs")).json()["items"]) == 1

    laboratory(tmp_path, scenario)

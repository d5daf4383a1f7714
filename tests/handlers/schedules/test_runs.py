"""Runs over HTTP: start, look at, list and cancel them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from http_node import Node, play

from handlers.access import Role
from storage import runs
from storage.runs import Ending, Progress

HERE = "/runs"
EXPORT = {"workspace_id": "lab", "job": "workspace.export"}


def laboratory(place: Path | str, scenario: Any) -> None:
    async def run(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR, vic=Role.VIEWER)
        await node.make_user("eve")
        await scenario(node)

    play(place, run)


def test_the_jobs_say_what_they_are_told(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        jobs = (await node.client("ada").get("/jobs")).json()["items"]
        assert [job["name"] for job in jobs] == sorted(job["name"] for job in jobs)
        [job] = [job for job in jobs if job["name"] == "workspace.export"]
        assert job["arguments"]["$defs"]["ExportWorkspace"]["properties"]["prefix"]["type"] == "string"

    laboratory(tmp_path, scenario)


def test_a_run_is_started_once_a_key(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        answers = [await ada.post(HERE, json={**EXPORT, "key": "k"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        run = answers[0].json()
        assert answers[1].json() == run
        assert (run["id"], run["state"], run["arguments"]) == ("run:lab:k", "queued", {"prefix": ""})
        other = await ada.post(HERE, json={**EXPORT, "key": "k", "arguments": {"prefix": "a"}})
        assert (other.status_code, other.json()["code"]) == (409, "run_exists")
        assert (await ada.get(f"{HERE}/run:lab:k")).json() == run
        assert [row.action for row in await node.audited()] == ["runs.start"]

    laboratory(database_url, scenario)


def test_what_becomes_of_it_is_shown(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        for key in ("good", "bad"):
            await ada.post(HERE, json={**EXPORT, "key": key})
        async with node.parts.database.write() as connection:
            for key in ("good", "bad"):
                await runs.begin(connection, f"run:lab:{key}", node_id="n", at=node.clock)
            await runs.tell_progress(connection, "run:lab:good", 1, Progress(2, 5, "third"))
        running = (await ada.get(f"{HERE}/run:lab:good")).json()
        assert (running["state"], running["node_id"], running["attempt"]) == ("running", "n", 1)
        assert running["progress"] == {"done": 2, "total": 5, "note": "third"}
        async with node.parts.database.write() as connection:
            good, bad = Ending(runs.SUCCEEDED, '{"x":1}'), Ending(runs.FAILED, error_code="e", error_message="E.")
            await runs.end(connection, "run:lab:good", 1, good, Progress(5, 5), at=node.clock)
            await runs.end(connection, "run:lab:bad", 1, bad, Progress(), at=node.clock)
        ended = (await ada.get(f"{HERE}/run:lab:good")).json()
        assert (ended["state"], ended["result"], ended["error"]) == ("succeeded", {"x": 1}, None)
        assert ended["finished_at"] == "2026-03-01T09:00:00Z"
        failed = (await ada.get(f"{HERE}/run:lab:bad")).json()
        assert (failed["state"], failed["error"]) == ("failed", {"code": "e", "message": "E."})

    laboratory(database_url, scenario)


def test_it_is_cancelled_once_and_one_that_ended_stays_as_it_is(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        here = f"{HERE}/{(await ada.post(HERE, json=EXPORT)).json()['id']}/cancel"
        answers = [(await ada.post(here, json={})).json()["state"] for _ in range(2)]
        assert answers == ["cancelled", "cancelled"]
        assert [row.action for row in await node.audited()].count("runs.cancel") == 1

    laboratory(tmp_path, scenario)


def test_viewers_look_editors_act_and_others_know_of_none(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, vic, eve = node.client("ada"), node.client("vic"), node.client("eve")
        here = f"{HERE}/{(await ada.post(HERE, json=EXPORT)).json()['id']}"
        assert (await vic.get(here)).status_code == 200
        assert (await vic.post(f"{here}/cancel", json={})).status_code == 403
        assert (await vic.post(HERE, json=EXPORT)).status_code == 403
        for method, path in (("GET", here), ("POST", f"{here}/cancel"), ("POST", HERE)):
            answer = await eve.request(method, path, json=EXPORT if path == HERE else None)
            assert answer.status_code == 404, (method, path)
        assert (await eve.get(HERE, params={"workspace_id": "lab"})).status_code == 404

    laboratory(tmp_path, scenario)


def test_a_run_of_no_workspace_is_for_administrators(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.parts.runs.start("own", "workspace.export", {"prefix": ""}, workspace_id=None, created_by="server")
        assert (await node.client("admin").get(f"{HERE}/own")).status_code == 200
        refused = await node.client("ada").get(f"{HERE}/own")
        nowhere = await node.client("ada").get(f"{HERE}/gap")
        assert (refused.status_code, nowhere.status_code) == (404, 404)
        assert refused.json()["message"].replace("own", "?") == nowhere.json()["message"].replace("gap", "?")

    laboratory(tmp_path, scenario)


def test_they_are_listed_by_job_and_state_the_newest_first(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        for number in range(5):
            node.clock += timedelta(seconds=1)
            await ada.post(HERE, json={**EXPORT, "key": f"k{number}"})
        await ada.post(f"{HERE}/run:lab:k1/cancel", json={})

        async def listed(**params: Any) -> list[str]:
            seen: list[str] = []
            while True:
                page = (await ada.get(HERE, params={"workspace_id": "lab", "limit": 2, **params})).json()
                seen += [run["id"].rpartition(":")[2] for run in page["items"]]
                if page["next_cursor"] is None:
                    return seen
                params["cursor"] = page["next_cursor"]

        assert await listed() == ["k4", "k3", "k2", "k1", "k0"]
        assert await listed(state="cancelled") == ["k1"]
        assert await listed(state="queued") == ["k4", "k3", "k2", "k0"]
        assert await listed(job="other") == []

    laboratory(database_url, scenario)

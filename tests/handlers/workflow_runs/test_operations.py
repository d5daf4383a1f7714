"""Runs of workflows over HTTP: start, look, cancel, run again, approve."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from http_node import Node, serving
from run_jobs import JOBS, lines
from run_nodes import run_when
from workflow_graphs import form, node, publish, work

from handlers.access import Role
from handlers.jobs import Job
from handlers.workflow_runs import approvals, runs, starting
from handlers.workflow_runs.action_nodes import actions
from handlers.workflow_runs.job import jobs
from storage import feeds

OPERATIONS = (*starting.OPERATIONS, *runs.OPERATIONS, *approvals.OPERATIONS)
Json = dict[str, Any]

ASKS = form(
    {
        "s": node("start"),
        "w": work(value="${inputs.n}"),
        "a": node("approval", title="Go on?", approvers=["bob", "eve", "ada"], required=2, expires_seconds=1000),
        "yes": work(),
        "no": work(),
        "e": node("end", output="nodes.a.decision"),
    },
    *("s>w", "w>a", "a:approved>yes", "a:rejected>no", "yes>e", "no>e"),
)


@asynccontextmanager
async def studio(url: str, folder: Path, some_jobs: tuple[Job, ...] = JOBS) -> AsyncIterator[Node]:
    """A node with the workspace `lab` that executes runs."""
    async with serving(url, operations=OPERATIONS, jobs=some_jobs, folder=folder) as one:
        roles = {"ada": Role.EDITOR, "bob": Role.VIEWER, "eve": Role.VIEWER, "viv": Role.VIEWER}
        await one.make_workspace("lab", **roles)
        await one.make_user("stranger")
        service = asyncio.ensure_future(one.parts.runs.run(one.parts))
        try:
            yield one
        finally:
            await one.parts.runs.close(5.0)
            await service


async def post(client: httpx.AsyncClient, path: str, status: int = 200, **body: Any) -> Json:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


async def until(client: httpx.AsyncClient, run_id: str, holds: Callable[[Json], bool]) -> Json:
    """The run once it is so."""
    async with asyncio.timeout(30):
        while True:
            found: Json = (await client.get(f"/workflow/runs/{run_id}")).json()
            if holds(found):
                return found
            await asyncio.sleep(0.01)


def states(run: Json) -> dict[str, str]:
    return {each["place"]: each["state"] for each in run["nodes"]}


def test_so_many_of_those_asked_decide_and_the_run_goes_on(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with studio(engine_url, tmp_path) as one:
            ada, bob, viv = (one.client(user) for user in ("ada", "bob", "viv"))
            workflow = await publish(one.parts.database, ASKS)
            run = await post(ada, "/workflow/runs", 202, workflow_id=workflow, inputs={"n": 7}, key="k")
            again = await post(ada, "/workflow/runs", 202, workflow_id=workflow, inputs={"n": 7}, key="k")
            assert again["id"] == run["id"]
            await until(ada, run["id"], lambda found: states(found).get("a") == "waiting")
            [asked] = (await viv.get("/workflow/approvals?workspace_id=lab")).json()["items"]
            decide = f"/workflow/approvals/{asked['id']}/decide"
            await post(viv, decide, 403, decision="approved")
            await post(one.client("stranger"), decide, 404, decision="approved")
            assert (await post(bob, decide, decision="approved", comment="fine"))["state"] == "pending"
            await post(bob, decide, 409, decision="approved")
            assert (await post(one.client("eve"), decide, decision="approved"))["state"] == "approved"
            await post(ada, decide, 409, decision="rejected")
            done = await until(viv, run["id"], lambda found: found["finished_at"] is not None)
            assert (done["state"], done["outputs"]) == ("succeeded", {"e": "approved"})
            by_place = {each["place"]: each for each in done["nodes"]}
            assert [each["user_id"] for each in by_place["a"]["output"]["decisions"]] == ["bob", "eve"]
            assert (by_place["w"]["output"], by_place["no"]["state"]) == (7, "skipped")
            events = await types_in(one, f"lab/{done['feed']}")
            assert (events[-1], set(events)) == ("workflow.run", {"workflow.run", "workflow.nodes"})
            assert await types_in(one, "@bob/notifications") == ["workflow.approval"]

    asyncio.run(scenario())


async def types_in(one: Node, name: str) -> list[str]:
    """The types of the events in a feed."""
    async with one.parts.database.read() as connection:
        feed = await feeds.get(connection, name)
        assert feed is not None
        return [event.type for event in await feeds.read(connection, feed.id, after=0, limit=100)]


def test_who_may_not_starts_and_cancels_nothing_and_mistakes_are_told(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with studio(engine_url, tmp_path) as one:
            ada, viv, stranger = (one.client(user) for user in ("ada", "viv", "stranger"))
            workflow = await publish(one.parts.database, ASKS)
            await post(viv, "/workflow/runs", 403, workflow_id=workflow)
            await post(stranger, "/workflow/runs", 404, workflow_id=workflow)
            refused = await post(ada, "/workflow/runs", 400, workflow_id=workflow, inputs={"m": 1})
            assert "has no input 'm'; it has items, limit, n" in refused["detail"]
            await post(ada, "/workflow/runs", 404, workflow_id=workflow, version=9)
            run = await post(ada, "/workflow/runs", 202, workflow_id=workflow)
            await until(ada, run["id"], lambda found: states(found).get("a") == "waiting")
            await post(ada, f"/workflow/runs/{run['id']}/rerun", 409)
            await post(viv, f"/workflow/runs/{run['id']}/cancel", 403)
            assert (await post(ada, f"/workflow/runs/{run['id']}/cancel"))["state"] == "cancelled"
            assert (await viv.get("/workflow/approvals?workspace_id=lab")).json()["items"] == []
            assert (await stranger.get(f"/workflow/runs/{run['id']}")).status_code == 404
            listed = (await viv.get("/workflow/runs?workspace_id=lab&state=cancelled")).json()["items"]
            assert [each["id"] for each in listed] == [run["id"]]

    asyncio.run(scenario())


def test_a_run_is_done_again_from_what_failed_or_with_other_inputs(engine_url: str, tmp_path: Path) -> None:
    nodes = {
        "s": node("start"),
        "w": work(value="${inputs.n}"),
        "t": node("transform", expression="10 / inputs.n"),
        "e": node("end", output="nodes.t"),
    }

    async def scenario() -> None:
        async with studio(engine_url, tmp_path) as one:
            ada = one.client("ada")
            workflow = await publish(one.parts.database, form(nodes, "s>w", "w>t", "t>e"))
            run = await post(ada, "/workflow/runs", 202, workflow_id=workflow, inputs={"n": 0})
            failed = await run_when(one.parts.database, run["id"])
            assert (failed.state, failed.error_code) == ("failed", "node")
            again = await post(ada, f"/workflow/runs/{run['id']}/rerun", 202, begin="failed")
            assert (await run_when(one.parts.database, again["id"])).state == "failed"
            # What succeeded is taken over, not done.
            assert lines(tmp_path, again["id"]) == []
            found = (await ada.get(f"/workflow/runs/{again['id']}")).json()
            assert (states(found)["w"], found["rerun_of"]) == ("succeeded", run["id"])
            other = await post(ada, f"/workflow/runs/{run['id']}/rerun", 202, inputs={"n": 5})
            await run_when(one.parts.database, other["id"])
            assert (await ada.get(f"/workflow/runs/{other['id']}")).json()["outputs"] == {"e": 2}

    asyncio.run(scenario())


def test_operations_are_done_in_the_name_of_whoever_runs_it_and_nowhere_else(engine_url: str, tmp_path: Path) -> None:
    def asks(workspace: str) -> Json:
        nodes = {
            "s": node("start"),
            "o": node("operation", operation="workflow.runs.list", parameters={"workspace_id": workspace}),
            "e": node("end", output="nodes.o.items.size()"),
        }
        return form(nodes, "s>o", "o>e")

    async def scenario() -> None:
        async with studio(engine_url, tmp_path, jobs(actions(lambda: OPERATIONS))) as one:
            await one.make_workspace("other", ada=Role.OWNER)
            ada = one.client("ada")
            for workspace, state in (("lab", "succeeded"), ("other", "failed")):
                workflow = await publish(one.parts.database, asks(workspace), workspace)
                run = await post(ada, "/workflow/runs", 202, workflow_id=workflow)
                ended = await run_when(one.parts.database, run["id"])
                assert ended.state == state, ended
            assert "other" in (ended.error_message or "")

    asyncio.run(scenario())

"""Graphs that are run: lanes, arms, joins, loops, policies and limits, by what their nodes did and gave."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from http_node import Node
from run_jobs import lines
from run_nodes import run_when, start, working
from workflow_graphs import form, node, publish, work

from storage import workflow_runs
from storage.runs import Run
from storage.workflow_runs import NodeRow

Json = dict[str, Any]
Scenario = Callable[[Node], Awaitable[None]]


def on_a_node(url: str, folder: Path, scenario: Scenario) -> None:
    async def with_node() -> None:
        async with working(url, folder) as one:
            await scenario(one)

    asyncio.run(with_node())


async def run_of(one: Node, diagram: Json, run_id: str = "r", **inputs: Any) -> tuple[Run, dict[str, NodeRow]]:
    """The run once it has ended, and what its nodes did, by place."""
    workflow = await publish(one.parts.database, diagram, name=run_id)
    await start(one.parts.runs, run_id, "workflow.run", workflow_id=workflow, inputs=inputs)
    run = await run_when(one.parts.database, run_id)
    async with one.parts.database.read() as connection:
        rows = await workflow_runs.nodes_of(connection, run_id)
    return run, {row.place: row for row in rows}


def outputs(run: Run) -> Json:
    assert run.state == "succeeded", run
    found: Json = json.loads(run.result or "")["outputs"]
    return found


def did(folder: Path, run_id: str = "r") -> list[str]:
    return [line.split()[1] for line in lines(folder, run_id) if line.startswith("did ")]


def test_lanes_arms_and_joins(database_url: str, tmp_path: Path) -> None:
    diagram = form(
        {
            "s": node("start"),
            "a": work(value="${inputs.n + 1}", seconds=0.05),
            "b": work(value=2),
            "c": node("condition", expression="nodes.a > inputs.limit"),
            "high": work(value="high"),
            "low": work(value="low"),
            "after_low": work(),
            "j": node("join"),
            "t": node("transform", expression="{'a': nodes.a, 'b': nodes.b, 'came': nodes.j}"),
            "e": node("end", output="nodes.t"),
        },
        *("s>a", "s>b", "a>c", "c:true>high", "c:false>low", "low>after_low"),
        *("high>j", "after_low>j", "b>j", "j>t", "t>e"),
    )

    async def scenario(one: Node) -> None:
        run, rows = await run_of(one, diagram, n=4, limit=3)
        assert outputs(run) == {"e": {"a": 5, "b": 2, "came": {"b": 2, "high": "high"}}}
        states = {place: row.state for place, row in rows.items()}
        assert (states.pop("low"), states.pop("after_low")) == ("skipped", "skipped")
        assert set(states.values()) == {"succeeded"}
        assert sorted(did(tmp_path)) == ["a", "b", "high"]
        assert rows["c"].port == "true"
        assert rows["a"].output == "5"

    on_a_node(database_url, tmp_path, scenario)


def test_retries_timeouts_and_what_a_failure_leads_to(engine_url: str, tmp_path: Path) -> None:
    def lane(policy: Json, **parameters: Any) -> Json:
        nodes = {
            "s": node("start"),
            "w": work(policy=policy, **parameters),
            "ok": work(),
            "bad": work(),
            "e": node("end"),
        }
        return form(nodes, "s>w", "w>ok", "w:error>bad")

    async def scenario(one: Node) -> None:
        run, rows = await run_of(one, lane({"retry_max": 2, "interval": 0.01}, failures=2), "again")
        assert (run.state, rows["w"].attempts, did(tmp_path, "again")) == ("succeeded", 3, ["w", "ok"])
        run, rows = await run_of(one, lane({"timeout": 0.05, "on_error": "branch"}, seconds=60), "branch")
        assert (rows["w"].error_code, rows["w"].state, rows["ok"].state) == ("timeout", "failed", "skipped")
        assert (run.state, did(tmp_path, "branch")) == ("succeeded", ["bad"])
        run, rows = await run_of(one, lane({"on_error": "continue"}, failures=1), "continue")
        assert (run.state, did(tmp_path, "continue")) == ("succeeded", ["ok"])
        run, rows = await run_of(one, lane({}, failures=1), "fail")
        assert (run.state, run.error_code, did(tmp_path, "fail")) == ("failed", "node", [])
        assert run.error_message == "The node 'w' failed: Not this time."
        run, rows = await run_of(one, lane({"on_error": "branch"}, value="x" * 70_000), "large")
        assert rows["w"].error_code == "output_too_large"

    on_a_node(engine_url, tmp_path, scenario)


def test_loops_run_their_body_for_each_item(engine_url: str, tmp_path: Path) -> None:
    nodes = {
        "s": node("start"),
        "l": node("loop", items="inputs.items", concurrency=3, on_item_error="skip"),
        "w": work(value="${item * 10 + index}"),
        "inner": node("loop", items="[1, 2]"),
        "x": work(value="${nodes.w + item}"),
        "e": node("end", output="nodes.l"),
    }
    diagram = form(nodes, "s>l", "l:item>w", "w>inner", "inner:item>x", "x>inner:next", "inner:done>l:next", "l:done>e")

    async def scenario(one: Node) -> None:
        run, rows = await run_of(one, diagram, items=[1, 2, "three", 4])
        found = outputs(run)["e"]
        assert found[:2] == [[11, 12], [22, 23]]
        assert found[3] == [44, 45]
        assert found[2]["error"]["code"] == "node"
        assert rows["x:1.0"].output == "22"
        assert (rows["l"].state, rows["w:2"].state) == ("succeeded", "failed")
        run, _ = await run_of(one, diagram, "none", items=[])
        assert outputs(run) == {"e": []}

    on_a_node(engine_url, tmp_path, scenario)


def test_workflows_in_workflows_end_at_a_depth(engine_url: str, tmp_path: Path) -> None:
    async def scenario(one: Node) -> None:
        inner = form({"s": node("start"), "e": node("end", output="inputs.n * 2")}, "s>e")
        inside = await publish(one.parts.database, inner, "inner")
        nodes = {
            "s": node("start"),
            "w": node("sub_workflow", workflow_id=str(inside), inputs={"n": "${inputs.n}"}),
            "e": node("end", output="nodes.w"),
        }
        run, _ = await run_of(one, form(nodes, "s>w", "w>e"), n=21)
        assert outputs(run) == {"e": 42}
        # One that is inside of itself: the version after this one names it.
        nodes["w"]["params"]["workflow_id"] = str(inside + 2)
        run, _ = await run_of(one, form(nodes, "s>w", "w>e"), "endless", n=1)
        assert run.state == "failed"
        assert "5 deep at most" in (run.error_message or "")

    on_a_node(engine_url, tmp_path, scenario)


def test_a_run_has_no_longer_than_the_settings_say(engine_url: str, tmp_path: Path) -> None:
    diagram = form({"s": node("start"), "w": work(seconds=60), "a": node("approval", title="?")}, "s>w", "s>a")
    diagram["settings"]["timeout_seconds"] = 0.2

    async def scenario(one: Node) -> None:
        run, _ = await run_of(one, diagram)
        assert (run.state, run.error_code, did(tmp_path)) == ("failed", "timeout", [])

    on_a_node(engine_url, tmp_path, scenario)

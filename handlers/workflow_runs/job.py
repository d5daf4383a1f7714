"""The job that runs a workflow: one version, with inputs, from the beginning or from what an earlier run had done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analysis.workflow.graph import Graph
from analysis.workflow.reference_checks import DEEPEST_CALLS
from handlers.jobs import Begun, Job, LongRun, Run, StepFailed
from handlers.names import RowId
from handlers.registry import Permission
from handlers.run_waiting import wait_for_answer
from handlers.workflow_forms import unpacked
from handlers.workflow_runs.flow_nodes import FLOW_NODES
from handlers.workflow_runs.inputs import InputError, complete
from handlers.workflow_runs.interpreter import Interpreter
from handlers.workflow_runs.nodes import Executor
from handlers.workflow_runs.outcomes import Outcome
from handlers.workflow_runs.recording import Recorder
from handlers.workflow_runs.waiting_nodes import JOB, WAITING_NODES
from storage import workflow_runs, workflow_versions, workflows
from storage.workflow_runs import NodeRow, WorkflowRun


class RunWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest version where `version` is null. Nodes that succeeded in the run `seed` are not done again."""

    workflow_id: RowId
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    inputs: dict[str, Any] = {}
    depth: Annotated[int, Meta(ge=0, le=DEEPEST_CALLS)] = 0
    seed: Annotated[str, Meta(max_length=300)] | None = None
    rerun_of: Annotated[str, Meta(max_length=300)] | None = None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Which version a run is of, for good; `seeds` are the outcomes that it begins with, by place."""

    version_id: int
    version: int
    seeds: dict[str, Outcome] = {}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """`outputs` by the ids of the nodes of the type `end`."""

    outputs: dict[str, Any]


def jobs(actions: Mapping[str, Executor]) -> tuple[Job, ...]:
    """`actions` are what nodes do that reach out of the run, by their types."""
    executors = {**FLOW_NODES, **WAITING_NODES, **actions}

    async def run_workflow(run: LongRun, arguments: RunWorkflow) -> Result:
        opened = await run.step(open_run, run, arguments)
        form = await run.look_up(_form, run, opened.version_id)
        graph = Graph.of(form)
        if unknown := sorted({str(node.get("type")) for node in graph.nodes.values()} - set(executors)):
            raise StepFailed(f"Nodes of the type {unknown[0]!r} cannot be run here.", code="unknown_node_type")
        recorder = Recorder(run.parts, run.id, run.workspace_id or "", run.attempt)
        about = {
            "id": run.id,
            "workspace_id": run.workspace_id,
            "created_by": run.created_by,
            "workflow_id": arguments.workflow_id,
            "version": opened.version,
        }
        names = {"inputs": _inputs(form, arguments), "run": about}
        waiting = frozenset(WAITING_NODES)
        going = Interpreter(run, recorder, graph, executors, waiting, names, opened.seeds, arguments.depth)
        try:
            outputs = await going.work(_timer(run, form))
        except StepFailed:
            await run.look_up(recorder.close, "failed")
            raise
        await run.look_up(recorder.close, "succeeded")
        return Result(outputs=outputs)

    summary = "Run a published version of a workflow."
    return (Job(JOB, RunWorkflow, run_workflow, summary, Permission.WRITE, waits=True),)


def _timer(run: LongRun, form: dict[str, Any]) -> Begun[Any] | None:
    """Ends when the time is up that the workflow's settings give its runs."""
    seconds = (form.get("settings") or {}).get("timeout_seconds")
    return None if seconds is None else run.begin(wait_for_answer, run, "timeout", seconds, waits=True)


def _inputs(form: dict[str, Any], arguments: RunWorkflow) -> dict[str, Any]:
    """With their defaults; runs that schedules start come here without having been looked at."""
    try:
        return complete(form, arguments.inputs)
    except InputError as error:
        raise StepFailed(f"The inputs are not right: {error}.", code="bad_inputs") from None


async def open_run(run: Run, arguments: RunWorkflow) -> Opened:
    """Which version is run, of all that are published while it waits, is decided once."""
    async with run.parts.database.write() as connection:
        workflow = await workflows.get(connection, arguments.workflow_id)
        if workflow is None or workflow.workspace_id != run.workspace_id or workflow.trashed_at is not None:
            raise StepFailed(
                f"There is no workflow {arguments.workflow_id} in this workspace.", code="no_such_workflow"
            )
        number = workflow.newest_version if arguments.version is None else arguments.version
        version = await workflow_versions.get(connection, workflow.id, number)
        if version is None:
            raise StepFailed(f"The workflow {workflow.id} has no version {number}.", code="no_such_version")
        await workflow_runs.add(
            connection,
            WorkflowRun(
                run_id=run.id,
                workspace_id=workflow.workspace_id,
                workflow_id=workflow.id,
                version_id=version.id,
                version=version.version,
                inputs=msgspec.json.encode(arguments.inputs).decode(),
                rerun_of=arguments.rerun_of,
                depth=arguments.depth,
                created_at=datetime.now(UTC),
            ),
        )
        rows = [] if arguments.seed is None else await _seeded(connection, arguments.seed, workflow.id)
    return Opened(version_id=version.id, version=version.version, seeds={row.place: _outcome(row) for row in rows})


async def _seeded(connection: Any, run_id: str, workflow_id: int) -> list[NodeRow]:
    found = await workflow_runs.get(connection, run_id)
    if found is None or found[0].workflow_id != workflow_id:
        raise StepFailed(f"There is no run {run_id!r} of this workflow.", code="no_such_run")
    return [row for row in await workflow_runs.nodes_of(connection, run_id) if row.state == "succeeded"]


def _outcome(row: NodeRow) -> Outcome:
    now = datetime.now(UTC)
    return Outcome(
        started_at=row.started_at or now,
        finished_at=row.finished_at or now,
        attempts=row.attempts,
        port=row.port,
        output=None if row.output is None else msgspec.json.decode(row.output),
        shown=None if row.input is None else msgspec.json.decode(row.input),
    )


async def _form(run: Run, version_id: int) -> dict[str, Any]:
    """Versions never change: reading one needs no record."""
    async with run.parts.database.read() as connection:
        packed = await workflow_versions.form_of(connection, version_id)
    if packed is None:
        raise StepFailed("The version that is run is gone.", code="no_such_version")
    return unpacked(packed)

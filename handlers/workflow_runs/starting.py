"""Start a run of a workflow, and start one anew: from its beginning, from what failed, with other inputs."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from handlers.audit_trail import record
from handlers.names import RowId
from handlers.registry import Conflict, Context, Forbidden, InvalidRequest, NotFound, Operation, Permission
from handlers.workflow_access import require_workflow
from handlers.workflow_forms import unpacked
from handlers.workflow_runs.inputs import InputError, complete
from handlers.workflow_runs.shapes import HERE, ONE, RunId, WorkflowRun, require_run, shown
from handlers.workflow_runs.waiting_nodes import JOB
from storage import workflow_runs, workflow_versions
from storage.workflow_versions import WorkflowVersion
from storage.workflows import Workflow

Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="A published version; the newest where it is null.")]
Key = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._-]{1,100}$(?!\n)",
        description="Says which run this is: however often it is started with the same key, it runs once.",
    ),
]
Inputs = Annotated[dict[str, Any], Meta(description="As the settings of the workflow declare them.")]


class StartWorkflowRun(msgspec.Struct, frozen=True, kw_only=True):
    """Answered at once; the run begins within a second or so."""

    workflow_id: RowId
    version: Version | None = None
    inputs: Inputs = {}
    key: Key | None = None


class RerunWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """A new run like this one. `start` does all of it anew, `failed` what did not succeed, with the same inputs."""

    run_id: RunId
    begin: Literal["start", "failed"] = "start"
    inputs: Inputs | None = None
    newest_version: bool = False
    key: Key | None = None


async def start_workflow_run(context: Context, request: StartWorkflowRun) -> WorkflowRun:
    workflow, _ = await require_workflow(context, request.workflow_id, Permission.WRITE)
    return await _start(
        context, workflow, request.version, {"inputs": request.inputs}, request.key, "workflow.runs.start"
    )


async def rerun_workflow(context: Context, request: RerunWorkflow) -> WorkflowRun:
    row, run = await require_run(context, request.run_id, Permission.WRITE)
    workflow, _ = await require_workflow(context, row.workflow_id, Permission.WRITE)
    if request.begin == "failed" and request.inputs is not None:
        raise InvalidRequest("inputs: what succeeded did so with the inputs that it had; rerun from the start instead.")
    if run.finished_at is None:
        raise Conflict("The run has not ended; cancel it first, or wait.", code="run_not_ended")
    more = {
        "inputs": msgspec.json.decode(row.inputs) if request.inputs is None else request.inputs,
        "rerun_of": row.run_id,
        "seed": row.run_id if request.begin == "failed" else None,
    }
    number = None if request.newest_version else row.version
    return await _start(context, workflow, number, more, request.key, "workflow.runs.rerun")


async def _start(
    context: Context, workflow: Workflow, number: int | None, more: dict[str, Any], key: str | None, action: str
) -> WorkflowRun:
    version, form = await _version(context, workflow, number)
    more = {**more, "inputs": _complete(form, more["inputs"])}
    durable = context.parts.runs
    given = {"workflow_id": workflow.id, "version": version.version, **more}
    arguments = durable.checked(durable.job(JOB), given)
    run_id = _run_id(workflow.workspace_id, key)
    async with context.parts.database.write() as connection:
        run, is_new = await durable.add(
            connection, run_id, JOB, arguments, workspace_id=workflow.workspace_id, created_by=context.user.user_id
        )
        row = workflow_runs.WorkflowRun(
            run_id=run_id,
            workspace_id=workflow.workspace_id,
            workflow_id=workflow.id,
            version_id=version.id,
            version=version.version,
            inputs=msgspec.json.encode(more["inputs"]).decode(),
            rerun_of=more.get("rerun_of"),
            depth=0,
            created_at=run.created_at,
        )
        if is_new:
            await workflow_runs.add(connection, row)
            details = {"workflow_id": workflow.id, "version": version.version, "rerun_of": row.rerun_of}
            await record(connection, context, action, run_id, details)
    durable.tell()
    return shown(row, run)


def _run_id(workspace_id: str, key: str | None) -> str:
    """Short and plain, so that the run's feed can be called after it."""
    if key is None:
        return secrets.token_hex(12)
    return hashlib.sha256(f"{workspace_id}/{key}".encode()).hexdigest()[:24]


async def _version(context: Context, workflow: Workflow, number: int | None) -> tuple[WorkflowVersion, dict[str, Any]]:
    async with context.parts.database.read() as connection:
        if number is None and workflow.newest_version == 0:
            raise Conflict("The workflow has no version yet; publish it first.", code="not_published")
        version = await workflow_versions.get(connection, workflow.id, number or workflow.newest_version)
        packed = None if version is None else await workflow_versions.form_of(connection, version.id)
    if version is None or packed is None:
        raise NotFound(f"The workflow {workflow.id} has no version {number}.", code="no_such_version")
    return version, unpacked(packed)


def _complete(form: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    try:
        return complete(form, inputs)
    except InputError as error:
        raise InvalidRequest(f"inputs: {error}.", details={"parameter": "inputs"}) from None


OPERATIONS = (
    Operation(
        "workflow.runs.start",
        StartWorkflowRun,
        WorkflowRun,
        start_workflow_run,
        f"POST {HERE}",
        Permission.SIGNED_IN,
        "Run a published version of a workflow.",
        status=202,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "workflow.runs.rerun",
        RerunWorkflow,
        WorkflowRun,
        rerun_workflow,
        f"POST {ONE}/rerun",
        Permission.SIGNED_IN,
        "Run a workflow again, from its start or from what failed.",
        status=202,
        errors=(Conflict, Forbidden),
    ),
)

"""Nodes that wait: for a time, for people, for another workflow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from analysis.workflow import flow_parameters as flow
from analysis.workflow.reference_checks import DEEPEST_CALLS
from handlers.feed_names import activity_of, inbox_of
from handlers.jobs import State, StepFailed
from handlers.run_waiting import end_of_child
from handlers.workflow_runs.flow_nodes import filled, one_of
from handlers.workflow_runs.nodes import Executor
from handlers.workflow_runs.outcomes import Given, Task
from storage import run_signals, workflow_approvals
from storage.workflow_approvals import Approval, NewApproval

JOB = "workflow.run"


def topic_of(place: str) -> str:
    """What the node at this place is told under."""
    return f"node:{place}"


async def delay(task: Task) -> Given:
    params = await filled(task, flow.DelayParameters)
    await task.run.parts.runs.signals.answer(task.run.id, topic_of(task.place), params.seconds)
    return Given(output=one_of(task.came))


async def approval(task: Task) -> Given:
    params = await filled(task, flow.ApprovalParameters)
    asked = await _ask(task, params)
    signals = task.run.parts.runs.signals
    has_come, decision = await signals.answer(task.run.id, topic_of(task.place), params.expires_seconds)
    if not has_come:
        async with task.run.parts.database.write() as connection:
            is_expired = await workflow_approvals.end(connection, asked.id, "expired", at=datetime.now(UTC))
        if is_expired:
            return Given(output=one_of(task.came), port="expired", shown={"approval_id": asked.id})
        # Somebody decided as it expired.
        _, decision = await signals.answer(task.run.id, topic_of(task.place), None)
    return Given(output=decision, port=decision["decision"], shown={"approval_id": asked.id})


async def _ask(task: Task, params: flow.ApprovalParameters) -> Approval:
    """Once, however often the node is begun; whoever is named finds it in the inbox."""
    run = task.run
    async with run.parts.feeds.writing() as (connection, outbox):
        signal = await run_signals.expect(
            connection, run.id, topic_of(task.place), expires_at=run.parts.runs.signals.after(params.expires_seconds)
        )
        asked = await workflow_approvals.ask(
            connection,
            NewApproval(
                workspace_id=run.workspace_id,
                run_id=run.id,
                place=task.place,
                title=params.title,
                message=params.message,
                approvers=msgspec.json.encode(sorted(set(params.approvers))).decode(),
                required=params.required,
                form=None if params.form is None else msgspec.json.encode(params.form).decode(),
                may_delegate=params.may_delegate,
                expires_at=signal.expires_at,
                created_at=datetime.now(UTC),
            ),
        )
        told = {"approval_id": asked.id, "run_id": run.id, "workspace_id": run.workspace_id, "title": asked.title}
        feeds = [inbox_of(user) for user in sorted(set(params.approvers))] or [activity_of(run.workspace_id)]
        for feed in feeds:
            outbox.add(feed, "workflow.approval", told, key=f"approval:{asked.id}")
    return asked


async def sub_workflow(task: Task) -> Given:
    params = await filled(task, flow.SubWorkflowParameters)
    if task.depth >= DEEPEST_CALLS:
        raise StepFailed(f"Workflows run inside of each other {DEEPEST_CALLS} deep at most.", code="too_deep")
    # Each attempt is a run of its own, and the same one however often a process dies under it.
    child_id = hashlib.sha256(f"{task.key}#{task.attempt}".encode()).hexdigest()[:24]
    arguments = {
        "workflow_id": _workflow_id(params.workflow_id),
        "version": params.version,
        "inputs": params.inputs,
        "depth": task.depth + 1,
    }
    ended = await end_of_child(task.run, child_id, JOB, arguments)
    if ended.state is not State.SUCCEEDED:
        why = ended.error_message or f"it was {ended.state.value}"
        raise StepFailed(f"The run {child_id} of the workflow inside did not succeed: {why}", code="sub_workflow")
    return Given(output=one_of(ended.result["outputs"]), shown={"run_id": child_id})


def _workflow_id(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise StepFailed(f"{text[:80]!r} is no workflow's id, which is a number.", code="bad_parameters")
    return int(text)


WAITING_NODES: Mapping[str, Executor] = {"delay": delay, "approval": approval, "sub_workflow": sub_workflow}

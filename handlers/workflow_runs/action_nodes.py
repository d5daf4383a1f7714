"""Nodes that do something: any operation of the server, in the name of the one whom the run belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from analysis.workflow import action_parameters as action
from handlers.dispatch import execute
from handlers.jobs import StepFailed
from handlers.registry import Binary, Context, Operation, Permission, Principal
from handlers.scopes import Scope
from handlers.workflow_runs.flow_nodes import filled
from handlers.workflow_runs.nodes import Executor
from handlers.workflow_runs.outcomes import Given, Task

# Who could make credentials would act beyond the run.
_NEVER = ("api_keys.", "sessions.", "tickets.")


def actions(operations: Callable[[], Sequence[Operation]]) -> Mapping[str, Executor]:
    """What each type of node does; `operations` are those that there are, once all are known."""

    async def operation(task: Task) -> Given:
        params = await filled(task, action.OperationParameters)
        found = next((each for each in operations() if each.name == params.operation), None)
        if found is None or params.operation.startswith(_NEVER) or found.permission is Permission.SERVER_ADMIN:
            raise StepFailed(f"There is no operation {params.operation!r} for workflows.", code="unknown_operation")
        answer = await execute(found, context_of(task), params.parameters)
        if isinstance(answer, Binary):
            raise StepFailed(f"What {params.operation} answers is a file, which a node cannot give.", code="binary")
        return Given(output=msgspec.json.decode(msgspec.json.encode(answer)), shown=params.parameters)

    return {"operation": operation}


def context_of(task: Task) -> Context:
    """As if the one whom the run belongs to had asked: what they may not, the run may not either.

    And nothing in other workspaces: whoever drew the workflow need not be the one who runs it.
    """
    scope = Scope(level="manage", workspaces=(task.run.workspace_id,))
    principal = Principal(task.run.created_by, is_admin=False, via="workflow", scope=scope)
    return Context(principal, task.run.parts, f"workflow:{task.key}"[:200], lambda: datetime.now(UTC))

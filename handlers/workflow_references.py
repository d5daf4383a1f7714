"""What a workflow names outside of itself, looked up in its workspace."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.workflow.reference_checks import DEEPEST_CALLS
from analysis.workflow.references import OPERATION, WORKFLOW, Reference, References, Standing, references_in
from handlers.workflow_forms import unpacked
from storage import workflow_references

# Longer than any id that there is; some drivers refuse what is much longer.
_LONGEST_ID = 200


async def look_up(
    connection: AsyncConnection, workspace_id: str, workflow_id: int | None, form: dict[str, Any]
) -> References:
    """What is found of what the workflow's normal form names. Operations are known to whoever runs them."""
    wanted = references_in(form)
    standings: dict[Reference, Standing] = {reference: "found" for reference in wanted if reference[0] == OPERATION}
    for kind in {kind for kind, _ in wanted} - {OPERATION}:
        ids = {name for other, name in wanted if other == kind and len(name) <= _LONGEST_ID and "\0" not in name}
        found = await workflow_references.existing(connection, workspace_id, kind, ids)
        standings.update({(kind, name): "found" for name in found})
    called = {name for kind, name in wanted if kind == WORKFLOW}
    return References(
        standings=standings,
        calls=await _calls(connection, workspace_id, called),
        workflow=None if workflow_id is None else str(workflow_id),
    )


async def _calls(connection: AsyncConnection, workspace_id: str, called: set[str]) -> dict[str, frozenset[str]]:
    """What the newest versions of these workflows call, and those again, as deep as calls may go."""
    calls: dict[str, frozenset[str]] = {}
    level = called
    for _ in range(DEEPEST_CALLS):
        forms = await workflow_references.newest_forms(connection, workspace_id, level)
        for name, form in forms.items():
            calls[name] = frozenset(each for kind, each in references_in(unpacked(form)) if kind == WORKFLOW)
        level = {each for name in forms for each in calls[name]} - calls.keys()
        if not level:
            break
    return calls

"""What of a workspace a workflow names that is there: sources, people, integrations, documents, other workflows."""

from collections.abc import Collection, Iterable, Iterator

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.governance_tables import data_sources
from storage.integration_tables import integrations
from storage.tables import documents, members
from storage.workflow_tables import workflow_versions, workflows

# Databases take so many values in one question, and some more.
_AT_ONCE = 1_000
_LARGEST_ID = 2**63 - 1


async def existing(connection: AsyncConnection, workspace_id: str, kind: str, ids: Collection[str]) -> set[str]:
    """Those of the ids that are of something in the workspace and not in its trash.

    `kind` is "source", "user" (a member), "integration", "document" (by name) or "workflow"; of others nothing exists.
    """
    found: set[str] = set()
    for some in _in_parts(sorted(ids)):
        query = _query(workspace_id, kind, some)
        if query is not None:
            found.update(str(row[0]) for row in await connection.execute(query))
    return found


async def newest_forms(connection: AsyncConnection, workspace_id: str, ids: Collection[str]) -> dict[str, bytes]:
    """By id, the compressed form of the newest version of those of the workflows that were published."""
    newest = select(workflows.c.id, workflow_versions.c.form).join(
        workflow_versions,
        (workflow_versions.c.workflow_id == workflows.c.id)
        & (workflow_versions.c.version == workflows.c.newest_version),
    )
    forms: dict[str, bytes] = {}
    for some in _in_parts(sorted(ids)):
        query = newest.where(workflows.c.workspace_id == workspace_id, workflows.c.id.in_(_numbers(some)))
        forms.update((str(row.id), row.form) for row in await connection.execute(query))
    return forms


def _query(workspace_id: str, kind: str, ids: list[str]) -> Select[tuple[object]] | None:
    match kind:
        case "source":
            query = select(data_sources.c.id).where(data_sources.c.workspace_id == workspace_id)
            return query.where(data_sources.c.id.in_(_numbers(ids)))
        case "integration":
            query = select(integrations.c.id).where(integrations.c.workspace_id == workspace_id)
            return query.where(integrations.c.id.in_(_numbers(ids)))
        case "user":
            query = select(members.c.user_id).where(members.c.workspace_id == workspace_id)
            return query.where(members.c.user_id.in_(ids))
        case "document":
            query = select(documents.c.name).where(documents.c.workspace_id == workspace_id)
            return query.where(documents.c.name.in_(ids), documents.c.trashed_at.is_(None))
        case "workflow":
            query = select(workflows.c.id).join(documents, documents.c.id == workflows.c.document_id)
            query = query.where(workflows.c.workspace_id == workspace_id, documents.c.trashed_at.is_(None))
            return query.where(workflows.c.id.in_(_numbers(ids)))
        case _:
            return None


def _numbers(ids: Iterable[str]) -> list[int]:
    """The row ids among these; "07" is the id of nothing."""
    numbers = [int(text) for text in ids if text.isascii() and text.isdigit() and not text.startswith("0")]
    return [number for number in numbers if number <= _LARGEST_ID]


def _in_parts(ids: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(ids), _AT_ONCE):
        yield ids[at : at + _AT_ONCE]

"""Labels by which access policies choose columns: who edits the catalog must not lift a policy by taking one away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.access_policies.policies import ColumnChoice
from handlers.policy_views import policy_of
from handlers.registry import Context, Permission
from storage import access_policies, catalog, catalog_labels
from storage.catalog import Dataset
from storage.catalog_labels import NOTHING
from storage.data_sources import DataSource


class LabelChange(Protocol):
    """What is to be the tags and the sensitivity, each UNSET where it stays."""

    @property
    def tags(self) -> Any: ...

    @property
    def sensitivity(self) -> Any: ...


async def require_policies_kept(
    context: Context, connection: AsyncConnection, row: Dataset, changes: Mapping[str, LabelChange]
) -> None:
    """Raises Forbidden if a label goes by which a policy chooses, and the caller does not manage the workspace.

    `changes` are by column, under the empty name that of the dataset itself.
    """
    choices = await _choices(connection, row.workspace_id, row.source_id)
    tags = {tag for choice in choices for tag in choice.tags}
    levels: set[str | None] = {level for choice in choices for level in choice.sensitivities}
    if not (tags or levels):
        return
    labels = (await catalog_labels.of_datasets(connection, [row.id])).get(row.id, {})
    columns = (await catalog.columns_of(connection, [row.id])).get(row.id, [])
    level_of = {"": row.sensitivity} | {column.name: column.sensitivity for column in columns}
    for column, change in changes.items():
        gone = set() if change.tags is UNSET else set(labels.get(column, NOTHING).tags) - set(change.tags)
        level = level_of.get(column)
        is_other = change.sensitivity is not UNSET and change.sensitivity != level and level in levels
        if gone & tags or is_other:
            await context.parts.access.require(context.principal, Permission.MANAGE, row.workspace_id)
            return


async def require_source_policies_kept(
    context: Context, connection: AsyncConnection, source: DataSource, tags: Collection[str]
) -> None:
    """Raises Forbidden if, with these as the tags of the source, one is gone by which a policy chooses, and the caller
    does not manage the workspace."""
    gone = set(await catalog_labels.source_tags(connection, source.id)) - set(tags)
    if gone & {tag for choice in await _choices(connection, source.workspace_id, source.id) for tag in choice.tags}:
        await context.parts.access.require(context.principal, Permission.MANAGE, source.workspace_id)


async def _choices(connection: AsyncConnection, workspace_id: str, source_id: int) -> list[ColumnChoice]:
    policies = map(policy_of, await access_policies.in_force(connection, workspace_id, source_id))
    return [policy.rights.columns for policy in policies if policy.rights.columns is not None]

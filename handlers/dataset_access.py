"""May this user do this with that dataset: by the workspace of its source."""

from __future__ import annotations

from handlers.registry import Context, NotFound, Permission
from storage import catalog
from storage.catalog import Dataset


async def require_dataset(context: Context, dataset_id: int, permission: Permission) -> Dataset:
    """The dataset, if the caller may. Raises NotFound also for whoever is no member of its workspace; Forbidden."""
    gone = NotFound(f"There is no dataset {dataset_id}, or you are not a member of its workspace.")
    async with context.parts.database.read() as connection:
        dataset = await catalog.get(connection, dataset_id)
    if dataset is None:
        raise gone
    try:
        await context.parts.access.require(context.principal, permission, dataset.workspace_id)
    except NotFound:
        raise gone from None
    return dataset

"""What is measured: data sources, and 0, the server itself, whose figures are for its administrators."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from handlers.registry import Context, Permission
from handlers.source_access import require_source

SERVER = 0

MeasuredId = Annotated[int, Meta(ge=0, le=2**38, description="A data source by its id, or 0: the server itself.")]


async def require_measured(context: Context, source_id: int, permission: Permission) -> str | None:
    """The source's workspace, None of the server itself, if the caller may. Raises NotFound and Forbidden."""
    if source_id == SERVER:
        await context.parts.access.require(context.principal, Permission.SERVER_ADMIN)
        return None
    return (await require_source(context, source_id, permission)).workspace_id

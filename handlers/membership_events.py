"""What feeds say when somebody's role in a workspace changes, whoever changed it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.feed_names import activity_of, inbox_of
from handlers.outbox import Outbox
from storage import workspaces


async def tell_role_change(
    connection: AsyncConnection,
    outbox: Outbox,
    workspace_id: str,
    user_id: str,
    before: str | None,
    after: str | None,
    *,
    actor: str,
) -> None:
    """Puts a changed role into the workspace's activity, and into the member's inbox if somebody else changed it."""
    if before == after:
        return
    what = "added" if before is None else "removed" if after is None else "role_changed"
    roles = {"role": after, "before": before}
    outbox.add(activity_of(workspace_id), f"member.{what}", {"user_id": user_id, **roles}, actor=actor)
    if user_id != actor:
        workspace = await workspaces.get(connection, workspace_id)
        data = {"workspace_id": workspace_id, "title": workspace.title if workspace else workspace_id, **roles}
        outbox.add(inbox_of(user_id), f"membership.{what}", data, actor=actor)

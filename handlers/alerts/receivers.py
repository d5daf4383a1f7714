"""Who is told of alerts: integrations of the workspace, users, or whoever manages it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.administrators import administrators_of
from handlers.feed_names import feed_of, inbox_of, notifications_to
from handlers.names import RowId, UserId
from handlers.outbox import Outbox
from handlers.registry import InvalidRequest
from storage import integrations, members

NOTIFICATION = "alert.notification"


class IntegrationReceiver(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="integration", tag_field="kind"
):
    """An integration of the workspace, whatever feeds and events it sends otherwise."""

    integration_id: RowId


class UserReceiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="user", tag_field="kind"):
    """A member's inbox."""

    user_id: UserId


class AdministratorsReceiver(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="administrators", tag_field="kind"
):
    """The inboxes of the workspace's owners and administrators."""


Receiver = IntegrationReceiver | UserReceiver | AdministratorsReceiver
Receivers = Annotated[list[Receiver], Meta(min_length=1, max_length=20)]


async def check(connection: AsyncConnection, workspace_id: str, receivers: Sequence[Receiver]) -> None:
    """Raises InvalidRequest for one that the workspace does not have."""
    for each in receivers:
        match each:
            case IntegrationReceiver(integration_id=integration_id):
                found = await integrations.get(connection, integration_id)
                if found is None or found.workspace_id != workspace_id:
                    raise _unknown(f"the workspace has no integration {integration_id}")
            case UserReceiver(user_id=user_id):
                if await members.role_of(connection, workspace_id, user_id) is None:
                    raise _unknown(f"{user_id!r} is no member of the workspace")


def _unknown(why: str) -> InvalidRequest:
    return InvalidRequest(f"receivers: {why}.", code="unknown_receiver", details={"parameter": "receivers"})


async def hand_out(
    connection: AsyncConnection, outbox: Outbox, workspace_id: str, receivers: Sequence[Receiver], data: dict[str, Any]
) -> None:
    """Puts the message into the feeds of the receivers; those that are gone since the route was made are left out."""
    names: dict[str, None] = {}
    for each in receivers:
        match each:
            case IntegrationReceiver(integration_id=integration_id):
                found = await integrations.get(connection, integration_id)
                if found is not None and found.workspace_id == workspace_id:
                    names[feed_of(workspace_id, notifications_to(integration_id))] = None
            case UserReceiver(user_id=user_id):
                if await members.role_of(connection, workspace_id, user_id) is not None:
                    names[inbox_of(user_id)] = None
            case AdministratorsReceiver():
                names |= dict.fromkeys(map(inbox_of, await administrators_of(connection, workspace_id)))
    for name in names:
        outbox.add(name, NOTIFICATION, data)

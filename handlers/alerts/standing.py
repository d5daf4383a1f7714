"""May this user do this with that alert: by the alert's workspace."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from handlers.registry import Context, NotFound, Permission
from storage import alerts
from storage.alerts import Alert

DOMAIN = "performance"
PATH = "/performance/alerts"
ONE = PATH + "/{alert_id}"

Text = Annotated[
    str, Meta(min_length=1, max_length=2000, pattern=r"^[^\x00]*$(?!\n)", description="For everybody to read.")
]


async def require_alert(context: Context, alert_id: int, permission: Permission) -> Alert:
    """The alert, if the caller may. Raises NotFound also for whoever is not a member of its workspace; Forbidden."""
    async with context.parts.database.read() as connection:
        alert = await alerts.get(connection, alert_id)
    if alert is None or alert.domain != DOMAIN:
        raise no_alert(alert_id)
    try:
        await context.parts.access.require(context.principal, permission, alert.workspace_id)
    except NotFound:
        raise no_alert(alert_id) from None
    return alert


def no_alert(alert_id: int) -> NotFound:
    return NotFound(f"There is no alert {alert_id}, or you are not a member of its workspace.", code="no_such_alert")

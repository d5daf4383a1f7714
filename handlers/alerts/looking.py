"""Alerts as people look at them: a workspace's, with how many there are, and one with what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.alert_shapes import AlertShown, Severity, State, shown_alert
from handlers.alerts.standing import DOMAIN, ONE, PATH, require_alert
from handlers.names import RowId, UserId, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, Instant, Operation, Page, Permission, Watched
from storage import alert_history, alert_lists, alerts
from storage.alert_lists import Wanted

MAX_HISTORY = 500
_TOPIC = "alerts"
# What evaluations that change nothing leave behind.
_PASSING = frozenset({"last_true_at"})


class CountAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is looked for in names, summaries and labels."""

    workspace_id: WorkspaceId = "default"
    severity: Annotated[list[Severity], Meta(max_length=5)] | None = None
    data_source_id: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    rule_id: RowId | None = None
    assignee: UserId | None = None
    text: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ListAlerts(CountAlerts, frozen=True, kw_only=True):
    """The newest first. `text` is looked for in names, summaries and labels."""

    state: Annotated[list[State], Meta(max_length=4)] | None = None
    cursor: Cursor | None = None
    limit: Limit = 100


class AlertCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts there are of each severity, by state: `{"firing": {"high": 2}}`."""

    counts: dict[str, dict[str, int]]


class GetAlert(msgspec.Struct, frozen=True, kw_only=True):
    alert_id: RowId


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to an alert: `kind` is the type of its event, `actor` null for the server itself."""

    at: Instant
    kind: str
    actor: str | None
    state: State
    value: float | None
    note: str | None


class AlertWithHistory(msgspec.Struct, frozen=True, kw_only=True):
    """An alert and what happened to it, the oldest first: at most the first 500 entries."""

    alert: AlertShown
    history: list[Happened]


async def list_alerts(context: Context, request: ListAlerts) -> Page[AlertShown]:
    before = decode_cursor("alerts", request.cursor, RowId)
    wanted = _wanted(request, request.state or ())
    async with context.parts.database.read() as connection:
        rows = await alert_lists.list_of(connection, wanted, before=before, limit=request.limit + 1)
    return page_of(rows, request.limit, "alerts", key=lambda row: row.id, item=shown_alert)


async def count_alerts(context: Context, request: CountAlerts) -> AlertCounts:
    async with context.parts.database.read() as connection:
        return AlertCounts(counts=await alert_lists.counts(connection, _wanted(request)))


def _wanted(request: CountAlerts, states: Sequence[State] = ()) -> Wanted:
    return Wanted(
        request.workspace_id,
        DOMAIN,
        states=states,
        severities=[each.value for each in request.severity or ()],
        source_id=request.data_source_id,
        rule_id=request.rule_id,
        assignee=request.assignee,
        text=request.text,
    )


async def get_alert(context: Context, request: GetAlert) -> AlertWithHistory:
    alert = await require_alert(context, request.alert_id, Permission.READ)
    async with context.parts.database.read() as connection:
        # Both as they were at one time.
        alert = await alerts.get(connection, alert.id) or alert
        entries = await alert_history.of_alert(connection, alert.id, limit=MAX_HISTORY)
    return AlertWithHistory(alert=shown_alert(alert), history=[shown_entry(entry) for entry in entries])


def shown_entry(entry: alert_history.Entry) -> Happened:
    return Happened(
        at=entry.at,
        kind=entry.kind,
        actor=entry.actor,
        state=msgspec.convert(entry.state, State),
        value=entry.value,
        note=entry.note,
    )


OPERATIONS = (
    Operation(
        "alerts.list",
        ListAlerts,
        Page[AlertShown],
        list_alerts,
        f"GET {PATH}",
        Permission.READ,
        "List a workspace's alerts.",
        watched=Watched(frozenset({_TOPIC}), passing=_PASSING),
    ),
    Operation(
        "alerts.counts",
        CountAlerts,
        AlertCounts,
        count_alerts,
        f"GET {PATH}/counts",
        Permission.READ,
        "Count a workspace's alerts by state and severity.",
        watched=Watched(frozenset({_TOPIC})),
    ),
    Operation(
        "alerts.get",
        GetAlert,
        AlertWithHistory,
        get_alert,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get an alert and its history.",
        errors=(Forbidden,),
        watched=Watched(frozenset({_TOPIC}), passing=_PASSING, is_personal=True),
    ),
)

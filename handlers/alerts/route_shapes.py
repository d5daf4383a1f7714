"""Routes as clients write and see them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analysis.alerting.specs import LabelName, Matcher, Matchers
from handlers.alerts.labels import read_matchers
from handlers.alerts.receivers import Receiver, Receivers
from handlers.alerts.routing import GROUP_INTERVAL_SECONDS, GROUP_WAIT_SECONDS, REPEAT_INTERVAL_SECONDS
from handlers.names import RowId, Title, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit
from handlers.registry import Instant
from storage.alert_routes import Route

Position = Annotated[int, Meta(ge=0, le=1_000_000, description="Routes with lower ones are asked first.")]
LabelNames = Annotated[list[LabelName], Meta(max_length=20)]
Wait = Annotated[int, Meta(ge=0, le=86400)]
Interval = Annotated[int, Meta(ge=1, le=30 * 86400)]


class RouteShown(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that match go to the receivers, and to no later route unless it `goes_on`.

    Those with the same values of the labels in `group_by` are told together: first after `group_wait_seconds`, what
    is new after `group_interval_seconds`, what stays after `repeat_interval_seconds`.
    """

    id: RowId
    workspace_id: WorkspaceId
    position: int
    name: str
    matchers: list[Matcher]
    receivers: list[Receiver]
    group_by: list[str]
    group_wait_seconds: int
    group_interval_seconds: int
    repeat_interval_seconds: int
    goes_on: bool
    enabled: bool
    updated_by: str
    updated_at: Instant


class ListRoutes(msgspec.Struct, frozen=True, kw_only=True):
    """In the order in which they are asked. While a workspace has none, those who manage it are told of everything."""

    workspace_id: WorkspaceId = "default"
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Without matchers it takes every alert."""

    workspace_id: WorkspaceId = "default"
    name: Title
    receivers: Receivers
    position: Position = 0
    matchers: Matchers = ()
    group_by: LabelNames | None = None
    group_wait_seconds: Wait = GROUP_WAIT_SECONDS
    group_interval_seconds: Interval = GROUP_INTERVAL_SECONDS
    repeat_interval_seconds: Interval = REPEAT_INTERVAL_SECONDS
    goes_on: bool = False
    enabled: bool = True


class UpdateRoute(msgspec.Struct, frozen=True, kw_only=True):
    """What is given changes."""

    route_id: RowId
    name: Title | UnsetType = UNSET
    receivers: Receivers | UnsetType = UNSET
    position: Position | UnsetType = UNSET
    matchers: Matchers | UnsetType = UNSET
    group_by: LabelNames | UnsetType = UNSET
    group_wait_seconds: Wait | UnsetType = UNSET
    group_interval_seconds: Interval | UnsetType = UNSET
    repeat_interval_seconds: Interval | UnsetType = UNSET
    goes_on: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class DeleteRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever was told of alerts by it is not told that they are resolved."""

    route_id: RowId


def shown_route(row: Route) -> RouteShown:
    return RouteShown(
        **{name: getattr(row, name) for name in RouteShown.__struct_fields__ if name not in DECODED},
        matchers=list(read_matchers(row.matchers)),
        receivers=msgspec.json.decode(row.receivers, type=list[Receiver]),
        group_by=msgspec.json.decode(row.group_by, type=list[str]),
    )


DECODED = ("matchers", "receivers", "group_by")

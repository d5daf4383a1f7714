"""How collections are asked for and shown."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from handlers.names import WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit
from handlers.performance.collection_settings import Capacity, Preset
from handlers.registry import Instant

Url = Annotated[str, Meta(min_length=1, max_length=2000, description="Where the exporter's page is.")]
Token = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,4000}$(?!\n)", description="Sent as a bearer token.")]
DataSourceId = Annotated[int, Meta(ge=1, le=2**38)]


class CannotTell(msgspec.Struct, frozen=True, kw_only=True):
    """What a source cannot tell, or not to this account; `remedy` is what its administrator would run."""

    what: str
    reason: str
    remedy: str | None


class CollectionState(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is collected from. `exporter` is the host of one: the rest of its address may be a secret.

    `state` is `off`, `waiting` for the first visit, `working`, `failing`, or `paused`: it failed several times and is
    left alone for a while. `grant_script` is what would make it see more.
    """

    data_source_id: int
    name: str
    kind: str
    enabled: bool
    preset: Preset
    fast_seconds: float
    medium_seconds: float
    slow_seconds: float
    statements: bool
    capacity_bytes: int | None
    exporter: str | None
    state: str
    last_visit_at: Instant | None
    last_success_at: Instant | None
    visit_seconds: float | None
    failures: int
    error: str | None
    cannot_tell: list[CannotTell]
    grant_script: str | None
    updated_at: Instant | None
    updated_by: str | None


class ListCollections(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class GetCollection(msgspec.Struct, frozen=True, kw_only=True):
    data_source_id: DataSourceId


class UpdateCollection(msgspec.Struct, frozen=True, kw_only=True):
    """What is given changes. `exporter_url` is an exporter in Prometheus' format to ask as well; null removes it.

    An exporter's token goes only where it was given for: with another address it has to be given again.
    """

    data_source_id: DataSourceId
    enabled: bool | UnsetType = UNSET
    preset: Preset | UnsetType = UNSET
    statements: bool | UnsetType = UNSET
    capacity_bytes: Capacity | UnsetType | None = UNSET
    exporter_url: Url | UnsetType | None = UNSET
    exporter_token: Token | UnsetType | None = UNSET

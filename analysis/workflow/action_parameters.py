"""Parameters of the nodes that do something. Where a text has ``${…}``, its value comes from the run.

A secret is never a value here but a reference, ``{"secret": "name"}``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from analysis.workflow.flow_parameters import Name, Text

RowId = Annotated[int, Meta(ge=1, le=2**53 - 1)]
# What a node gives is stored with the run: more rows belong into a report or a table.
MOST_ROWS = 10_000


class SecretReference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    secret: Name


HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]


class HttpRequestParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is sent as it is where it is text, else as JSON. It gives `status`, `headers` and `body`."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: Annotated[dict[HeaderName, Text | SecretReference], Meta(max_length=50)] = msgspec.field(
        default_factory=dict
    )
    body: Any = None


class SqlQueryParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`query` has `:name` where the values of `parameters` go, never ``${…}``: values are no SQL."""

    source_id: RowId
    query: Annotated[str, Meta(min_length=1, max_length=20_000)]
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    max_rows: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 1000
    write: bool = False


class OperationParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Any operation of this server, by its name, done as the one the run belongs to."""

    operation: Name
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class NotifyParameters(msgspec.Struct, frozen=True, kw_only=True):
    """To people of the workspace, or to an integration (chat, mail, webhook), or both."""

    title: Annotated[str, Meta(min_length=1, max_length=300)]
    message: Text = ""
    users: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    integration_id: RowId | None = None


class SetContentParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is a JSON pointer into the document; the whole of it where it is empty."""

    document_id: Name
    path: Annotated[str, Meta(max_length=1000)] = ""
    value: Any


class CreateAlertParameters(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=300)]
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    message: Text = ""
    source_id: RowId | None = None
    labels: Annotated[dict[str, Text], Meta(max_length=20)] = msgspec.field(default_factory=dict)


class PlaceholderParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What stood here where the diagram was imported from; it does nothing until another node takes its place."""

    source: Name
    original: dict[str, Any]

"""Where events are sent, as administrators say it, and an event on its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from handlers.names import RowId
from handlers.registry import Instant

_END = r"$(?!\n)"

Host = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:_-]{0,252}[A-Za-z0-9])?" + _END, description="A name or an address.")
]
Port = Annotated[int, Meta(ge=1, le=65535)]
Url = Annotated[str, Meta(min_length=1, max_length=2000, description="An https address.")]
Token = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,4096}" + _END)]
Pem = Annotated[str, Meta(min_length=1, max_length=100_000, pattern=r"^[\x09\x0a\x0d\x20-\x7e]*" + _END)]
Transport = Annotated[
    Literal["tls", "tcp"],
    Meta(description="Not udp: it loses messages without a word. `tcp` only to hosts of STUDIO_OUTGOING_HOSTS."),
]
Stream = Literal["audit", "findings", "alerts"]
Streams = Annotated[list[Stream], Meta(min_length=1, max_length=3)]
Start = Annotated[
    Literal["now", "beginning"],
    Meta(description="With what happens from now on, or with the first row of the audit trail."),
]


class SyslogTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="syslog"):
    """A syslog receiver: RFC 5424 over TLS (RFC 5425), or TCP with octet counting (RFC 6587).

    `ca_certificate` is whom to trust instead of the machine's own authorities; the next two show who we are. Without
    `requires_close_notify` a connection that merely ends counts as the receiver's word that it has everything, which
    somebody on the way could forge; rsyslog with GnuTLS needs that, as it never sends one.
    """

    host: Host
    port: Port = 6514
    transport: Transport = "tls"
    ca_certificate: Pem | None = None
    client_certificate: Pem | None = None
    client_key: Pem | None = None
    requires_close_notify: bool = True


class HttpTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="http"):
    """OCSF events as JSON lines by POST; `token` is sent as `Authorization: Bearer`."""

    url: Url
    token: Token | None = None


class SplunkTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="splunk"):
    """An HTTP Event Collector, as of Splunk and others: OCSF events in its envelope, with its `token`."""

    url: Url
    token: Token


Target = SyslogTarget | HttpTarget | SplunkTarget


class StreamPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream was sent: `audit`, or a workspace's feed. `behind` counts what waits."""

    stream: str
    number: int
    behind: int


class EventExport(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent, and how that fares. Secrets are never shown.

    `behind` counts what waits, `behind_since` is when the oldest of it happened, and `sent` what arrived. `missed` are
    events of feeds that were kept no longer. `failing_since` is when the first attempt failed after which none has
    succeeded. `broken_at` is a row of the audit trail that was sent and is not the same any more: somebody tampers.
    """

    id: RowId
    name: str
    streams: list[str]
    kind: Literal["syslog", "http", "splunk"]
    address: str
    shows_credentials: bool
    enabled: bool
    positions: list[StreamPosition]
    behind: int
    behind_since: Instant | None
    sent: int
    missed: int
    last_sent_at: Instant | None
    failing_since: Instant | None
    next_attempt_at: Instant | None
    last_error: str | None
    broken_at: int | None
    node: str | None
    created_by: str
    created_at: Instant
    updated_at: Instant


@dataclass(frozen=True, slots=True)
class Item:
    """An event on its way: `kind` is audit, findings or alerts, `event` its OCSF form.

    `number` counts without gaps in its stream. `mark` is the row's hash and `previous` that of the row before, or
    `mark` the feed's epoch, which another sequence of numbers would not have.
    """

    kind: str
    stream: str
    number: int
    mark: str
    previous: str | None
    at: datetime
    event: dict[str, Any]

"""One attempt at sending a batch, by whatever kind of target."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from handlers.event_exports import syslog, syslog_sending
from handlers.event_exports.shapes import HttpTarget, Item, SplunkTarget, SyslogTarget, Target
from handlers.outgoing import OutgoingHttp, SendError
from storage.event_exports import Export
from storage.sealing import Sealer

_USER_AGENT = "collab-studio"
_SECRET = ("token", "client_key")


async def send(outgoing: OutgoingHttp, target: Target, items: Sequence[Item], *, host: str, seconds: float) -> None:
    """Returns once the receiver has said that it has them. Raises NotAllowed, SendError."""
    if isinstance(target, SyslogTarget):
        messages = b"".join(syslog.framed(item, host) for item in items)
        await syslog_sending.send(outgoing, target, messages, seconds=seconds)
    else:
        await _post(outgoing, target, items, host, seconds)


async def _post(
    outgoing: OutgoingHttp, target: HttpTarget | SplunkTarget, items: Sequence[Item], host: str, seconds: float
) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": _USER_AGENT}
    if isinstance(target, SplunkTarget):
        headers["Authorization"] = f"Splunk {target.token}"
        body = b"\n".join(msgspec.json.encode(_enveloped(item, host)) for item in items)
    else:
        headers["Content-Type"] = "application/x-ndjson"
        headers |= {"Authorization": f"Bearer {target.token}"} if target.token else {}
        body = msgspec.json.Encoder().encode_lines([item.event for item in items])
    answer = await outgoing.post(target.url, body, headers, seconds=seconds)
    if not answer.is_success:
        said = " ".join(answer.body.decode("utf-8", "replace").replace("\0", "\ufffd").split())[:200]
        raise SendError(f"The answer was {answer.status}: {said}" if said else f"The answer was {answer.status}.")


def _enveloped(item: Item, host: str) -> dict[str, Any]:
    """As an HTTP Event Collector takes it; `time` is in seconds."""
    fields = {"stream": item.stream, "number": item.number, "mark": item.mark}
    return {
        "time": round(item.at.timestamp(), 6),
        "host": host,
        "source": "collab-studio",
        "sourcetype": "ocsf",
        "event": item.event,
        "fields": fields,
    }


def host_of(public_url: str | None) -> str:
    """Who we say that we are: the installation where it has a name, or else this machine."""
    return (urlsplit(public_url).hostname if public_url else None) or socket.gethostname()


def address_of(target: Target) -> str:
    """Of a web address only the host: the rest may be a secret."""
    if isinstance(target, SyslogTarget):
        return f"syslog+{target.transport}://{target.host}:{target.port}"
    parts = urlsplit(target.url)
    return f"{parts.scheme}://{parts.netloc}/" + ("…" if parts.path.strip("/") or parts.query else "")


def columns_of(sealer: Sealer, export_id: int, target: Target) -> dict[str, Any]:
    """The columns that hold a target: what anybody may read, and the whole of it sealed."""
    return {
        "target": {"kind": kind_of(target), "address": address_of(target), "shows_credentials": shows(target)},
        "credentials": sealer.seal(msgspec.json.encode(target), _purpose(export_id)),
        "key_id": sealer.key_id,
    }


def kind_of(target: Target) -> str:
    return str(target.__struct_config__.tag)


def shows(target: Target) -> bool:
    """Whether we show the receiver who we are."""
    return any(getattr(target, name, None) is not None for name in _SECRET)


def opened(sealer: Sealer, export: Export) -> Target:
    """Raises WrongKey."""
    assert export.credentials is not None
    content = sealer.open(export.credentials, _purpose(export.id), export.key_id)
    target: Target = msgspec.json.decode(content, type=HttpTarget | SplunkTarget | SyslogTarget)
    return target


def _purpose(export_id: int) -> str:
    """What its credentials are sealed for: they open for no other."""
    return f"event_export:{export_id}"

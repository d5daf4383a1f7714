"""What is sent of an event: the JSON that webhooks get, and sentences for people out of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from handlers.feed_names import is_addressed
from storage.feeds import Event

MAX_TEXT = 3000
MAX_FIELDS = 20


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a webhook, as Standard Webhooks suggests: `type`, `timestamp` and `data`, and where it is from.

    `position` is the event's place in its feed, `epoch:offset`; `feed` and `position` together name the event.
    """

    type: str
    timestamp: datetime
    workspace_id: str
    feed: str
    position: str
    actor: str | None
    data: dict[str, Any]


def body_of(workspace_id: str, feed: str, epoch: str, event: Event) -> str:
    envelope = Envelope(
        type=event.type,
        timestamp=event.at,
        workspace_id=workspace_id,
        feed=feed,
        position=f"{epoch}:{event.offset}",
        actor=event.actor,
        data=dict(event.data),
    )
    return msgspec.json.encode(envelope).decode()


def read_body(body: str) -> Envelope:
    return msgspec.json.decode(body, type=Envelope)


def subject_of(envelope: Envelope) -> str:
    if is_addressed(envelope.feed):
        return f"[{envelope.workspace_id}] {envelope.data['title']}"
    return f"[{envelope.workspace_id}] {envelope.type}"


def text_of(envelope: Envelope) -> str:
    """The event for people: what, where, who, when, and the data a line each. What is meant for it has its words."""
    if is_addressed(envelope.feed):
        return f"{envelope.data['title']}\n{envelope.data['text']}"[:MAX_TEXT]
    who = envelope.actor or "the server"
    lines = [
        f"{envelope.type} in {envelope.workspace_id}/{envelope.feed}",
        f"by {who}, {envelope.timestamp:%Y-%m-%d %H:%M:%S} UTC",
    ]
    fields = list(envelope.data.items())
    lines += [f"{name}: {_shown(value)}" for name, value in fields[:MAX_FIELDS]]
    if len(fields) > MAX_FIELDS:
        lines.append(f"and {len(fields) - MAX_FIELDS} more")
    return "\n".join(lines)[:MAX_TEXT]


def slack_body(envelope: Envelope) -> bytes:
    """As incoming webhooks of Slack, Mattermost and others take it."""
    text = text_of(envelope)
    for letter, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(letter, escaped)
    first, _, rest = text.partition("\n")
    return msgspec.json.encode({"text": f"*{first}*\n{rest}"})


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:199] + "…"

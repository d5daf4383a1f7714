"""A stream goes on: its state, the alerts and what is behind them change in one transaction, or none of it does."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.detections.engine import BY_ID, Detected, Engine, packed, unpacked
from analysis.detections.events import Event
from analysis.detections.settings import Settings
from analysis.detections.state import State
from handlers import alert_transitions as transitions
from handlers.alert_shapes import rank_of
from handlers.detections.remembered import Remembered
from handlers.outbox import Outbox
from storage import alerts, detections
from storage.alerts import FIRING, Alert, NewAlert
from storage.detections import Stream
from storage.tables import from_microseconds

logger = logging.getLogger(__name__)

DOMAIN = "security"
# Without a later event for so long, those that wait for one wait no longer.
RESTS = timedelta(minutes=2)


async def take(
    connection: AsyncConnection, outbox: Outbox, stream: Stream, events: Sequence[Event], *, at: datetime
) -> int:
    """Events come to a stream, which the caller has locked: how many of them were too late."""
    return await _go_on(connection, outbox, stream, lambda engine: engine.take(events), at=at)


async def take_in_order(
    connection: AsyncConnection,
    outbox: Outbox,
    stream: Stream,
    events: Sequence[Event],
    *,
    at: datetime,
    remembered: Remembered,
) -> None:
    """Events of a log that numbers its rows come to a stream, which the caller has locked; none of them waits."""
    await _go_on(connection, outbox, stream, lambda engine: engine.take_in_order(events), at=at, remembered=remembered)


async def rest(connection: AsyncConnection, outbox: Outbox, stream: Stream, *, at: datetime) -> None:
    """A stream that the caller has locked has rested."""
    await _go_on(connection, outbox, stream, Engine.rest, at=at)


def settings_of(stream: Stream | None) -> Settings:
    return msgspec.json.decode(stream.settings, type=Settings) if stream else Settings()


def state_of(stream: Stream | None) -> State:
    """What is remembered of it; nothing where that was written by a version that remembered other things."""
    if stream is None or stream.state is None:
        return State()
    try:
        return unpacked(stream.state)
    except msgspec.MsgspecError:
        logger.warning("what was remembered of %s cannot be read; it is learnt anew", stream.scope)
        return State()


async def _go_on(
    connection: AsyncConnection,
    outbox: Outbox,
    stream: Stream,
    step: Callable[[Engine], list[Detected]],
    *,
    at: datetime,
    remembered: Remembered | None = None,
) -> int:
    state = remembered.take(stream.scope, stream.state) if remembered else None
    if state is None:
        state = state_of(stream)
    late = state.late
    known = await detections.open_alerts(connection, stream.scope)
    # Of whom a grave alert is open nothing is learnt; once somebody has resolved it, it is again.
    grave = {actor for alert, actor in known if actor and rank_of(alert.severity) >= rank_of("high")}
    state.frozen = dict.fromkeys(grave, 0)
    engine = Engine(settings_of(stream), state)
    found = await asyncio.to_thread(step, engine)
    await _tell(connection, outbox, stream, found, {alert.fingerprint: alert for alert, _ in known}, at)
    stored = await asyncio.to_thread(packed, state)
    changed = {"state": stored, "due_at": at + RESTS if state.pending else None, "updated_at": at}
    await detections.change(connection, stream.scope, changed)
    if remembered is not None:
        remembered.keep(stream.scope, stored, state)
    return state.late - late


async def _tell(
    connection: AsyncConnection,
    outbox: Outbox,
    stream: Stream,
    found: Sequence[Detected],
    known: dict[str, Alert],
    at: datetime,
) -> None:
    newest: dict[str, Detected] = {}
    raised: dict[str, Detected] = {}
    for each in found:
        print_ = fingerprint(stream.scope, each)
        newest[print_] = each
        if each.is_new and print_ not in known:
            raised.setdefault(print_, each)
    new = [_new_alert(stream, print_, each, newest[print_]) for print_, each in raised.items()]
    opened = await transitions.open_alerts(connection, outbox, new, at=at) if new else []
    current = known | {alert.fingerprint: alert for alert in opened}
    more = [(current[print_], each) for print_, each in newest.items() if print_ in current]
    await alerts.find_anew(connection, [_finding(alert, each) for alert, each in more])
    for alert, each in more:
        body = msgspec.json.encode(each).decode()
        await detections.note_evidence(connection, alert.id, scope=stream.scope, actor=each.trigger.actor, body=body)


def fingerprint(scope: str, found: Detected) -> str:
    """What makes two alerts the same one: the stream, the detection and whom it is about."""
    text = "\n".join((scope, found.rule, found.entity))
    return f"detection:{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _new_alert(stream: Stream, print_: str, first: Detected, last: Detected) -> NewAlert:
    """Neither its name nor its labels say whom it is about: more people read them than may know that."""
    rule = BY_ID[first.rule]
    severity = max(first.severity, last.severity, key=rank_of)
    return NewAlert(
        workspace_id=stream.workspace_id,
        domain=DOMAIN,
        rule_id=None,
        rule_version=None,
        source_id=stream.source_id,
        fingerprint=print_,
        name=f"{rule.id} {rule.title}",
        summary=_summary(first),
        severity=severity,
        state=FIRING,
        labels={"detection": rule.id, "tactic": rule.tactic, "from": "detections"},
        value=first.value,
        threshold=first.threshold,
        evidence=_evidence(first),
    )


def _finding(alert: Alert, found: Detected) -> alerts.Finding:
    return alerts.Finding(alert.id, found.value, _summary(found), _evidence(found))


def _summary(found: Detected) -> str:
    times = "once" if found.hits == 1 else f"{found.hits} times"
    return f"{BY_ID[found.rule].title}: seen {times}, last at {from_microseconds(found.at):%Y-%m-%d %H:%M:%S} UTC."


def _evidence(found: Detected) -> dict[str, object]:
    return {"hits": found.hits, "last_event_at": from_microseconds(found.at).isoformat(), "events": len(found.events)}

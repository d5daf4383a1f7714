"""Alerts change state by one way: the row, its history and its events are there together, once for each change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers import alert_transitions as transitions
from handlers.alert_transitions import Move
from handlers.outbox import Outbox
from storage import alert_history, alerts, feeds, workspaces
from storage.alerts import ACKNOWLEDGED, FIRING, PENDING, RESOLVED, Alert, Finding, NewAlert
from storage.database import Database
from tests.storage.opened import NOW, SECOND, with_database

MINUTE = timedelta(minutes=1)


def new_alert(name: str = "cpu", state: str = FIRING, **changes: Any) -> NewAlert:
    alert = NewAlert(
        workspace_id="default",
        domain="performance",
        rule_id=None,
        rule_version=None,
        source_id=7,
        fingerprint=f"print-{name}",
        name=name,
        summary=f"{name} is 99",
        severity="high",
        state=state,
        labels={"host": "a"},
        value=99.0,
        threshold=90.0,
        evidence={"points": [[1, 99.0]]},
    )
    return replace(alert, **changes)


@asynccontextmanager
async def writing(database: Database) -> AsyncIterator[tuple[AsyncConnection, Outbox]]:
    outbox = Outbox()
    async with database.write() as connection:
        yield connection, outbox
        await outbox.append_to(connection, NOW)


async def told(database: Database, name: str = "default/alerts.performance") -> list[tuple[str, dict[str, Any]]]:
    async with database.read() as connection:
        feed = await feeds.get(connection, name)
        events = await feeds.read(connection, feed.id, after=0, limit=10_000) if feed else []
    return [(event.type, dict(event.data)) for event in events]


async def kinds(database: Database, alert_id: int) -> list[str]:
    async with database.read() as connection:
        return [entry.kind for entry in await alert_history.of_alert(connection, alert_id, limit=1_000)]


def run(url: str, body: Callable[[Database], Awaitable[None]]) -> None:
    async def with_workspace(database: Database) -> None:
        async with database.write() as connection:
            await workspaces.ensure(connection, "default", created_by="ann", at=NOW)
        await body(database)

    with_database(url, with_workspace)


def test_an_alert_is_a_row_a_history_and_an_event_on_two_feeds(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with writing(database) as (connection, outbox):
            opened = await transitions.open_alert(connection, outbox, new_alert(state=PENDING), at=NOW)
        async with writing(database) as (connection, outbox):
            finding = Finding(opened.id, 101.0, "cpu is 101", {"points": [[2, 101.0]]})
            (fired,) = await transitions.move_many(
                connection, outbox, [Move(opened.id, transitions.FIRE, finding)], at=NOW + SECOND
            )
        assert (opened.state, opened.fired_at, opened.version) == (PENDING, None, 1)
        assert (fired.state, fired.fired_at, fired.version, fired.value) == (FIRING, NOW + SECOND, 2, 101.0)
        assert await kinds(database, opened.id) == ["alert.pending", "alert.fired"]
        events = await told(database)
        assert events == await told(database, "default/alerts.performance.7")
        assert [(kind, data["alert"]["version"]) for kind, data in events] == [("alert.pending", 1), ("alert.fired", 2)]
        assert events[0][1]["alert"]["summary"] == "cpu is 99"
        assert events[1][1]["alert"]["summary"] == "cpu is 101"

    run(database_url, body)


def test_only_one_alert_of_a_fingerprint_is_open(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with writing(database) as (connection, outbox):
            first, again, other = await transitions.open_alerts(
                connection, outbox, [new_alert(), new_alert(), new_alert("disk")], at=NOW
            )
        async with writing(database) as (connection, outbox):
            later = await transitions.open_alert(connection, outbox, new_alert(value=3.0), at=NOW + SECOND)
        assert first.id == again.id == later.id != other.id
        assert later.value == 99.0
        assert len(await told(database)) == 2

    run(database_url, body)


@pytest.mark.parametrize(("after", "is_same"), [(9 * MINUTE, True), (11 * MINUTE, False)])
def test_what_fires_again_soon_is_the_same_incident(database_url: str, after: timedelta, is_same: bool) -> None:
    async def body(database: Database) -> None:
        async with writing(database) as (connection, outbox):
            first = await transitions.open_alert(connection, outbox, new_alert(), at=NOW)
            await transitions.move(connection, outbox, first.id, transitions.acknowledge("ann", at=NOW), at=NOW)
            over = transitions.resolve("it is below", at=NOW)
            ended = await transitions.move(connection, outbox, first.id, over, at=NOW)
        assert ended is not None
        assert (ended.state, ended.resolved_reason) == (RESOLVED, "it is below")
        async with writing(database) as (connection, outbox):
            new = new_alert(state=PENDING)
            pending = await transitions.open_alert(connection, outbox, new, at=NOW + after)
            fired = await transitions.move(connection, outbox, pending.id, transitions.FIRE, at=NOW + after)
        assert fired is not None
        assert (fired.id == first.id, fired.reopened, fired.acknowledged_by) == (is_same, int(is_same), None)
        assert (await told(database))[-1][0] == ("alert.reopened" if is_same else "alert.fired")

    run(database_url, body)


def test_a_move_from_another_state_or_version_changes_nothing(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with writing(database) as (connection, outbox):
            alert = await transitions.open_alert(connection, outbox, new_alert(), at=NOW)
            ann = transitions.acknowledge("ann", at=NOW)
            assert not await transitions.move(connection, outbox, alert.id, ann, at=NOW, expected_version=2)
            assert await transitions.move(connection, outbox, alert.id, ann, at=NOW, expected_version=1)
            bob = transitions.acknowledge("bob", at=NOW)
            assert not await transitions.move(connection, outbox, alert.id, bob, at=NOW)
            assert await transitions.move_many(connection, outbox, [Move(alert.id, transitions.FIRE)], at=NOW) == []
            now = await alerts.get(connection, alert.id)
        assert now is not None
        assert (now.state, now.acknowledged_by, now.version) == (ACKNOWLEDGED, "ann", 2)
        assert len(await told(database)) == 2

    run(database_url, body)


def test_a_raised_severity_fires_again_what_is_acknowledged(database_url: str) -> None:
    async def change(database: Database, alert: Alert, severity: str) -> Alert:
        async with writing(database) as (connection, outbox):
            moved = transitions.set_severity(alert, severity)
            changed = await transitions.move(connection, outbox, alert.id, moved, at=NOW)
        assert changed is not None
        return changed

    async def body(database: Database) -> None:
        async with writing(database) as (connection, outbox):
            alert = await transitions.open_alert(connection, outbox, new_alert(), at=NOW)
            ann = transitions.acknowledge("ann", at=NOW)
            acknowledged = await transitions.move(connection, outbox, alert.id, ann, at=NOW)
        assert acknowledged is not None
        lowered = await change(database, acknowledged, "low")
        assert (lowered.state, lowered.severity) == (ACKNOWLEDGED, "low")
        raised = await change(database, lowered, "critical")
        assert (raised.state, raised.severity, raised.acknowledged_by) == (FIRING, "critical", None)

    run(database_url, body)


def test_a_thousand_alerts_are_few_statements(database_url: str) -> None:
    async def body(database: Database) -> None:
        new = [new_alert(f"disk-{number}") for number in range(1_200)]
        async with writing(database) as (connection, outbox):
            opened = await transitions.open_alerts(connection, outbox, new, at=NOW)
        assert [alert.name for alert in opened] == [each.name for each in new]
        over = transitions.resolve("it is below", at=NOW)
        async with writing(database) as (connection, outbox):
            moves = [Move(alert.id, over) for alert in opened]
            assert len(await transitions.move_many(connection, outbox, moves, at=NOW)) == 1_200
        async with writing(database) as (connection, outbox):
            again = await transitions.open_alerts(connection, outbox, new, at=NOW + SECOND)
        assert [alert.id for alert in again] == [alert.id for alert in opened]
        assert len(await told(database)) == 3_600

    run(database_url, body)


def test_both_of_two_transactions_that_open_the_same_get_the_same_alert(postgres_url: str) -> None:
    async def open_one(database: Database) -> int:
        async with writing(database) as (connection, outbox):
            return (await transitions.open_alert(connection, outbox, new_alert(), at=NOW)).id

    async def body(database: Database) -> None:
        ids = await asyncio.gather(*(open_one(database) for _ in range(6)))
        assert len(set(ids)) == 1
        assert [kind for kind, _ in await told(database)] == ["alert.fired"]

    run(postgres_url, body)

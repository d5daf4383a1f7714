"""Whatever happens to an alert in whatever order: against a plain model, on a real database."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st
from opened_alerts import new_alert

from handlers import alert_transitions as transitions
from handlers.alert_transitions import Transition
from handlers.outbox import Outbox
from storage import alert_history, feeds, workspaces
from storage.alerts import ACKNOWLEDGED, FIRING, OPEN, PENDING, RESOLVED, Alert
from storage.database import Database
from tests.storage.opened import NOW, with_database

ACTIONS = st.sampled_from(
    [
        "open pending",
        "open firing",
        "fire",
        "acknowledge",
        "acknowledge for a minute",
        "unacknowledge",
        "time is over",
        "raise",
        "lower",
        "snooze",
        "silence",
        "unsilence",
        "resolve",
        "wait a minute",
        "wait long",
    ]
)


@dataclass
class Model:
    """One incident after the other, in plain words."""

    state: str = RESOLVED
    incidents: int = 0
    has_fired: bool = False
    reopened: int = 0
    severity: str = "high"
    until: datetime | None = None
    is_snoozed: bool = False
    is_silenced: bool = False
    resolved_at: datetime | None = None
    told: list[str] = field(default_factory=list)

    def tell(self, kind: str) -> None:
        self.told.append(f"alert.{kind}")

    def open(self, state: str, at: datetime) -> None:
        if self.state in OPEN:
            return
        if self.resolved_at is None or at - self.resolved_at >= timedelta(minutes=10):
            self.incidents, self.has_fired, self.reopened, self.is_snoozed = self.incidents + 1, False, 0, False
        self.state, self.severity, self.until, self.is_silenced = PENDING, "high", None, False
        if state == FIRING:
            self.fire()
        else:
            self.tell("pending")

    def fire(self) -> None:
        if self.state == PENDING:
            self.tell("reopened" if self.has_fired else "fired")
            self.reopened += self.has_fired
            self.state, self.has_fired = FIRING, True

    def acknowledge(self, until: datetime | None) -> None:
        if self.state == FIRING:
            self.state, self.until = ACKNOWLEDGED, until
            self.tell("acknowledged")

    def unacknowledge(self, *, is_over: bool = True) -> None:
        if self.state == ACKNOWLEDGED and is_over:
            self.state, self.until = FIRING, None
            self.tell("unacknowledged")

    def raise_severity(self) -> None:
        if self.state in OPEN and self.severity != "critical":
            self.severity = "critical"
            self.state = FIRING if self.state == ACKNOWLEDGED else self.state
            self.until = None
            self.tell("severity_raised")

    def lower_severity(self) -> None:
        if self.state in OPEN and self.severity != "low":
            self.severity = "low"
            self.tell("severity_lowered")

    def set_silenced(self, *, on: bool) -> None:
        if self.state in OPEN and self.is_silenced is not on:
            self.is_silenced = on
            self.tell("suppressed" if on else "unsuppressed")

    def snooze(self) -> None:
        if self.state in OPEN:
            self.is_snoozed = True
            self.tell("snoozed")

    def resolve(self, at: datetime) -> None:
        if self.state in OPEN:
            self.state, self.resolved_at, self.is_silenced = RESOLVED, at, False
            self.tell("resolved")


@dataclass
class Play:
    database: Database
    lab: str
    model: Model = field(default_factory=Model)
    at: datetime = NOW
    alert: Alert | None = None

    async def act(self, action: str) -> None:
        match action:
            case "wait a minute":
                self.at += timedelta(minutes=1)
            case "wait long":
                self.at += timedelta(minutes=10)
            case "open pending":
                await self.open(PENDING)
            case "open firing":
                await self.open(FIRING)
            case _ if self.alert is not None:
                await self.move(action, self.alert)

    async def open(self, state: str) -> None:
        self.model.open(state, self.at)
        outbox = Outbox()
        async with self.database.write() as connection:
            new = new_alert(workspace_id=self.lab, state=state, fingerprint=self.lab)
            self.alert = await transitions.open_alert(connection, outbox, new, at=self.at)
            await outbox.append_to(connection, self.at)

    async def move(self, action: str, alert: Alert) -> None:
        transition = self.transition(action, alert)
        if transition is None:
            return
        outbox = Outbox()
        async with self.database.write() as connection:
            moved = await transitions.move(connection, outbox, alert.id, transition, at=self.at)
            await outbox.append_to(connection, self.at)
        self.alert = moved or alert

    def transition(self, action: str, alert: Alert) -> Transition | None:
        """What is done to the alert, and to the model."""
        model, at, soon = self.model, self.at, self.at + timedelta(minutes=1)
        reasons = [{"kind": "silence", "id": 1, "until": None, "alert_id": None}]
        severities: dict[str, tuple[str, Callable[[], None]]] = {
            "raise": ("critical", model.raise_severity),
            "lower": ("low", model.lower_severity),
        }
        if action in severities:
            severity, change = severities[action]
            if severity == alert.severity:
                return None
            change()
            return transitions.set_severity(alert, severity)
        actions: dict[str, tuple[Transition, Callable[[], None]]] = {
            "fire": (transitions.FIRE, model.fire),
            "acknowledge": (transitions.acknowledge("ann", at=at), lambda: model.acknowledge(None)),
            "acknowledge for a minute": (
                transitions.acknowledge("ann", at=at, until=soon),
                lambda: model.acknowledge(soon),
            ),
            "unacknowledge": (transitions.UNACKNOWLEDGE, model.unacknowledge),
            "time is over": (
                transitions.ACKNOWLEDGEMENT_ENDS,
                lambda: model.unacknowledge(is_over=model.until is not None and model.until <= at),
            ),
            "snooze": (transitions.snooze(soon), model.snooze),
            "silence": (transitions.suppress(reasons), lambda: model.set_silenced(on=True)),
            "unsilence": (transitions.suppress([]), lambda: model.set_silenced(on=False)),
            "resolve": (transitions.resolve("It is over.", at=at), lambda: model.resolve(at)),
        }
        transition, change = actions[action]
        change()
        return transition

    async def check(self) -> None:
        if self.alert is None:
            return
        alert, model = self.alert, self.model
        assert (alert.state, alert.severity, alert.reopened) == (model.state, model.severity, model.reopened)
        assert (alert.fired_at is not None) is model.has_fired
        assert (alert.acknowledged_by is not None) is (model.state == ACKNOWLEDGED) or model.state == RESOLVED
        assert bool(alert.suppressed_by) is model.is_silenced
        assert (alert.snoozed_until is not None) is model.is_snoozed
        async with self.database.read() as connection:
            feed = await feeds.get(connection, f"{self.lab}/alerts.performance")
            assert feed is not None
            events = await feeds.read(connection, feed.id, after=0, limit=1000)
            ids = sorted({event.data["alert"]["id"] for event in events})
            histories = [await alert_history.of_alert(connection, alert_id, limit=1000) for alert_id in ids]
        assert [event.type for event in events] == model.told
        assert len(ids) == model.incidents
        assert [entry.kind for entries in histories for entry in entries] == model.told
        versions = [event.data["alert"]["version"] for event in events if event.data["alert"]["id"] == alert.id]
        assert versions == list(range(1, alert.version + 1))
        assert events[-1].data["alert"]["state"] == model.state


def test_whatever_happens_to_an_alert(sqlite_url: str) -> None:
    counter = itertools.count(1)

    @settings(max_examples=60, deadline=None)
    @example(["open firing", "resolve", "raise", "snooze", "silence"])
    @example(["open firing", "acknowledge for a minute", "wait a minute", "time is over", "acknowledge", "raise"])
    @example(["open pending", "fire", "resolve", "open pending", "fire", "resolve", "wait long", "open firing"])
    @given(st.lists(ACTIONS, min_size=1, max_size=25))
    def play(actions: list[str]) -> None:
        lab = f"lab{next(counter)}"

        async def scenario(opened: Database) -> None:
            async with opened.write() as connection:
                await workspaces.ensure(connection, lab, created_by="ann", at=NOW)
            one = Play(opened, lab)
            for action in actions:
                await one.act(action)
            await one.check()

        with_database(sqlite_url, scenario)

    play()

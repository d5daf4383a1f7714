"""Rules, samples and what becomes of them, for tests of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from http_node import START, Node
from sqlalchemy import update

from analysis.alerting.specs import RuleSpec, Selector, Threshold
from handlers.access import Role
from handlers.alert_rules.evaluating import Evaluator
from handlers.alert_rules.reading import DOMAIN, milliseconds
from handlers.measurements import store
from storage import alert_rules, alerts, data_sources, feeds
from storage.alert_rules import AlertRule, RuleText
from storage.alert_tables import leases
from storage.data_sources import DataSource
from storage.samples.columns import GAUGE, SampleColumns, SeriesKey

START_MS = milliseconds(START)


def above(threshold: float, **how: Any) -> RuleSpec:
    """CPU above a threshold."""
    query = {name: how.pop(name) for name in ("resolve_threshold", "condition") if name in how}
    selector = {name: how.pop(name) for name in ("function", "window_seconds", "group_by") if name in how}
    return RuleSpec(
        query=Threshold(selector=Selector(metric="cpu", **selector), op=">", threshold=threshold, **query), **how
    )


async def make_source(node: Node, name: str = "shop", workspace: str = "lab") -> DataSource:
    async with node.parts.database.write() as connection:
        return await data_sources.create(
            connection,
            workspace_id=workspace,
            name=name,
            kind="sqlite",
            description=None,
            settings={},
            owner="ada",
            at=node.clock,
        )


async def make_lab(node: Node) -> DataSource:
    """A workspace with an owner, an editor and a viewer, and a source in it."""
    await node.make_workspace("lab", ada=Role.OWNER, eve=Role.EDITOR, vic=Role.VIEWER)
    return await make_source(node)


async def make_rule(
    node: Node, spec: RuleSpec, *, source_id: int | None = None, name: str = "Busy", **how: Any
) -> AlertRule:
    text = RuleText(
        name=name,
        source_id=source_id,
        severity=how.get("severity", "high"),
        labels=msgspec.json.encode(how.get("labels", {})).decode(),
        spec=msgspec.json.encode(spec).decode(),
        runbook=None,
        enabled=how.get("enabled", True),
    )
    async with node.parts.database.write() as connection:
        return await alert_rules.create(connection, "lab", DOMAIN, text, by="ada", at=how.get("at", node.clock))


def columns(
    rows: Sequence[tuple[Mapping[str, str], float, float]], metric: str = "cpu", kind: str = GAUGE
) -> SampleColumns:
    """Samples: labels, seconds after START, value."""
    keys: dict[SeriesKey, int] = {}
    index = [
        keys.setdefault(SeriesKey(metric, tuple(sorted(labels.items())), kind), len(keys)) for labels, _, _ in rows
    ]
    return SampleColumns(
        list(keys),
        np.array(index, dtype=np.int32),
        np.array([START_MS + round(seconds * 1000) for _, seconds, _ in rows], dtype=np.int64),
        np.array([value for _, _, value in rows], dtype=np.float64),
    )


async def push(node: Node, source: DataSource, *rows: tuple[float, float], metric: str = "cpu", **labels: str) -> None:
    """Samples of one series: seconds after START, value."""
    await store(node.parts, source, columns([(labels, seconds, value) for seconds, value in rows], metric))


class Stepped:
    """An evaluator whose clock is the node's, in seconds after START."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.evaluator = Evaluator(node.parts, node.now)
        self._must_free = False

    async def at(self, seconds: float) -> None:
        """Evaluates at that time."""
        self.node.clock = START + timedelta(seconds=seconds)
        if self._must_free:
            async with self.node.parts.database.write() as connection:
                await connection.execute(update(leases).values(holder=None, until=None))
            self._must_free = False
        self.evaluator.rules_changed()
        await self.evaluator.turn()

    def restart(self) -> None:
        """As if the process had been killed, and somebody else had waited until the lease was over."""
        self.evaluator = Evaluator(self.node.parts, self.node.now)
        self._must_free = True

    def stay_away(self) -> None:
        """As if the process had been killed, and nobody else was there until the next evaluation."""
        self.evaluator = Evaluator(self.node.parts, self.node.now)


async def events(node: Node, workspace: str = "lab") -> list[tuple[str, float]]:
    """What the feed of alerts was told: the kind, and seconds after START."""
    return [(kind, seconds(at)) for kind, at, _ in await told(node, workspace)]


async def told(node: Node, workspace: str = "lab") -> list[tuple[str, datetime, dict[str, Any]]]:
    """The events of the feed of alerts, in their order: the kind, when, and the alert."""
    async with node.parts.database.read() as connection:
        feed = await feeds.get(connection, f"{workspace}/alerts.{DOMAIN}")
        rows = await feeds.read(connection, feed.id, after=0, limit=100_000) if feed is not None else []
    return [(row.type, datetime.fromisoformat(row.data["alert"]["updated_at"]), row.data["alert"]) for row in rows]


def seconds(at: datetime) -> float:
    return (at - START).total_seconds()


async def open_alerts(node: Node) -> list[alerts.Alert]:
    async with node.parts.database.read() as connection:
        return await alerts.open_of(connection)

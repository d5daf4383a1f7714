"""Whoever reads docs/metrics.md, the dashboard or the alert rules finds exactly what the server serves."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from figures import asgi_client, figures_of
from node_in_process import running_node

from handlers import traffic
from handlers.event_exports.exporting import Exporter
from server import connection_counts
from storage import event_exports

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "metrics.md"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "collab-studio.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
SCRAPES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
# What Prometheus itself adds to everything that it scrapes.
ADDED = {"job", "instance"}
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}
ROW = re.compile(
    r"^\| `(?P<name>[a-z_]+)` \| (?P<type>counter|gauge|histogram) \| (?P<labels>[a-z` ]*)\|", re.MULTILINE
)


@dataclass(frozen=True)
class Described:
    type: str
    labels: frozenset[str]


def described() -> dict[str, Described]:
    """The rows of the tables of metrics."""
    rows = list(ROW.finditer(PAGE.read_text(encoding="utf-8")))
    found = {row["name"]: Described(row["type"], frozenset(re.findall(r"`([a-z]+)`", row["labels"]))) for row in rows}
    assert len(found) == len(rows), "a metric has two rows"
    return found


def served(folder: Path) -> dict[str, Described]:
    """What a server has on its page that has seen a little of everything."""

    async def run() -> dict[str, Described]:
        async with running_node(folder) as node:
            async with asgi_client(node.studio.app) as client:
                await client.get("/me")
            now = datetime.now(UTC)
            async with node.database.write() as connection:
                named: dict[str, Any] = {"name": "SIEM", "streams": ["audit"], "target": {}, "created_by": "admin"}
                await event_exports.create(connection, **named, enabled=False, at=now)
            await Exporter(node.studio.parts).look()
            gateway = node.studio.gateway
            gateway.counts.refuse(403)
            with gateway.observation.request("users.me", "request-1"):
                await asyncio.sleep(0)
            return {
                family.name + ("_total" if family.type == "counter" else ""): Described(
                    family.type,
                    frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
                )
                for family in (await figures_of(node.studio.app)).families
            }

    return asyncio.run(run())


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Described]:
    return served(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def series(metrics: dict[str, Described]) -> dict[str, Described]:
    """By the names that queries use."""
    found = {
        name + suffix: Described("counter" if suffix else each.type, each.labels | ({"le"} if suffix else set()))
        for name, each in metrics.items()
        for suffix in SUFFIXES[each.type]
    }
    return {**found, "up": Described("gauge", frozenset())}


def test_the_page_lists_exactly_what_is_served(metrics: dict[str, Described]) -> None:
    assert described() == metrics


def test_the_page_lists_every_value_of_labels_that_have_few() -> None:
    page = PAGE.read_text(encoding="utf-8")
    values = (*traffic.REASONS, *connection_counts.REASONS)
    assert [value for value in values if f"`{value}`" not in page] == []


# Queries


def queries_of_dashboard() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.sub(r"label_values\((.*), \w+\)", r"\1", variable["definition"])


def queries_of_rules() -> Iterator[tuple[str, str]]:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


QUERIES = [*queries_of_dashboard(), *queries_of_rules()]
METRIC = re.compile(r"\b(?:studio|process|python)_\w+|\bup\b")
SELECTOR = re.compile(rf"({METRIC.pattern})\{{([^}}]*)\}}")
GROUPING = re.compile(r"\bby \(([^)]*)\)")


@pytest.mark.parametrize(("what", "query"), QUERIES, ids=[what for what, _ in QUERIES])
def test_queries_ask_for_what_is_there(what: str, query: str, series: dict[str, Described]) -> None:
    names = METRIC.findall(query)
    assert names, "a query of nothing"
    assert [name for name in names if name not in series] == []
    known = ADDED.union(*(series[name].labels for name in names))
    for grouping in GROUPING.findall(query):
        assert set(re.split(r",\s*", grouping)) <= known
    for name, selector in SELECTOR.findall(query):
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert asked <= ADDED | series[name].labels, f"{name} has no such labels"
    assert query.count("(") == query.count(")")


@pytest.mark.parametrize(("what", "query"), QUERIES, ids=[what for what, _ in QUERIES])
def test_only_what_grows_has_a_rate(what: str, query: str, series: dict[str, Described]) -> None:
    rated = re.findall(rf"\b(?:rate|increase)\(({METRIC.pattern})", query)
    assert [name for name in rated if series[name].type != "counter"] == []
    plain = [name for name in METRIC.findall(query) if series[name].type == "counter" and name not in rated]
    assert plain == [], "a counter by itself says nothing"


def test_every_metric_of_ours_is_on_the_dashboard(metrics: dict[str, Described]) -> None:
    shown = {name for _, query in queries_of_dashboard() for name in METRIC.findall(query)}
    missing = [
        name
        for name, each in metrics.items()
        if name.startswith("studio_") and not any(name + suffix in shown for suffix in SUFFIXES[each.type])
    ]
    assert missing == []


def test_the_dashboard_can_be_imported_beside_any_prometheus() -> None:
    assert [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"] == [
        "Traffic",
        "Latency",
        "Storage",
        "Bus",
        "Pressure",
        "Loop",
        "Process",
        "Exports to a SIEM",
    ]
    variables = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"] == "datasource"
    panels: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    sources = {each["datasource"]["uid"] for panel in panels for each in (panel, *panel["targets"])}
    assert sources == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in (panel["gridPos"],)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken), "panels lie on each other"
    assert max(x for x, _ in taken) < 24


def test_there_is_a_rule_for_everything_that_cannot_wait() -> None:
    asked = " ".join(query for _, query in queries_of_rules())
    for name in (
        "studio_log_oldest_unstored_seconds",
        "studio_event_loop_lag_seconds_bucket",
        "studio_bus_connected",
        "studio_ready",
        "studio_log_commit_failures_total",
        "process_open_fds",
    ):
        assert name in asked
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert "{{ $labels.instance }}" in rule["annotations"]["summary"]


def test_the_scrape_example_reads_the_rules_and_holds_no_key() -> None:
    assert SCRAPES["rule_files"] == ["alerts.yml"]
    for job in SCRAPES["scrape_configs"]:
        assert job["job_name"].startswith("collab-studio"), "the rules look for this"
        assert "credentials" not in job.get("authorization", {})

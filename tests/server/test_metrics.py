"""`/metrics`: the right figures after real work, for those who may read them, and nobody's name in them."""

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from figures import Figures, asgi_client, figures_of
from hand_transport import HandTransport
from node_in_process import Node, running_node
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from server_process import free_port
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from crdt import sync
from crdt.lib0 import write_var_string
from handlers.export_figures import Standing
from handlers.relay import Relay
from server.metrics_port import bind, find_problems
from server.settings import Settings, read_settings
from server.startup import StartError

NAME = "default/a quarterly report"
LETTER = b"\x01\x01\x09\x00\x04\x01\x07content\x01x\x00"
ROOT = Path(__file__).resolve().parents[2]


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with running_node(folder, **settings) as node:
            await node.enlist("ada")
            await node.enlist("rita", "viewer")
            await scenario(node)

    asyncio.run(run())


async def joined(node: Node, user: str = "ada") -> tuple[Any, HandTransport]:
    line = HandTransport()
    dialect = node.connect(line, False, NAME, user)
    await node.studio.gateway.idle()
    assert not line.closing
    return dialect, line


def test_edits_move_the_figures_by_as_many_as_there_were(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        (ada, _), (rita, _), _ = await joined(node), await joined(node, "rita"), await joined(node)
        before = await figures_of(node.studio.app)
        ada.receive(sync.update_message(LETTER))
        await node.settled()
        ada.receive(sync.update_message(LETTER))
        rita.receive(sync.update_message(LETTER))
        await node.settled()
        after = await figures_of(node.studio.app)

        def grown(name: str, **labels: str) -> float:
            return after(name, **labels) - before(name, **labels)

        assert grown("studio_updates_received_total") == 3
        assert grown("studio_updates_applied_total") == 1
        assert grown("studio_updates_stored_total") == 1
        assert grown("studio_updates_repeated_total") == 1
        assert grown("studio_updates_refused_total", reason="read_only") == 1
        assert grown("studio_updates_refused_total", reason="malformed") == 0
        assert grown("studio_room_turns_total") == 1
        assert grown("studio_update_deliveries_total") == 2
        for histogram in ("studio_update_fanout_seconds", "studio_update_stored_seconds", "studio_log_commit_seconds"):
            assert grown(f"{histogram}_count") == grown(f"{histogram}_bucket", le="+Inf") == 1
            assert 0 < grown(f"{histogram}_sum") < 5
        assert (after("studio_members"), after("studio_rooms_open")) == (3, 1)
        assert after("studio_log_unstored_updates") == after("studio_log_oldest_unstored_seconds") == 0

    play(tmp_path, scenario)


def test_a_log_that_lags_shows_how_far(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, _ = await joined(node)
        async with node.database.write_lock:
            sent = time.time()
            ada.receive(sync.update_message(LETTER))
            arrived = time.time()
            await asyncio.sleep(0)
            asked = time.time()
            figures = await figures_of(node.studio.app)
            answered = time.time()
            assert figures("studio_log_unstored_updates") == figures("studio_updates_applied_total") == 1
            assert figures("studio_updates_stored_total") == 0
            # Arrival is noted in microseconds.
            assert asked - arrived <= figures("studio_log_oldest_unstored_seconds") <= answered - sent + 1e-5

    play(tmp_path, scenario)


def test_failed_commits_are_counted(tmp_path: Path) -> None:
    class Full:
        def __init__(self, log: Any) -> None:
            self.log = log
            self.failures = 2

        async def append(self, appends: Any) -> Any:
            if self.failures:
                self.failures -= 1
                raise OSError("the disk is full")
            return await self.log.append(appends)

    async def scenario(node: Node) -> None:
        node.rooms.writer._log = Full(node.rooms.writer._log)  # type: ignore[assignment]
        ada, _ = await joined(node)
        ada.receive(sync.update_message(LETTER))
        await node.settled()
        figures = await figures_of(node.studio.app)
        assert figures("studio_log_commit_failures_total") == 2
        assert figures("studio_log_commit_seconds_count") == 1

    play(tmp_path, scenario)


def test_members_who_do_not_read_show_as_pressure(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, line = await joined(node)
        line.is_congested = True
        ada.pause()
        assert (await figures_of(node.studio.app))("studio_members_held_back") == 1
        line.is_congested = False
        ada.resume()
        figures = await figures_of(node.studio.app)
        assert (figures("studio_members_held_back"), figures("studio_members_caught_up_total")) == (0, 1)

    play(tmp_path, scenario)


def test_sockets_of_a_stock_server_are_counted_as_well(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        configuration = uvicorn.Config(node.studio.app, ws="websockets-sansio", lifespan="off", log_config=None)
        server = uvicorn.Server(configuration)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(server.serve([listener]))
            url = f"ws://127.0.0.1:{listener.getsockname()[1]}/yjs/default/notes"
            async with connect(f"{url}?token={node.token('ada')}") as ada:
                await ada.recv()
                assert (await figures_of(node.studio.app))("studio_connections_open", dialect="y-websocket") == 1
            async with connect(f"{url}?token=nonsense") as stranger:
                await stranger.wait_closed()
            with pytest.raises(InvalidStatus):
                await connect(url, origin=Origin("https://elsewhere.example"))
            server.should_exit = True
            await serving
        figures = await figures_of(node.studio.app)
        assert figures("studio_connections_open", dialect="y-websocket") == 0
        assert figures("studio_connections_accepted_total", dialect="y-websocket") == 2
        assert figures("studio_connections_closed_total", reason="client") == 1
        assert figures("studio_connections_closed_total", reason="refused") == 1
        assert figures("studio_connections_refused_total", status="403") == 1

    play(tmp_path, scenario)


def test_presence_is_counted_as_it_comes_and_as_it_is_sent_on(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, _ = await joined(node)
        for clock in (1, 2, 3):
            ada.receive(sync.awareness_message(b"\x01\x09" + bytes([clock]) + write_var_string('{"x":1}')))
        node.rooms._presence._send_all()
        figures = await figures_of(node.studio.app)
        assert (figures("studio_presence_received_total"), figures("studio_presence_sent_total")) == (3, 1)

    play(tmp_path, scenario)


def test_requests_are_counted_by_operation_method_and_status(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        app, headers = node.studio.app, {"Authorization": f"Bearer {node.token('ada')}"}
        async with asgi_client(app) as client:
            for _ in range(3):
                assert (await client.get("/me", headers=headers)).status_code == 200
            assert (await client.get("/me")).status_code == 401
            assert (await client.get("/no/such/page")).status_code == 404
            assert (await client.request("BREW", "/another")).status_code == 404
            assert (await client.post("/me")).status_code == 405
        figures = await figures_of(app)

        def ended(operation: str, method: str, status: str) -> float:
            return figures("studio_http_requests_total", operation=operation, method=method, status=status)

        (name,) = {
            labels["operation"]
            for sample, labels in figures.samples()
            if sample == "studio_http_requests_total" and labels["status"] == "200"
        }
        assert (ended(name, "GET", "200"), ended(name, "GET", "401")) == (3, 1)
        assert (ended("none", "GET", "404"), ended("none", "other", "404"), ended("none", "POST", "405")) == (1, 1, 1)
        assert figures("studio_http_request_seconds_count", operation=name) == 4
        assert figures("studio_http_request_seconds_count", operation="none") == 3
        assert figures("studio_http_requests_running") == 1, "the one that asks"

    play(tmp_path, scenario)


def test_what_other_parts_count_is_shown_under_its_name(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        gateway, feeds, bus = node.studio.gateway, node.studio.parts.feeds, node.studio.parts.bus
        relay = node.rooms.relay = Relay(bus, node.database, node.rooms)
        gateway.drained, gateway.requests.refused, gateway.requests.counted_here = 1, 2, 3
        feeds.reading.reads, bus.dropped = 4, 5
        relay.updates_received, relay.log_reads, relay.updates_read = 6, 7, 8
        figures = await figures_of(node.studio.app)
        node.rooms.relay = None
        names = (
            "studio_connections_drained_total",
            "studio_requests_limited_total",
            "studio_requests_counted_alone_total",
            "studio_feed_reads_total",
            "studio_bus_messages_dropped_total",
            "studio_relay_updates_received_total",
            "studio_relay_log_reads_total",
            "studio_relay_updates_read_total",
        )
        assert [figures(name) for name in names] == list(range(1, 9))
        assert figures("studio_nodes") == figures("studio_bus_connected") == 1
        await bus.close()
        assert (await figures_of(node.studio.app))("studio_bus_connected") == 0

    play(tmp_path, scenario)


def test_exports_are_shown_by_their_number(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        exports = node.studio.parts.exports
        exports.sent[3], exports.failures[3] = 5, 2
        since = datetime.now(UTC) - timedelta(seconds=60)
        exports.standing = {
            3: Standing(behind=7, behind_since=since, is_failing=True, is_broken=True),
            4: Standing(behind=0, behind_since=None, is_failing=False, is_broken=False),
        }
        figures = await figures_of(node.studio.app)
        names = ("exported_events_total", "export_failures_total", "export_waiting_events", "export_chain_broken")
        assert [figures(f"studio_{name}", export="3") for name in names] == [5, 2, 7, 1]
        assert [figures(f"studio_{name}", export="4") for name in names[2:]] == [0, 0]
        assert 60 <= figures("studio_export_lag_seconds", export="3") < 120
        assert figures("studio_export_lag_seconds", export="4") == 0

    play(tmp_path, scenario)


def test_a_loop_that_was_held_up_shows_it(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        # The timer is set in this turn of the loop and is due while we hold it.
        await asyncio.sleep(0)
        time.sleep(0.6)  # noqa: ASYNC251 - what is measured
        figures = Figures("")
        while not figures.get("studio_event_loop_lag_seconds_count"):
            figures = await figures_of(node.studio.app)
        in_time = figures("studio_event_loop_lag_seconds_bucket", le="0.25")
        assert figures("studio_event_loop_lag_seconds_count") - in_time >= 1

    play(tmp_path, scenario)


def test_workers_are_seen_at_work(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        run = node.studio.workers.run
        jobs = [asyncio.create_task(run(Path.read_bytes, gate)), *(asyncio.create_task(run(len, b"ab")) for _ in "ab")]
        await asyncio.sleep(0)
        figures = await figures_of(node.studio.app)
        assert (figures("studio_worker_jobs_running"), figures("studio_worker_jobs_waiting")) == (1, 2)
        # Returns when the first job reads.
        await asyncio.to_thread(gate.write_bytes, b"go on")
        assert await asyncio.gather(*jobs) == [b"go on", 2, 2]
        assert (await figures_of(node.studio.app))("studio_worker_jobs_running") == 0

    play(tmp_path, scenario)


def test_connections_to_the_database_are_seen_in_use(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        held = 5  # more than what runs beside requests takes
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(held):
                await stack.enter_async_context(node.database.read())
            figures = await figures_of(node.studio.app)
            limit = figures("studio_database_connections_limit")
            assert held <= figures("studio_database_connections_in_use") <= limit
        assert (await figures_of(node.studio.app))("studio_database_connections_in_use") < held

    play(tmp_path, scenario)


# Who may read them


async def status_for(node: Node, host: str, base_url: str = "http://127.0.0.1:8400", **headers: str) -> int:
    async with asgi_client(node.studio.app, host=host, base_url=base_url) as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await client.get("/metrics", headers=sent)).status_code


def test_whoever_asks_on_the_same_machine_may_read(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        assert await status_for(node, "127.0.0.1") == 200
        assert await status_for(node, "::1", "http://[::1]:8400") == 200
        assert await status_for(node, "127.0.0.1", "http://localhost:8400") == 200
        assert await status_for(node, "127.0.0.1", "http://studio.example.org") == 401, "a proxy, or a page elsewhere"
        assert await status_for(node, "127.0.0.1", x_forwarded_for="203.0.113.9") == 401
        assert await status_for(node, "127.0.0.1", forwarded="for=203.0.113.9") == 401

    play(tmp_path, scenario)


PROXIED = ({"public_url": "https://studio.example.org"}, {"trusted_proxies": ("10.0.0.0/8",)})


@pytest.mark.parametrize("settings", PROXIED)
def test_behind_a_proxy_nobody_counts_as_on_the_same_machine(tmp_path: Path, settings: dict[str, Any]) -> None:
    async def scenario(node: Node) -> None:
        assert await status_for(node, "127.0.0.1") == 401

    play(tmp_path, scenario, **settings)


def test_from_elsewhere_it_takes_an_administrator_or_a_key(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        elsewhere = "203.0.113.9"
        assert await status_for(node, elsewhere) == 401
        assert await status_for(node, elsewhere, authorization="Bearer nonsense") == 401
        assert await status_for(node, elsewhere, authorization=f"Bearer {node.token('ada')}") == 403
        assert await status_for(node, elsewhere, authorization=f"Bearer {node.token('admin')}") == 200
        async with asgi_client(node.studio.app) as client:
            headers = {"Authorization": f"Bearer {node.token('ada')}"}
            made = await client.post("/api-keys", json={"name": "scraper"}, headers=headers)
            assert made.status_code in (200, 201), made.text
        assert await status_for(node, elsewhere, authorization=f"Bearer {made.json()['secret']}") == 200

    play(tmp_path, scenario)


def test_a_setting_lets_everybody_read(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        assert await status_for(node, "203.0.113.9", "http://studio.example.org") == 200

    play(tmp_path, scenario, metrics_public=True)


def test_the_port_of_machines_asks_for_no_credential_and_has_no_other_pages(tmp_path: Path) -> None:
    port = free_port()

    async def ask(path: str) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port + 1)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: studio.example.org\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        return answer

    async def scenario(node: Node) -> None:
        page = await ask("/metrics")
        assert page.startswith("HTTP/1.1 200")
        assert Figures(page.partition("\r\n\r\n")[2])("studio_ready") == 1
        assert '"status":"ready"' in await ask("/ready")
        assert '"status":"ok"' in await ask("/health")
        assert (await ask("/me")).startswith("HTTP/1.1 404")

    play(tmp_path, scenario, metrics_port=port, worker_index=1)


def test_a_port_of_machines_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(data=tmp_path, metrics_port=port)
        expected = rf"^cannot serve metrics on 127.0.0.1:{port}: .*in use; .*--metrics-port$"
        with pytest.raises(StartError, match=expected):
            bind(settings, 0)
        (problem,) = find_problems(settings)
        assert "--metrics-port" in problem
        assert find_problems(replace(settings, metrics_port=None)) == []
    (problem,) = find_problems(replace(settings, metrics_host="no-such-host.invalid"))
    assert problem.startswith("cannot serve metrics on no-such-host.invalid:")


def test_ports_that_are_none_are_told_before_the_start() -> None:
    shared = {"database_url": "postgresql://host/name", "redis_url": "redis://host"}
    (problem,) = read_settings({**shared, "workers": "3", "metrics_port": "65534"}, {}).problems
    assert problem.startswith("--metrics-port: 3 processes need as many ports from 65534 on")
    assert problem.endswith("use 65533 or less")
    assert read_settings({**shared, "workers": "3", "metrics_port": "65533"}, {}).problems == ()


# What they look like


def test_openmetrics_for_those_who_ask_for_it(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        async with asgi_client(node.studio.app) as client:
            accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
            answer = await client.get("/metrics", headers={"Accept": accept})
            plain = await client.get("/metrics", headers={"Accept": "text/html"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        parsed: Any = open_families  # the parser has no types
        families = {family.name: family for family in parsed(answer.text)}
        assert families["studio_updates_stored"].type == "counter"
        assert families["studio_update_stored_seconds"].unit == "seconds"
        assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"

    play(tmp_path, scenario)


def test_names_follow_the_rules_and_labels_have_few_values(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, _ = await joined(node)
        ada.receive(sync.update_message(LETTER))
        async with asgi_client(node.studio.app) as client:
            headers = {"Authorization": f"Bearer {node.token('ada')}"}
            path = "/collaboration/documents/default/a%20quarterly%20report/content"
            assert (await client.get(path, headers=headers)).status_code == 200
            page = (await client.get("/metrics")).text
        figures = Figures(page)
        for family in figures.families:
            assert re.fullmatch(r"(studio|process|python)_[a-z_]+", family.name)
            assert family.documentation
            if family.name.startswith("studio_"):
                assert not re.search(r"_(ms|milliseconds|minutes|kb|kib|mb)(_|$)", family.name), "base units only"
        allowed = {"dialect", "status", "reason", "le", "operation", "method", "check", "version"}
        ours = [labels for name, labels in figures.samples() if name.startswith("studio_")]
        assert {label for labels in ours for label in labels} <= allowed
        assert "quarterly" not in page
        assert '"ada"' not in page
        assert '"default"' not in page

    play(tmp_path, scenario)

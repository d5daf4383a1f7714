"""Scraping an exporter beside a source, or instead of one that tells nothing of itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from collecting_nodes import (
    Counted,
    collecting,
    in_background,
    make_lab,
    make_source,
    rates,
    samples_of,
    set_collection,
    until,
)
from receivers import LOCAL, Received, Reply, receiving

from handlers.outgoing import OutgoingHttp, OutgoingPolicy
from handlers.parts import Outgoing
from handlers.performance.collecting import Collecting
from handlers.performance.visiting import SourceVisits
from storage import metric_collections

OUTGOING = Outgoing(OutgoingHttp(OutgoingPolicy([LOCAL]), timeout=30.0))


def page(count: float, started: float) -> Reply:
    body = f"""# TYPE jobs_total counter
jobs_total{{queue="mail"}} {count}
# TYPE queue_length gauge
queue_length 3
# TYPE process_start_time_seconds gauge
process_start_time_seconds {started}
"""
    return Reply(200, body.encode(), {"Content-Type": "text/plain; version=0.0.4"})


async def visits_of(service: Collecting, node: Any, source_id: int, now: list[float]) -> SourceVisits:
    service._now = lambda: node.now().fromtimestamp(now[0], node.now().tzinfo)
    async with node.parts.database.read() as connection:
        [collected] = await metric_collections.enabled(connection)
    return service._visits(collected, None)


async def turn(visits: SourceVisits) -> None:
    """What is due of the exporter beside a source that tells something of itself, then of the source."""
    assert visits.exporter is not None
    await visits.exporter.turn(await visits.source())
    await visits.turn()


def test_figures_of_an_exporter_with_a_gap_where_its_process_began_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            receiving() as exporter,
            collecting(tmp_path, reader=Counted(), outgoing=OUTGOING) as (node, service),
        ):
            await make_lab(node)
            source_id = await make_source(node)
            url = exporter.url + "/a/secret/path"
            shown = await set_collection(
                node, source_id, enabled=True, statements=False, exporter_url=url, exporter_token="a-token"
            )
            assert shown["exporter"] == LOCAL
            assert "secret" not in str(shown)
            now = [node.now().timestamp()]
            visits = await visits_of(service, node, source_id, now)
            started = now[0] - 100
            exporter.replies = [
                page(100, started),
                page(120, started),
                page(5000, now[0] + 15),
                page(5010, now[0] + 15),
            ]
            for _ in range(4):
                await turn(visits)
                now[0] += 10
            found = await samples_of(node, source_id, "jobs_total")
            assert rates(found) == [2.0, 1.0]
            assert exporter.received[0].headers["authorization"] == "Bearer a-token"
            assert exporter.received[0].path.endswith("/a/secret/path")
            exporter.replies = [Reply(500), Reply(500)]
            await turn(visits)
            now[0] += 10
            # The source itself is well: only the exporter is not.
            assert visits.visits.failures == 0
            assert visits.visits.error == "The exporter answered with the status 500."
            await turn(visits)
            values = [value for _, value in await samples_of(node, source_id, "queue_length")]
            assert values == [3.0] * 4 + [None]
            assert [value for _, value in await samples_of(node, source_id, "exporter.up")] == [1.0] * 4 + [0.0] * 2
            assert {value for _, value in await samples_of(node, source_id, "up")} == {1.0}

    asyncio.run(scenario())


def test_what_is_no_page_of_figures_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            receiving() as exporter,
            collecting(tmp_path, reader=Counted(), outgoing=OUTGOING) as (node, service),
        ):
            await make_lab(node)
            source_id = await make_source(node)
            await set_collection(node, source_id, enabled=True, statements=False, exporter_url=exporter.url)
            now = [node.now().timestamp()]
            visits = await visits_of(service, node, source_id, now)
            exporter.usual = Reply(200, b"<html>Hello</html>\n")
            await turn(visits)
            assert visits.visits.error is not None
            assert visits.visits.error.startswith("The exporter's page cannot be read: Line 1")

    asyncio.run(scenario())


def test_exporters_are_asked_where_the_server_may_send_to_and_nowhere_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with collecting(tmp_path, reader=Counted()) as (node, _):
            await make_lab(node)
            source_id = await make_source(node)
            client = node.client("ada")
            path = f"/performance/collections/{source_id}"
            for url in ("http://169.254.169.254/metrics", "https://127.0.0.1/metrics", "file:///etc/passwd"):
                answer = await client.patch(path, json={"exporter_url": url})
                assert answer.status_code == 400, url
                assert "The exporter cannot be asked" in answer.json()["detail"]
            assert (await client.patch(path, json={"exporter_token": "x"})).status_code == 400

    asyncio.run(scenario())


def test_a_token_goes_only_where_it_was_given_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            receiving() as exporter,
            collecting(tmp_path, reader=Counted(), outgoing=OUTGOING) as (node, service),
        ):
            await make_lab(node)
            source_id = await make_source(node)
            exporter.usual = page(1, 1)
            await set_collection(
                node, source_id, enabled=True, statements=False, exporter_url=exporter.url, exporter_token="a-token"
            )
            await set_collection(node, source_id, preset="minimal")
            await set_collection(node, source_id, exporter_url=exporter.url)
            now = [node.now().timestamp()]
            await turn(await visits_of(service, node, source_id, now))
            await set_collection(node, source_id, exporter_url=exporter.url + "/other")
            await turn(await visits_of(service, node, source_id, now))
            sent = [request.headers.get("authorization") for request in exporter.received]
            assert sent == ["Bearer a-token", None]
            assert (await set_collection(node, source_id, exporter_url=None))["exporter"] is None

    asyncio.run(scenario())


def test_a_source_that_tells_nothing_of_itself_is_up_while_its_exporter_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving() as exporter, collecting(tmp_path, outgoing=OUTGOING) as (node, service):
            await make_lab(node)
            source_id = await make_source(node, "metrics")
            answer = await node.client("ada").patch(f"/performance/collections/{source_id}", json={"enabled": True})
            assert answer.status_code == 409
            assert answer.json()["code"] == "nothing_to_collect"
            await set_collection(node, source_id, enabled=True, exporter_url=exporter.url)
            now = [node.now().timestamp()]
            visits = await visits_of(service, node, source_id, now)
            exporter.replies = [page(1, 1), Reply(503), page(2, 1)]
            exporter.usual = Reply(503)
            for _ in range(7):
                await visits.turn()
                now[0] += 10
            # Also while it is left alone.
            assert len(exporter.received) == 6
            told = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
            assert [value for _, value in await samples_of(node, source_id, "up")] == told
            assert [value for _, value in await samples_of(node, source_id, "exporter.up")] == told
            assert [value for _, value in await samples_of(node, source_id, "queue_length")] == [3.0, None, 3.0, None]

    asyncio.run(scenario())


def test_an_exporter_that_hangs_holds_up_nothing_that_its_source_tells(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            receiving() as exporter,
            collecting(tmp_path, reader=Counted(), outgoing=OUTGOING) as (node, service),
        ):
            await make_lab(node)
            source_id = await make_source(node)
            exporter.usual, asked = Reply(hangs=True), asyncio.Event()

            async def notice(_: Received) -> None:
                asked.set()

            exporter.on_request = notice
            await set_collection(node, source_id, enabled=True, statements=False, exporter_url=exporter.url)
            async with in_background(service.run()):
                await until(lambda: samples_of(node, source_id, "toy.fast.count"))
                await asked.wait()
                # It is still waited for.
                assert not await samples_of(node, source_id, "exporter.up")

    asyncio.run(scenario())


def test_an_exporter_is_asked_also_while_its_source_does_not_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        reader = Counted()
        reader.is_away = True
        async with (
            receiving() as exporter,
            collecting(tmp_path, reader=reader, outgoing=OUTGOING) as (node, service),
        ):
            await make_lab(node)
            source_id = await make_source(node)
            exporter.usual = page(1, 1)
            await set_collection(node, source_id, enabled=True, statements=False, exporter_url=exporter.url)
            async with in_background(service.run()):
                await until(lambda: samples_of(node, source_id, "up"))
                await until(lambda: samples_of(node, source_id, "exporter.up"))
            assert {value for _, value in await samples_of(node, source_id, "up")} == {0.0}
            assert {value for _, value in await samples_of(node, source_id, "exporter.up")} == {1.0}
            assert {value for _, value in await samples_of(node, source_id, "queue_length")} == {3.0}

    asyncio.run(scenario())

"""Measurements over time as clients ask for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from http_node import START, Node, play
from stored_measurements import GAP, key, make_source, ms, store

from handlers.access import Role
from storage.data_sources import DataSource

NOW = ms(START)
TEN = 10_000


Scenario = Callable[[Node, DataSource], Awaitable[None]]


def run(url: str, scenario: Scenario) -> None:
    async def with_source(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR, vera=Role.VIEWER)
        await node.make_user("olga")
        await scenario(node, await make_source(node))

    play(url, with_source)


async def ask(node: Node, source_id: int = 1, user: str = "vera", **parameters: Any) -> Any:
    answer = await node.client(user).get(f"/performance/metrics/{source_id}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(node: Node, source_id: int = 1, user: str = "vera", **parameters: Any) -> tuple[int, str, str]:
    answer = await node.client(user).get(f"/performance/metrics/{source_id}", params=parameters)
    body = answer.json()
    return answer.status_code, body["code"], body["detail"]


def test_a_gauge_over_the_last_minute(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        temperature = key("temperature", unit="Cel", room="hall")
        await store(node, source, {temperature: [(NOW - 60_000 + i * 5_000, float(i)) for i in range(12)]})
        answer = await ask(node, time_range="1m", metrics="temperature", step="10s")
        assert answer["times"] == list(range(NOW - 60_000, NOW, TEN))
        assert answer["step_seconds"] == 10
        assert answer["tier"] == "raw"
        assert (answer["is_partial"], answer["partial"]) == (False, [])
        assert answer["series"] == [
            {
                "metric": "temperature",
                "labels": {"room": "hall"},
                "kind": "gauge",
                "unit": "Cel",
                "bucket": "avg",
                "values": [0.5, 2.5, 4.5, 6.5, 8.5, 10.5],
            }
        ]
        highest = await ask(node, time_range="1m", metrics="temperature", step="20s", bucket="max")
        assert highest["series"][0]["values"] == [3.0, 7.0, 11.0]

    run(sqlite_url, scenario)


def test_a_counter_is_told_as_a_rate_and_gaps_as_gaps(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        commits = key("commits", "counter", "{transactions}")
        values = [0.0, 50.0, 100.0, GAP, 900.0, 910.0, 5.0, 25.0]
        await store(node, source, {commits: [(NOW - 80_000 + i * TEN, value) for i, value in enumerate(values)]})
        answer = await ask(node, time_range="80s", metrics="commits", step="10s")
        assert answer["series"][0]["values"] == [None, 5.0, 5.0, None, None, 1.0, None, 2.0]
        grown = await ask(node, time_range="80s", metrics="commits", step="10s", aggregate="increase")
        assert grown["series"][0]["values"] == [None, 50.0, 50.0, None, None, 10.0, None, 20.0]

    run(sqlite_url, scenario)


def test_steps_are_chosen_and_the_newest_is_open(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        await store(node, source, {key("load"): [(NOW - 500, 1.0)]})
        node.clock += timedelta(seconds=3.5)
        answer = await ask(node, time_range="1h")
        assert answer["step_seconds"] == 10
        assert len(answer["times"]) == 361
        assert answer["times"][-1] == NOW
        assert answer["partial"] == ["open"]
        week = await ask(node, time_range="7d")
        assert (week["step_seconds"], week["tier"]) == (1800, "15m")
        day = await ask(node, time_range="1d", max_points=10)
        assert (day["step_seconds"], len(day["times"])) == (21_600, 5)
        assert len((await ask(node, time_range="90s", step="10s", max_points=1))["times"]) == 10

    run(sqlite_url, scenario)


def test_older_than_samples_are_kept_is_told_in_wider_steps(sqlite_url: str) -> None:
    async def scenario(node: Node, _: DataSource) -> None:
        start, end = START - timedelta(days=10), START - timedelta(days=10, hours=-1)
        answer = await ask(node, time_range=f"{start.isoformat()}/{end.isoformat()}", step="10s")
        assert (answer["step_seconds"], answer["tier"], answer["partial"]) == (60, "1m", ["resolution"])

    run(sqlite_url, scenario)


@pytest.mark.parametrize(
    ("time_range", "words"),
    [
        ("2026-03-01T09:00:00Z,2026-03-01T08:00:00Z", "ends before it begins"),
        ("2027-01-01T00:00:00Z/2027-01-02T00:00:00Z", "all in the future"),
        ("9999d", "longer than 732 days"),
        ("2026-03-01T08:00:00,2026-03-01T09:00:00Z", "does not say its zone"),
        ("yesterday", "Say `1h`"),
        ("never,ever", "no time of ISO 8601"),
    ],
)
def test_a_range_that_is_none_is_refused_in_words(sqlite_url: str, time_range: str, words: str) -> None:
    async def scenario(node: Node, _: DataSource) -> None:
        status, code, detail = await refused(node, time_range=time_range)
        assert (status, code) == (400, "bad_time_range")
        assert words in detail

    run(sqlite_url, scenario)


def test_an_offset_whose_plus_sign_came_as_a_blank_is_read(sqlite_url: str) -> None:
    async def scenario(node: Node, _: DataSource) -> None:
        answer = await ask(node, time_range="2026-03-01T09:00:00 02:00,2026-03-01T09:30:00 02:00")
        assert answer["start"] == "2026-03-01T07:00:00Z"

    run(sqlite_url, scenario)


def test_other_questions_without_an_answer(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        await store(node, source, {key("load"): [(NOW - TEN, 1.0)]})
        status, code, detail = await refused(node, time_range="7d", step="1s")
        assert (status, code) == (400, "too_many_points")
        assert "55s" in detail
        assert (await refused(node, metrics="load", bucket="rate"))[1] == "not_a_counter"
        assert (await refused(node, metrics='load{host="a"'))[1] == "bad_metric"
        assert (await refused(node, metrics='load{host=~"("}'))[1] == "bad_metric"
        # Also of a metric that there is not: an empty answer would say that all is well.
        assert (await refused(node, metrics='nothing{host=~"("}'))[1] == "bad_metric"
        assert (await refused(node, downsample="lttb", band="true"))[0] == 400
        assert (await refused(node, aggregate="median"))[0] == 400
        assert (await refused(node, step="999999999w"))[1] == "bad_step"
        assert (await refused(node, compare="999999999w"))[1] == "bad_comparison"

    run(sqlite_url, scenario)


def test_metrics_by_pattern_and_labels(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        at = NOW - TEN
        await store(
            node,
            source,
            {
                key("cpu.busy", host="a", mode="user"): [(at, 1.0)],
                key("cpu.busy", host="a", mode="system"): [(at, 2.0)],
                key("cpu.busy", host="b", mode="user"): [(at, 3.0)],
                key("cpu.idle", host="a"): [(at, 4.0)],
                key("disk.free", host="a"): [(at, 5.0)],
            },
        )

        async def values(*metrics: str) -> list[float]:
            answer = await ask(node, time_range="10s", step="10s", metrics=list(metrics))
            return [each["values"][0] for each in answer["series"]]

        assert await values("cpu.*") == [2.0, 1.0, 3.0, 4.0]
        assert await values('cpu.busy{host="a",mode=~"u.*"}') == [1.0]
        assert await values('cpu.*{mode!="user"}', "disk.free") == [2.0, 4.0, 5.0]
        assert await values('*{mode=""},cpu.busy{host!~"a|c"}') == [3.0, 4.0, 5.0]
        assert await values("nothing") == []

    run(sqlite_url, scenario)


def test_several_series_as_one(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        ten = range(NOW - 30_000, NOW, TEN)
        await store(
            node,
            source,
            {
                key("jobs", host="a", queue="x"): [(at, 1.0) for at in ten],
                key("jobs", host="a", queue="y"): [(at, 10.0) for at in ten],
                key("jobs", host="b", queue="x"): [(ten[0], 100.0), (ten[0] + 1, GAP), (ten[2], 100.0)],
            },
        )

        async def lines(**parameters: Any) -> list[tuple[dict[str, str], list[float | None]]]:
            answer = await ask(node, time_range="30s", step="10s", metrics="jobs", **parameters)
            return [(each["labels"], each["values"]) for each in answer["series"]]

        assert await lines(aggregate="sum") == [({}, [111.0, None, 111.0])]
        assert await lines(aggregate="sum", missing="skip") == [({}, [111.0, 11.0, 111.0])]
        assert await lines(aggregate="max", group_by="host") == [
            ({"host": "a"}, [10.0, 10.0, 10.0]),
            ({"host": "b"}, [100.0, None, 100.0]),
        ]
        assert await lines(aggregate="count", group_by="queue") == [
            ({"queue": "x"}, [2.0, 1.0, 2.0]),
            ({"queue": "y"}, [1.0, 1.0, 1.0]),
        ]
        assert await lines(aggregate="p50", group_by="queue,host") == await lines()
        answer = await ask(node, time_range="30s", step="10s", metrics="jobs", aggregate="avg")
        assert answer["series"][0]["of"] == 3
        assert answer["series"][0]["missing"] == [0, 1, 0]

    run(sqlite_url, scenario)


def test_percentiles_of_histograms(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        before, at = NOW - 20_000, NOW - TEN
        # 100 answers: 50 within 0.1 s, 90 within 1 s, all within 10 s.
        counts = {"0.1": 50.0, "1": 90.0, "10": 100.0, "+Inf": 100.0}
        await store(
            node,
            source,
            {
                key("http.duration_bucket", "counter", host="a", le=bound): [(before, 7.0), (at, 7.0 + count)]
                for bound, count in counts.items()
            },
        )
        answer = await ask(node, time_range="10s", step="10s", metrics="http.duration", aggregate="p75")
        (line,) = answer["series"]
        assert (line["metric"], line["labels"], line["of"]) == ("http.duration", {}, 4)
        assert line["values"] == [pytest.approx(0.1 + 0.9 * 25 / 40)]

    run(sqlite_url, scenario)


def test_the_largest_are_told_and_how_many_more_there_are(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        series = {key("size", table=f"t{i}"): [(NOW - TEN, float(i % 7))] for i in range(20)}
        await store(node, source, series)
        answer = await ask(node, time_range="10s", step="10s", limit=3)
        assert sorted(each["values"][0] for each in answer["series"]) == [5.0, 6.0, 6.0]
        assert answer["left_out"] == 17

    run(sqlite_url, scenario)


def test_beside_the_period_before(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        day = 86_400_000
        values = [(NOW - 30_000 + i * TEN, float(i)) for i in range(3)]
        earlier = [(at - 30_000, value + 10) for at, value in values]
        yesterday = [(at - day, value + 100) for at, value in values]
        await store(node, source, {key("load"): [*yesterday, *earlier, *values]})
        answer = await ask(node, time_range="30s", step="10s", compare="previous")
        assert answer["series"][0]["previous"] == [10.0, 11.0, 12.0]
        assert answer["compared_seconds"] == 30
        answer = await ask(node, time_range="30s", step="10s", compare="1d")
        assert answer["series"][0]["previous"] == [100.0, 101.0, 102.0]

    run(sqlite_url, scenario)


def test_fewer_points_for_drawing_with_what_they_range_over(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        values = [(NOW - 600_000 + i * 1_000, float(i % 10)) for i in range(600)]
        values[333] = (values[333][0], 77.0)
        await store(node, source, {key("load"): values})
        answer = await ask(node, time_range="10m", max_points=20, downsample="lttb")
        (line,) = answer["series"]
        assert len(answer["times"]) == len(line["values"]) == len(line["at"]) == 20
        # Drawn is the mean of three seconds; the band knows the highest of all.
        assert max(line["values"]) > 20.0
        assert max(line["high"]) == 77.0
        assert min(line["low"]) == 0.0
        assert all(0 <= at - start < 30_000 for at, start in zip(line["at"], answer["times"], strict=True))

    run(sqlite_url, scenario)


def test_the_band_that_values_are_expected_in(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        values = [(NOW - 1_000 * TEN + i * TEN, 50.0 + (i * 37 % 11)) for i in range(1_000)]
        values[-1] = (values[-1][0], 500.0)
        await store(node, source, {key("load"): values})
        answer = await ask(node, time_range="10m", step="10s", band="true")
        (line,) = answer["series"]
        assert len(line["band"]["low"]) == len(line["values"])
        assert all(
            low <= value <= high
            for low, value, high in zip(line["band"]["low"], line["values"], line["band"]["high"], strict=True)
            if value != 500.0
        )
        assert line["band"]["high"][-1] < 500.0

    run(sqlite_url, scenario)


def test_who_may_ask(sqlite_url: str) -> None:
    async def scenario(node: Node, _: DataSource) -> None:
        assert (await refused(node, user="olga"))[0] == 404
        assert (await refused(node, source_id=99))[0] == 404
        assert (await refused(node, source_id=0))[0] == 403
        assert (await ask(node, source_id=0, user="admin"))["series"] == []

    run(sqlite_url, scenario)


def test_what_there_is(sqlite_url: str) -> None:
    async def scenario(node: Node, source: DataSource) -> None:
        await store(
            node,
            source,
            {
                key("cpu.busy", host="a"): [(NOW - TEN, 1.0)],
                key("cpu.busy", host="b"): [(NOW, 1.0)],
                key("commits", "counter", "{transactions}"): [(NOW - 20_000, 1.0)],
            },
        )
        client = node.client("vera")
        (of_source,) = (await client.get("/performance/metrics?workspace_id=lab")).json()["items"]
        assert (of_source["data_source_id"], of_source["name"], of_source["series"]) == (1, "measured", 3)
        commits, busy = of_source["metrics"]
        assert (commits["metric"], commits["kind"], commits["unit"]) == ("commits", "counter", "{transactions}")
        assert (busy["series"], busy["labels"]) == (2, {"host": {"count": 2, "values": ["a", "b"]}})
        assert (busy["first_at"], busy["last_at"]) == ("2026-03-01T08:59:50Z", "2026-03-01T09:00:00Z")
        found = (await client.get("/performance/metrics?data_source_id=1&search=CPU")).json()["items"]
        assert [each["metric"] for each in found[0]["metrics"]] == ["cpu.busy"]
        assert (await client.get("/performance/metrics?data_source_id=0")).status_code == 403
        assert (await node.client("olga").get("/performance/metrics?workspace_id=lab")).status_code == 404

    run(sqlite_url, scenario)

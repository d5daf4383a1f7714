"""Scans over HTTP, on both of our databases: what they find, what they refuse, and what they say meanwhile."""

from pathlib import Path
from typing import Any

from scanning import CARDS, Scanner, scan_with, shop, write_sqlite

from handlers.access import Role

PARTS = ["profile", "classification", "quality"]


def test_a_scan_describes_profiles_and_classifies(database_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        scan = await scanner.scan(source)
        assert (scan["state"], scan["error"]) == ("succeeded", None)
        assert scan["summary"]["datasets"] == scan["summary"]["succeeded"] == 3
        outcomes = await scanner.outcomes(scan["id"])
        assert set(outcomes) == {"customers", "orders", "best"}
        assert (outcomes["orders"]["rows"], outcomes["orders"]["is_exact"]) == (2000, True)
        [amount] = await scanner.results(scan["id"], dataset="orders", column="amount", kind="profile")
        assert (amount["body"]["numbers"]["min"], amount["body"]["numbers"]["max"]) == (1.5, 3000.0)
        [described] = await scanner.results(scan["id"], dataset="orders", kind="discovery")
        assert described["body"]["primary_key"] == ["id"]
        found = await scanner.results(scan["id"], dataset="customers", kind="classification")
        assert {(one["column"], one["body"]["type"]) for one in found} >= {
            ("card_number", "credit_card"),
            ("email", "email"),
        }

    scan_with(database_url, tmp_path, scenario)


def test_no_value_of_a_sensitive_column_is_in_any_result(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        for parts in (["classification"], ["profile"], ["profile", "classification"]):
            scan = await scanner.scan(source, parts=parts, datasets=["customers"])
            results = await scanner.results(scan["id"])
            told = str(results)
            assert "person1@" not in told
            assert not any(card in told for card in CARDS), parts
            if "profile" in parts:
                [card] = [one for one in results if (one["kind"], one["column"]) == ("profile", "card_number")]
                assert {len(top["value"]) for top in card["body"]["top"]} == {len(card) for card in CARDS}
                assert "values are not shown" in card["body"]["notes"][-1]

    scan_with(engine_url, tmp_path, scenario)


def test_the_feed_tells_it_from_beginning_to_end(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        scan = await scanner.scan(source, parts=["profile"])
        events = await scanner.events(scan["id"])
        types = [event["type"] for event in events if event["type"] != "scan.progress"]
        assert types == ["scan.started", "scan.dataset", "scan.dataset", "scan.dataset", "scan.finished"]
        assert events[-1]["data"]["summary"] == scan["summary"]
        assert scan["feed"] == f"lab/scans.{scan['id']}"
        refused = await scanner.ada.post(
            f"/feeds/lab/scans.{scan['id']}/events", json={"events": [{"type": "scan.finished"}]}
        )
        assert refused.status_code == 403

    scan_with(engine_url, tmp_path, scenario)


def test_a_source_has_one_scan_at_a_time(database_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        slow = {"parts": ["profile"], "datasets": ["orders"], "pause_ms": 60_000}
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        first = await scanner.begin(source, **slow)
        refused = await scanner.ada.post("/scans", json={"source_id": source})
        assert (refused.status_code, refused.json()["code"]) == (409, "scan_running")
        assert refused.json()["details"]["scan_id"] == first
        run = await scanner.ada.post(
            "/runs", json={"workspace_id": "lab", "job": "scan", "arguments": {"source_id": source}}
        )
        await scanner.when(first, lambda scan: scan["state"] == "running")
        path = f"/runs/{run.json()['id']}"
        while (found := (await scanner.ada.get(path)).json())["finished_at"] is None:
            await scanner.look(first)
        assert found["error"]["code"] == "scan_running"
        assert (await scanner.ada.post(f"/scans/{first}/cancel", json={})).json()["state"] == "cancelled"
        assert (await scanner.scan(source, parts=["profile"]))["state"] == "succeeded"
        assert [event["type"] for event in await scanner.events(first)][-1] == "scan.cancelled"

    scan_with(database_url, tmp_path, scenario)


def test_a_schedule_scans(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        plan: dict[str, Any] = {"workspace_id": "lab", "title": "Nightly", "job": "scan", "cron": "0 3 * * *"}
        plan["arguments"] = {"source_id": source, "mode": "incremental", "parts": PARTS}
        schedule = (await scanner.ada.post("/schedules", json=plan)).json()
        await scanner.ada.post(f"/schedules/{schedule['id']}/run", json={})
        listed: list[Any] = []
        while not listed or listed[0]["finished_at"] is None:
            listed = (await scanner.ada.get("/scans", params={"workspace_id": "lab", "source_id": source})).json()[
                "items"
            ]
        assert (listed[0]["state"], listed[0]["summary"]["datasets"]) == ("succeeded", 3)
        other = {**plan, "arguments": {"source_id": source, "mode": "sometimes"}}
        assert (await scanner.ada.post("/schedules", json=other)).status_code == 400

    scan_with(engine_url, tmp_path, scenario)


def test_a_source_of_another_workspace_is_not_scanned(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        await scanner.node.make_workspace("elsewhere", eve=Role.OWNER)
        eve = scanner.node.client("eve")
        body = {"workspace_id": "elsewhere", "job": "scan", "arguments": {"source_id": source}}
        run = (await eve.post("/runs", json=body)).json()
        while (found := (await eve.get(f"/runs/{run['id']}")).json())["finished_at"] is None:
            pass
        assert (found["state"], found["error"]["code"]) == ("failed", "not_found")
        assert (await eve.post("/scans", json={"source_id": source})).status_code == 404
        scan = await scanner.begin(source)
        for method, path in (("GET", ""), ("GET", "/results"), ("POST", "/cancel")):
            answer = await eve.request(method, f"/scans/{scan}{path}", json={} if method == "POST" else None)
            assert answer.status_code == 404, path
        vic = scanner.node.client("vic")
        assert (await vic.get(f"/scans/{scan}")).status_code == 200
        assert (await vic.post(f"/scans/{scan}/cancel", json={})).status_code == 403
        await scanner.when(scan, lambda one: one["finished_at"] is not None)

    scan_with(engine_url, tmp_path, scenario)


def test_what_cannot_be_asked_is_refused_with_what_would_be_right(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        mistakes: tuple[dict[str, Any], ...] = (
            {"mode": "quick"},
            {"parts": []},
            {"concurrency": 9},
            {"sample_rows": 0},
            {"rules": [7]},
        )
        for wrong in mistakes:
            answer = await scanner.ada.post("/scans", json={"source_id": source, **wrong})
            assert answer.status_code == 400, wrong
        scan = await scanner.scan(source, datasets=["nothing*"])
        assert (scan["state"], scan["error"]["code"]) == ("failed", "nothing_matches")
        assert (await scanner.ada.post("/scans", json={"source_id": 99})).status_code == 404

    scan_with(engine_url, tmp_path, scenario)


def test_a_sample_says_that_it_is_one(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        scan = await scanner.scan(source, datasets=["orders"], parts=["profile"], sample_rows=100)
        [outcome] = (await scanner.outcomes(scan["id"])).values()
        assert (outcome["is_sample"], outcome["is_exact"]) == (True, False)
        assert 0 < outcome["rows"] < 400
        capped = await scanner.source("capped", "sqlite", path=str(tmp_path / "shop.sqlite3"), row_cap=50)
        scan = await scanner.scan(capped, datasets=["orders"], parts=["profile"])
        [outcome] = (await scanner.outcomes(scan["id"])).values()
        assert (outcome["is_cut"], outcome["is_exact"], outcome["rows"]) == (True, False, 50)

    scan_with(engine_url, tmp_path, scenario)


def test_a_broken_view_fails_alone(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        path = shop(tmp_path)
        write_sqlite(path, "CREATE VIEW a AS SELECT * FROM b", "CREATE VIEW b AS SELECT * FROM a")
        write_sqlite(path, "CREATE VIEW gone AS SELECT * FROM nowhere")
        source = await scanner.source("shop", "sqlite", path=str(path))
        scan = await scanner.scan(source)
        summary = scan["summary"]
        assert (scan["state"], summary["succeeded"], summary["failed"]) == ("succeeded", 3, 3)
        outcomes = await scanner.outcomes(scan["id"])
        for name, word in (("a", "circular"), ("b", "circular"), ("gone", "nowhere")):
            error = outcomes[name]["error"]
            assert word in error["message"], error
            assert error["message"].count("\n") == 0

    scan_with(engine_url, tmp_path, scenario)


def test_where_airports_are_is_nobodys_and_where_customers_are_is_theirs(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        places = [(f"A{key}", key / 4 - 60, key / 2 - 90) for key in range(300)]
        columns = "(code TEXT, latitude REAL, longitude REAL)"
        path = write_sqlite(
            tmp_path / "places.sqlite3",
            f"CREATE TABLE airports {columns}",
            f"CREATE TABLE customers {columns}",
            rows=[(f"INSERT INTO {table} VALUES (?, ?, ?)", places) for table in ("airports", "customers")],
        )
        scan = await scanner.scan(await scanner.source("places", "sqlite", path=str(path)), parts=["classification"])
        found = await scanner.results(scan["id"], kind="classification")
        assert {(one["dataset"], one["column"]) for one in found} == {
            ("customers", "latitude"),
            ("customers", "longitude"),
        }

    scan_with(engine_url, tmp_path, scenario)

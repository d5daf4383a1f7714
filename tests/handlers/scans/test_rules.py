"""Quality rules: stored, tried on the source, and judged by scans."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scanning import Scanner, scan_with, shop

from storage import scan_rules

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)

RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "present": ("orders", {"kind": "completeness", "column": "customer"}),
    "positive": ("orders", {"kind": "range", "column": "amount", "min": 3}),
    "one each": ("orders", {"kind": "uniqueness", "columns": ["id"]}),
    "iso": ("orders", {"kind": "pattern", "column": "day", "pattern": r"\d{4}-\d{2}-\d{2}"}),
    "known": ("orders", {"kind": "referential", "column": "customer", "reference": "customers.id"}),
    "sums": ("orders", {"kind": "row_expression", "expression": "row.amount == double(row.id) * 1.5"}),
    "size": ("*", {"kind": "row_count", "min": 1000}),
    "mean": ("orders", {"kind": "profile_expression", "expression": "columns.amount.numbers.mean > 100.0"}),
    "rich": ("orders", {"kind": "sql", "statement": "SELECT id FROM orders WHERE amount > 2990"}),
    "few": ("orders", {"kind": "sql", "statement": "SELECT count(*) FROM orders", "compare": "<", "value": 10}),
    "missing": ("orders", {"kind": "completeness", "column": "nobody"}),
    "broken": ("orders", {"kind": "sql", "statement": "SELECT id FROM nowhere"}),
}


async def made(scanner: Scanner, source: int, name: str, **more: Any) -> dict[str, Any]:
    dataset, condition = RULES[name]
    rule = {"name": name, "condition": condition, **more}
    answer = await scanner.ada.post("/scan-rules", json={"source_id": source, "dataset": dataset, "rule": rule})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_every_kind_of_rule_is_judged(database_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        for name in RULES:
            await made(scanner, source, name, severity="high" if name == "positive" else "low")
        scan = await scanner.scan(source, parts=["quality"], datasets=["orders", "customers"])
        results = await scanner.results(scan["id"], kind="quality")
        verdicts = {one["body"]["rule"]: one["body"]["verdict"] for one in results if one["dataset"] == "orders"}
        assert verdicts == {
            "present": "pass",
            "positive": "fail",
            "one each": "pass",
            "iso": "pass",
            "known": "pass",
            "sums": "pass",
            "size": "pass",
            "mean": "pass",
            "rich": "fail",
            "few": "fail",
            "missing": "not_evaluated",
            "broken": "not_evaluated",
        }
        by_rule = {one["body"]["rule"]: one["body"] for one in results if one["dataset"] == "orders"}
        assert (by_rule["positive"]["failing"], by_rule["positive"]["sample"]) == (1, ["1"])
        assert by_rule["positive"]["severity"] == "high"
        assert (by_rule["rich"]["failing"], set(by_rule["rich"]["sample"])) == (7, {"9999"})
        assert "nowhere" in by_rule["broken"]["reason"]
        [customers] = [one["body"] for one in results if one["dataset"] == "customers"]
        assert (customers["rule"], customers["verdict"]) == ("size", "fail")
        assert scan["summary"]["failed_rules"] == 4

    scan_with(database_url, tmp_path, scenario)


def test_a_rule_is_tried_on_its_source(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        rule = await made(scanner, source, "positive", threshold={"max_failing_rows": 3})
        tried = (await scanner.ada.post(f"/scan-rules/{rule['id']}/test", json={})).json()
        assert (tried["dataset"], tried["result"]["verdict"], tried["result"]["failing"]) == ("orders", "pass", 1)
        size = await made(scanner, source, "size")
        tried = (await scanner.ada.post(f"/scan-rules/{size['id']}/test", json={"dataset": "customers"})).json()
        assert (tried["dataset"], tried["result"]["verdict"]) == ("customers", "fail")
        other = await scanner.ada.post(f"/scan-rules/{rule['id']}/test", json={"dataset": "customers"})
        assert (other.status_code, other.json()["code"]) == (400, "nothing_matches")

    scan_with(engine_url, tmp_path, scenario)


def test_a_rule_cannot_write(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        condition = {"kind": "sql", "statement": "DELETE FROM orders"}
        body = {"source_id": source, "dataset": "orders", "rule": {"name": "x", "condition": condition}}
        rule = (await scanner.ada.post("/scan-rules", json=body)).json()
        tried = (await scanner.ada.post(f"/scan-rules/{rule['id']}/test", json={})).json()
        assert tried["result"]["verdict"] == "not_evaluated"
        scan = await scanner.scan(source, parts=["profile"], datasets=["orders"])
        assert scan["summary"]["rows"] == 2000

    scan_with(engine_url, tmp_path, scenario)


def test_what_could_never_be_judged_is_refused(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        for dataset, condition in (
            ("orders", {"kind": "range", "column": "amount"}),
            ("orders", {"kind": "row_count"}),
            ("orders", {"kind": "pattern", "column": "day", "pattern": "("}),
            ("orders", {"kind": "row_expression", "expression": "row.id +"}),
            ("ord*", {"kind": "sql", "statement": "SELECT 1"}),
            ("orders", {"kind": "referential", "column": "customer", "reference": "customers"}),
        ):
            body = {"source_id": source, "dataset": dataset, "rule": {"name": "x", "condition": condition}}
            answer = await scanner.ada.post("/scan-rules", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_rule"), condition

    scan_with(engine_url, tmp_path, scenario)


def test_a_stored_rule_that_cannot_fail_is_read_not_judged_and_disabled(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        rule = await made(scanner, source, "size")
        # As rules were stored when less was refused.
        old = '{"name": "size", "condition": {"kind": "row_count", "min": 0, "max": null}, "threshold": {}}'
        database = scanner.node.parts.database
        async with database.write() as connection:
            await scan_rules.change(connection, rule["id"], by="ada", at=NOW, rule=old)
        here = f"/scan-rules/{rule['id']}"
        assert (await scanner.ada.get(here)).json()["rule"]["condition"] == {
            "kind": "row_count",
            "min": 0,
            "max": None,
        }
        tried = (await scanner.ada.post(f"{here}/test", json={"dataset": "orders"})).json()["result"]
        assert tried["verdict"] == "not_evaluated"
        assert "a `max` or both" in tried["reason"]
        answer = await scanner.ada.patch(here, json={"enabled": False})
        assert (answer.status_code, answer.json()["enabled"]) == (200, False)

    scan_with(engine_url, tmp_path, scenario)


def test_rules_are_listed_changed_and_deleted(database_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        first, second = await made(scanner, source, "present"), await made(scanner, source, "size")
        listed = (await scanner.ada.get("/scan-rules", params={"workspace_id": "lab", "source_id": source})).json()
        assert listed["items"] == [first, second]
        here = f"/scan-rules/{first['id']}"
        changed = (await scanner.ada.patch(here, json={"enabled": False})).json()
        assert changed == {**first, "enabled": False}
        assert (await scanner.ada.get(here)).json() == changed
        scan = await scanner.scan(source, parts=["quality"], datasets=["orders"])
        assert [one["body"]["rule"] for one in await scanner.results(scan["id"], kind="quality")] == ["size"]
        named = await scanner.scan(source, parts=["quality"], datasets=["orders"], rules=[first["id"]])
        assert [one["body"]["rule"] for one in await scanner.results(named["id"], kind="quality")] == ["present"]
        assert (await scanner.node.client("vic").delete(here)).status_code == 403
        assert (await scanner.ada.delete(here)).status_code == 204
        assert (await scanner.ada.get(here)).status_code == 404

    scan_with(database_url, tmp_path, scenario)

"""What tells a value without showing one: a formula, that a column is the same as another, which of two it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from analysed import Analyst, analyse

STAFF = """
CREATE TABLE badges (code TEXT, door TEXT);
CREATE TABLE staff (id INTEGER PRIMARY KEY, monthly REAL, pay REAL, again REAL, team TEXT, code TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO staff SELECT i, 2000 + (i*i*i * 7919 + i * 17) % 1009, (2000 + (i*i*i * 7919 + i * 17) % 1009) * 12 + 500,
    (2000 + (i*i*i * 7919 + i * 17) % 1009) * 12 + 500, CASE i % 2 WHEN 0 THEN 'lab' ELSE 'office' END, 'code' || i
    FROM n;
INSERT INTO badges SELECT code, CASE id % 3 WHEN 0 THEN 'a' ELSE 'b' END FROM staff;
"""
SAME = ("duplicate", "identical")
RIGHTS = {"applies_to": {"everyone": True}, "except_for": {"roles": ["owner"]}}


async def keep_back(analyst: Analyst, **rights: Any) -> None:
    policy = {"workspace_id": "lab", "name": "one", "rights": RIGHTS | rights}
    made = await analyst.node.client("olga").post("/security/policies", json=policy)
    assert made.status_code == 201, made.text


async def ask(client: httpx.AsyncClient, kind: str, dataset_id: int, **asked: Any) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = await client.get(f"/analytics/{kind}/{dataset_id}", params=asked)
            assert found.status_code == 200, found.text
            if (answer := found.json())["state"] != "computing":
                return dict(answer)


def told(answer: dict[str, Any]) -> list[str]:
    """Which formulas and equal columns it tells."""
    result = answer["result"]
    return [each["formula"] for each in result["derived"]] + [
        str(each["columns"]) for each in result["duplicate_columns"]
    ]


def same(answer: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = answer["result"]["pairs"]
    return [(pair["a"], pair["b"]) for pair in pairs if pair["status"] in SAME or pair["relation"] in SAME]


def test_no_formula_of_a_masked_column_is_told_nor_that_it_is_the_same_as_another(
    sqlite_url: str, tmp_path: Path
) -> None:
    async def scenario(analyst: Analyst) -> None:
        staff = (await analyst.sqlite(STAFF))["staff"]
        olga, ada = analyst.node.client("olga"), analyst.ada
        whole = await ask(olga, "relationships", staff, others=0)
        paired = await ask(olga, "correlations", staff)
        assert any("12 * monthly" in formula for formula in told(whole))
        assert same(paired) == [("pay", "again")]
        await keep_back(analyst, columns={"names": ["pay"]})
        cut = await ask(ada, "relationships", staff, others=0)
        assert [formula for formula in told(cut) if "pay" in formula] == []
        again = await ask(ada, "correlations", staff)
        [pair] = [each for each in again["result"]["pairs"] if {each["a"], each["b"]} == {"pay", "again"}]
        assert (pair["status"], pair["effect"]) == ("deterministic", 1.0)
        assert same(again) == []
        for address in (f"/analytics/results/{whole['result_id']}", f"/analytics/results/{paired['result_id']}"):
            stored = (await ada.get(address)).json()["answer"]["result"]
            assert "12 * monthly + 500" not in str(stored)
            assert "duplicate'" not in str(stored.get("pairs"))
            found = (await ada.get(f"{address}/findings")).json()["items"]
            assert [each for each in found if each["type"] in ("derived", "duplicate_columns", "duplicate")] == []
        assert (await olga.get(f"/analytics/results/{whole['result_id']}")).json()["answer"]["result"] == whole[
            "result"
        ]

    analyse(sqlite_url, tmp_path, scenario)


def test_whoever_does_not_see_a_finding_is_not_told_that_it_is_there(sqlite_url: str, tmp_path: Path) -> None:
    """A fingerprint is a digest of what was found, and so of a guess as well."""

    async def scenario(analyst: Analyst) -> None:
        staff = (await analyst.sqlite(STAFF))["staff"]
        olga = analyst.node.client("olga")
        whole = await ask(olga, "relationships", staff, others=0)
        found = (await olga.get(f"/analytics/results/{whole['result_id']}/findings")).json()["items"]
        [guess] = [each["fingerprint"] for each in found if "pay = 12" in each["title"]] or [None]
        await keep_back(analyst, columns={"names": ["pay"]})
        address = f"/analytics/datasets/{staff}/verdicts/{guess}"
        assert (await analyst.ada.put(address, json={"verdict": "acknowledged"})).status_code == 404
        assert (await olga.put(address, json={"verdict": "acknowledged"})).status_code == 200

    analyse(sqlite_url, tmp_path, scenario)


def test_a_stored_answer_tells_nothing_of_other_datasets_that_are_kept_back(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        badges = (await analyst.sqlite(STAFF))["badges"]
        olga, ada = analyst.node.client("olga"), analyst.ada
        whole = await ask(olga, "relationships", badges)
        assert "staff" in str(whole["result"]["foreign_keys"])
        address = f"/analytics/results/{whole['result_id']}"
        assert (await ada.get(address)).json()["answer"]["result"] == whole["result"]
        await keep_back(analyst, columns={"names": ["pay"]}, effect="hide")
        cut = await ada.get(address)
        assert cut.status_code == 200
        assert "staff" not in cut.text
        assert "staff" not in (await ada.get(f"{address}/findings")).text
        assert (await olga.get(address)).json()["answer"]["result"] == whole["result"]

    analyse(sqlite_url, tmp_path, scenario)


def test_which_of_two_truth_values_a_row_has_is_not_told(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sql = "CREATE TABLE t AS SELECT i AS id, i % 3 = 0 AS member, sin(i) AS x FROM range(300) AS n(i)"
        table = (await analyst.duckdb(sql))["t"]
        asked = {"target": "member", "columns": ["member", "x"], "predictions": 5}
        whole = await ask(analyst.node.client("olga"), "predictions", table, **asked)
        assert set(whole["result"]["column"]["classes"]) == {"true", "false"}
        await keep_back(analyst, columns={"names": ["member"]})
        refused = await ask(analyst.ada, "predictions", table, **asked)
        assert (refused["result"], refused["error"]["code"]) == (None, "hidden_column")
        found = await ask(analyst.ada, "insights", table)
        assert {column["name"]: column["status"] for column in found["columns"]}["member"] == "hidden"
        assert "xxxx" not in str(found["result"])

    analyse(sqlite_url, tmp_path, scenario)


def test_which_rows_have_the_same_masked_text_is_not_told(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        staff = (await analyst.sqlite(STAFF))["staff"]
        asked = {"target": "team", "columns": ["team", "monthly"], "predictions": 5}
        whole = await ask(analyst.node.client("olga"), "predictions", staff, **asked)
        assert len(whole["result"]["column"]["predictions"]) == 5
        await keep_back(analyst, columns={"names": ["team"]})
        cut = await ask(analyst.ada, "predictions", staff, **asked)
        assert set(cut["result"]["column"]["classes"]) == {"xxxxxx #1", "xxx #2"}
        assert cut["result"]["column"]["predictions"] == []

    analyse(sqlite_url, tmp_path, scenario)

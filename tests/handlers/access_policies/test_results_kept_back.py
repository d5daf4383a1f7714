"""What scans stored, as those see it from whom some is kept back; and rules, which they make only about the rest."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from scanning import Scanner, scan_with, write_sqlite

from analysis.access_policies.policies import Effect, RowsOfUser
from analysis.access_policies.views import ByName, ColumnView, Reason, RowFilter, View
from handlers.withheld_results import shown_body

PATH = "/security/policies"
RIGHTS = {"applies_to": {"everyone": True}, "except_for": {"roles": ["owner"]}}


def kept(effect: Effect) -> ColumnView:
    return ColumnView(effect=effect, reasons=(Reason(policy_id=1, policy="pay", effect=effect, why="its name"),))


VIEW = View(
    user_id="ann",
    role="viewer",
    columns={"pay": kept(Effect.MASK), "plan": kept(Effect.HIDE)},
    known=frozenset({"pay", "plan", "city"}),
    by_name=(ByName(pattern="new*", effect=Effect.HIDE, policy="pay"),),
)
ROWS = View(
    user_id="ann", role="viewer", rows=(RowFilter(policy_id=2, policy="mine", condition=RowsOfUser(column="who")),)
)
PROFILE: dict[str, Any] = {
    "name": "it",
    "kind": "integer",
    "rows": 9,
    "nulls": 1,
    "distinct": 2,
    "top": [{"value": "Ab1", "count": 5, "share": 0.5}],
    "numbers": {"min": 7341927, "histogram": {"edges": [7341927], "counts": [1]}},
    "text": {"empty": 0, "formats": [{"value": "Ab1", "count": 5}], "lengths": {"min": 3}},
    "documents": {"keys": [{"key": "quokka"}]},
    "some_figure_of_tomorrow": "quokka",
}
RULE = {
    "rule": "r",
    "rule_id": 1,
    "severity": "low",
    "verdict": "fail",
    "checked": 9,
    "reason": "it was 7341927",
    "sample": ["Ab1"],
    "error": "Ab1",
}
SECRETS = ("7341927", "Ab1", "quokka")


def body(kind: str, column: str | None, view: View, given: dict[str, Any], *, source_is_open: bool = False) -> Any:
    return shown_body(kind, column, given, view, source_is_open=source_is_open)


@pytest.mark.parametrize("column", ["pay", "plan", "new_one"])
def test_a_profile_that_is_kept_back_holds_no_value_not_even_of_figures_of_tomorrow(column: str) -> None:
    told = body("profile", column, VIEW, PROFILE)
    assert not [secret for secret in SECRETS if secret in str(told)]
    assert "'pay'" in told["withheld"]
    assert (told["name"], told["kind"]) == ("it", "integer")


def test_what_is_masked_tells_shapes_and_what_is_hidden_nothing() -> None:
    masked, hidden = body("profile", "pay", VIEW, PROFILE), body("profile", "plan", VIEW, PROFILE)
    assert masked["top"] == [{"value": "Xx9", "count": 5, "share": 0.5}]
    assert masked["text"] == {"empty": 0, "lengths": {"min": 3}}
    assert masked["distinct"] == 2
    assert hidden.keys() == {"name", "kind", "withheld"}


def test_what_is_not_kept_back_is_told_as_it_is() -> None:
    for kind, column in (("profile", "city"), ("quality", "city"), ("discovery", None), ("profile", None)):
        assert body(kind, column, VIEW, PROFILE) == PROFILE
    assert body("profile", "pay", VIEW, PROFILE, source_is_open=True) == PROFILE


def test_who_sees_some_rows_is_told_nothing_that_all_rows_made() -> None:
    told = [
        body("profile", "city", ROWS, PROFILE),
        body("profile", None, ROWS, {"rows": 9, "candidate_keys": ["Ab1"], "numbers": 7341927}),
        body("quality", "city", ROWS, RULE),
        body("quality", None, ROWS, RULE),
        body("classification", "city", ROWS, {"type": "t", "title": "T", "examples": ["Ab1"], "how": "quokka"}),
    ]
    assert not [secret for secret in SECRETS for each in told if secret in str(each)]
    assert all("'mine'" in each["withheld"] for each in told)
    assert "checked" not in told[2]


def test_of_a_rule_only_whether_it_holds_is_told_where_it_may_have_looked_at_what_is_kept_back() -> None:
    for column in ("pay", "plan", None):
        told = body("quality", column, VIEW, RULE)
        assert (told["verdict"], told["checked"]) == ("fail", 9)
        assert not [secret for secret in SECRETS if secret in str(told)]


def test_the_watermark_of_a_scan_is_a_value_too() -> None:
    outcome = {"state": "succeeded", "after": "7341927", "rows": 9}
    assert body("dataset", None, VIEW, outcome) == {"state": "succeeded", "after": None, "rows": 9}
    assert body("dataset", None, View(), outcome) == outcome


def test_results_and_the_catalog_are_cut_and_so_are_rules_of_those_who_see_less(
    sqlite_url: str, tmp_path: Path
) -> None:
    rows = [(number, f"zanzibar{number % 2}", number * 10) for number in range(1, 51)]
    file = write_sqlite(
        tmp_path / "plans.sqlite3",
        "CREATE TABLE plans (id INTEGER PRIMARY KEY, plan TEXT, size INTEGER)",
        rows=[("INSERT INTO plans VALUES (?, ?, ?)", rows)],
    )

    async def scenario(scanner: Scanner) -> None:
        admin = scanner.node.client("admin")
        source = await scanner.source("plans", "sqlite", path=str(file))
        scan = await scanner.scan(source)
        assert "zanzibar1" in str(await scanner.results(scan["id"]))
        for name, rights in (
            ("one", {"columns": {"names": ["plan"]}}),
            ("other", {"columns": {"names": ["size"]}, "effect": "hide"}),
        ):
            made = await admin.post(PATH, json={"workspace_id": "lab", "name": name, "rights": RIGHTS | rights})
            assert made.status_code == 201, made.text
        results = {(each["kind"], each["column"]): each["body"] for each in await scanner.results(scan["id"])}
        assert "zanzibar" not in str(results)
        assert results["profile", "plan"]["top"][0]["value"] == "xxxxxxxx9"
        assert results["profile", "size"].keys() == {"name", "kind", "withheld"}
        assert results["profile", "id"]["numbers"]["max"] == 50
        whole = (await admin.get(f"/scans/{scan['id']}/results")).text
        assert "zanzibar1" in whole

        refused: list[dict[str, Any]] = [
            {"kind": "sql", "statement": "SELECT max(size) FROM plans", "compare": "<", "value": 1},
            {"kind": "row_expression", "expression": "row.id > 1"},
            {"kind": "profile_expression", "expression": "table.rows > 1"},
            {"kind": "range", "column": "size", "min": 1},
            {"kind": "allowed_values", "column": "plan", "values": ["zanzibar0"]},
            {"kind": "uniqueness", "columns": ["id", "plan"]},
            {"kind": "referential", "column": "id", "reference": "plans.size"},
        ]
        await discovered(scanner, source)
        for condition in refused:
            tried = await made_rule(scanner.ada, source, condition)
            assert (tried.status_code, tried.json()["code"]) == (403, "kept_back"), (condition, tried.text)
        allowed = await made_rule(scanner.ada, source, {"kind": "range", "column": "id", "max": 10})
        assert allowed.status_code == 201, allowed.text
        other = {"rule": {"name": "r", "condition": refused[3]}}
        changed = await scanner.ada.patch(f"/scan-rules/{allowed.json()['id']}", json=other)
        assert changed.status_code == 403
        theirs = (await made_rule(admin, source, refused[0])).json()["id"]
        tried = await scanner.ada.post(f"/scan-rules/{theirs}/test", json={})
        assert tried.status_code == 200, tried.text
        assert tried.json()["result"]["verdict"] == "fail"
        assert "500" not in tried.text
        assert "500" in (await admin.post(f"/scan-rules/{theirs}/test", json={})).text

    scan_with(sqlite_url, tmp_path, scenario)


async def discovered(scanner: Scanner, source: int) -> None:
    begun = await scanner.ada.post(f"/data-sources/{source}/discover")
    assert begun.is_success, begun.text
    await scanner.run_when_over(begun.json()["run_id"])


async def made_rule(client: Any, source: int, condition: dict[str, Any]) -> Any:
    rule = {"name": "r", "condition": condition}
    return await client.post("/scan-rules", json={"source_id": source, "dataset": "plans", "rule": rule})


def test_no_rule_asks_a_table_that_the_catalog_does_not_know_yet(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        file = write_sqlite(tmp_path / "plans.sqlite3", "CREATE TABLE plans (id INTEGER PRIMARY KEY, size INTEGER)")
        source = await scanner.source("plans", "sqlite", path=str(file))
        await discovered(scanner, source)
        rights = RIGHTS | {"columns": {"names": ["size"]}}
        policy = {"workspace_id": "lab", "name": "one", "dataset": "p*", "rights": rights}
        assert (await scanner.node.client("admin").post(PATH, json=policy)).status_code == 201

        async def tried(dataset: str, condition: dict[str, Any]) -> int:
            rule = {"source_id": source, "dataset": dataset, "rule": {"name": "r", "condition": condition}}
            return (await scanner.ada.post("/scan-rules", json=rule)).status_code

        sized = {"kind": "range", "column": "size", "min": 1}
        for dataset in ("projects", "proj*", "*s", "[p]rojects"):
            assert await tried(dataset, sized) == 403, dataset
        assert await tried("others", {"kind": "referential", "column": "id", "reference": "projects.size"}) == 403
        for dataset in ("others", "o*"):
            assert await tried(dataset, sized) == 201, dataset
        assert await tried("p*", {"kind": "range", "column": "id", "min": 1}) == 201

    scan_with(sqlite_url, tmp_path, scenario)


def test_the_shape_of_a_truth_value_is_the_value() -> None:
    truths = {"name": "pay", "kind": "boolean", "distinct": 2, "top": [{"value": "true", "count": 5, "share": 0.5}]}
    told = body("profile", "pay", VIEW, truths)
    assert (told["top"], told["distinct"]) == ([], 2)


def test_a_scan_of_one_row_finds_less_and_lifts_no_policy(database_url: str, tmp_path: Path) -> None:
    rows = [(number, f"person{number}@example.org" if number > 50 else None) for number in range(200)]
    file = write_sqlite(
        tmp_path / "people.sqlite3",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, contact TEXT)",
        rows=[("INSERT INTO people VALUES (?, ?)", rows)],
    )

    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("people", "sqlite", path=str(file))
        await discovered(scanner, source)
        [dataset] = (
            await scanner.ada.get("/catalog/datasets", params={"workspace_id": "lab", "source_id": source})
        ).json()["items"]
        rights = RIGHTS | {"columns": {"classifications": ["email"]}}
        policy = {"workspace_id": "lab", "name": "one", "rights": rights}
        assert (await scanner.node.client("admin").post(PATH, json=policy)).status_code == 201

        async def effect() -> str | None:
            seen = await scanner.ada.get("/security/policies/effective", params={"dataset_id": dataset["id"]})
            effects: dict[str, str | None] = {each["name"]: each["effect"] for each in seen.json()["columns"]}
            return effects["contact"]

        assert await effect() is None
        await scanner.scan(source)
        assert await effect() == "mask"
        for asked in ({"sample_rows": 1}, {"parts": ["classification"], "sample_rows": 1}):
            await scanner.scan(source, **asked)
            assert await effect() == "mask", asked
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE people SET contact = 'nothing'")
        await scanner.scan(source)
        assert await effect() is None

    scan_with(database_url, tmp_path, scenario)

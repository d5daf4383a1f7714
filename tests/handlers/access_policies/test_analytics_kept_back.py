"""Analyses of a dataset of which some is kept back: other answers for others, and never those of others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from analysed import SALES, Analyst, analyse, until

from handlers.catalogue import OPERATIONS
from handlers.changes import Changed
from handlers.policy_views import TOPIC

PATH = "/security/policies"
ASKED = {f"analytics.{kind}" for kind in ("correlations", "insights", "predictions", "relationships")}
RIGHTS = {"applies_to": {"everyone": True}, "except_for": {"roles": ["owner"]}}


async def keep_back(analyst: Analyst, name: str = "one", **rights: Any) -> dict[str, Any]:
    made = await analyst.node.client("olga").post(
        PATH, json={"workspace_id": "lab", "name": name, "rights": RIGHTS | rights}
    )
    assert made.status_code == 201, made.text
    return dict(made.json())


async def ask(client: httpx.AsyncClient, kind: str, dataset_id: int, **asked: Any) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = await client.get(f"/analytics/{kind}/{dataset_id}", params=asked)
            assert found.status_code == 200, found.text
            if (answer := found.json())["state"] != "computing":
                return dict(answer)


def statuses(answer: dict[str, Any]) -> dict[str, str]:
    return {column["name"]: column["status"] for column in answer["columns"]}


def test_a_column_that_is_hidden_takes_no_part_and_one_that_is_masked_tells_no_value(
    sqlite_url: str, tmp_path: Path
) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        olga = analyst.node.client("olga")
        whole = await ask(olga, "insights", sales)
        await keep_back(analyst, "hide", columns={"names": ["cost"]}, effect="hide")
        await keep_back(analyst, "mask", columns={"names": ["region"]})
        cut = await ask(analyst.ada, "insights", sales)
        assert "cost" in statuses(whole)
        assert "cost" not in statuses(cut)
        assert statuses(cut)["region"] == "hidden"
        pairs = (await ask(analyst.ada, "correlations", sales))["result"]["pairs"]
        told = {name for pair in pairs for name in (pair["a"], pair["b"])}
        assert "price" in told
        assert "cost" not in told
        asked = await analyst.ada.get(f"/analytics/correlations/{sales}", params={"columns": ["cost", "price"]})
        assert (asked.status_code, asked.json()["code"]) == (400, "no_such_column")
        await keep_back(analyst, "numbers", columns={"names": ["price"]})
        refused = await ask(analyst.ada, "predictions", sales, target="price", columns=["price", "noise"])
        assert refused["error"]["code"] == "hidden_column"
        assert (await ask(olga, "insights", sales))["result_id"] == whole["result_id"]

    analyse(sqlite_url, tmp_path, scenario)


def test_answers_of_those_who_see_more_are_not_given_to_others(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        olga = analyst.node.client("olga")
        await keep_back(analyst, columns={"names": ["region"]}, effect="hide")
        whole = (await ask(olga, "insights", sales))["result_id"]
        cut = (await ask(analyst.ada, "insights", sales))["result_id"]
        for address in (f"/analytics/results/{whole}", f"/analytics/results/{whole}/findings"):
            assert (await olga.get(address)).status_code == 200
            refused = await analyst.ada.get(address)
            assert (refused.status_code, refused.json()["code"]) == (409, "now_hidden")
        for pair in (f"{cut}/diff/{whole}", f"{whole}/diff/{cut}"):
            assert (await analyst.ada.get(f"/analytics/results/{pair}")).status_code == 409
        assert (await analyst.ada.get(f"/analytics/results/{cut}")).status_code == 200

    analyse(sqlite_url, tmp_path, scenario)


def test_only_rows_are_analysed_that_whoever_asks_may_see(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        olga, eve = analyst.node.client("olga"), analyst.node.client("eve")
        where = '(user.id == "ada" && row.region == "north") || (user.id == "eve" && row.region == "south")'
        await keep_back(analyst, rows={"type": "where", "expression": where})
        seen = {
            name: await ask(client, "correlations", sales)
            for name, client in (("olga", olga), ("ada", analyst.ada), ("eve", eve))
        }
        assert {name: answer["rows"]["read"] for name, answer in seen.items()} == {"olga": 600, "ada": 200, "eve": 200}
        assert seen["ada"]["rows"]["total"] == 200
        assert len({answer["result_id"] for answer in seen.values()}) == 3
        assert any("access policies" in note for note in seen["ada"]["notes"])
        # Without the column by which rows are told apart among those that were asked for.
        some = await ask(analyst.ada, "correlations", sales, columns=["price", "cost"])
        assert some["rows"]["read"] == 200
        assert statuses(some).keys() == {"price", "cost"}
        summed = {"method": "pearson", "at_source": "always"}
        assert "by the source" in (await ask(olga, "correlations", sales, **summed))["rows"]["method"]
        assert (await ask(analyst.ada, "correlations", sales, **summed))["rows"]["read"] == 200
        sampled = await ask(analyst.ada, "correlations", sales, rows=300)
        assert 50 < sampled["rows"]["read"] < 150
        assert sampled["rows"]["total"] is None
        for name, client in (("ada", eve), ("olga", eve), ("eve", analyst.ada)):
            refused = await client.get(f"/analytics/results/{seen[name]['result_id']}")
            assert (refused.status_code, refused.json()["code"]) == (409, "now_hidden")

    analyse(sqlite_url, tmp_path, scenario)


def test_a_condition_that_cannot_be_evaluated_shows_no_row(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        await keep_back(analyst, rows={"type": "where", "expression": "row.no_such_column != 1"})
        answer = await ask(analyst.ada, "correlations", sales)
        assert answer["rows"]["read"] == 0

    analyse(sqlite_url, tmp_path, scenario)


def test_a_policy_is_in_force_at_once_and_as_long_as_it_is_there(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        olga = analyst.node.client("olga")

        async def seen() -> str:
            return statuses(await ask(analyst.ada, "insights", sales))["region"]

        assert await seen() == "ok"
        policy = await keep_back(analyst, columns={"names": ["region"]})
        one = f"{PATH}/{policy['id']}"
        assert await seen() == "hidden"
        await olga.patch(one, json={"enabled": False})
        assert await seen() == "ok"
        await olga.patch(one, json={"enabled": True, "rights": RIGHTS | {"columns": {"tags": ["inner"]}}})
        assert await seen() == "ok"
        await olga.patch(f"/catalog/datasets/{sales}/columns/region", json={"tags": ["inner"]})
        assert await seen() == "hidden"
        await olga.delete(one)
        assert await seen() == "ok"

    analyse(sqlite_url, tmp_path, scenario)


def test_whoever_watches_is_answered_anew_when_a_policy_is_made_changed_or_deleted(
    sqlite_url: str, tmp_path: Path
) -> None:
    watched = [each.watched for each in OPERATIONS if each.name in ASKED and each.watched is not None]
    assert len(watched) == len(ASKED)
    assert all(TOPIC in each.topics and each.is_personal for each in watched)

    async def scenario(analyst: Analyst) -> None:
        heard: list[Changed] = []
        analyst.node.parts.changes.listen(heard.append)
        one = f"{PATH}/{(await keep_back(analyst, columns={'names': ['price']}))['id']}"
        olga = analyst.node.client("olga")
        for done in (None, olga.patch(one, json={"enabled": False}), olga.delete(one)):
            if done is not None:
                assert (await done).is_success
            await until(lambda: Changed(TOPIC, "lab") in heard, "the change is told")
            heard.clear()

    analyse(sqlite_url, tmp_path, scenario)

"""Policies made and changed by those who manage a workspace, and what they say of who sees what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from analysed import SALES, Analyst, analyse

from handlers.access import Role

PATH = "/security/policies"
PRICES = {"applies_to": {"everyone": True}, "except_for": {"roles": ["owner"]}, "columns": {"names": ["price"]}}


def asked(name: str = "prices", **more: Any) -> dict[str, Any]:
    return {"workspace_id": "lab", "name": name, "rights": PRICES} | more


def test_whoever_manages_makes_looks_at_changes_and_deletes_one(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        olga = analyst.node.client("olga")
        made = await olga.post(PATH, json=asked(dataset="main.*", priority=3))
        assert made.status_code == 201, made.text
        policy = made.json()
        assert policy["rights"]["effect"] == "mask"
        assert (policy["created_by"], policy["priority"], policy["enabled"]) == ("olga", 3, True)
        one = f"{PATH}/{policy['id']}"
        assert (await olga.get(one)).json() == policy
        changed = (await olga.patch(one, json={"enabled": False, "rights": PRICES | {"effect": "hide"}})).json()
        assert (changed["enabled"], changed["rights"]["effect"], changed["name"]) == (False, "hide", "prices")
        assert (await olga.get(PATH, params={"workspace_id": "lab"})).json()["items"] == [changed]
        again = await olga.post(PATH, json=asked())
        assert (again.status_code, again.json()["code"]) == (409, "name_taken")
        other = (await olga.post(PATH, json=asked("other"))).json()
        taken = await olga.patch(f"{PATH}/{other['id']}", json={"name": "prices"})
        assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
        assert (await olga.delete(one)).status_code == 204
        assert (await olga.get(one)).status_code == 404
        told = [(entry.action, entry.details.get("name")) for entry in await analyst.node.audited()]
        assert ("security.policies.update", "prices") in told
        assert ("security.policies.delete", "prices") in told

    analyse(sqlite_url, tmp_path, scenario)


def test_who_does_not_manage_learns_no_policy_and_changes_none(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        policy = (await analyst.node.client("olga").post(PATH, json=asked())).json()
        one = f"{PATH}/{policy['id']}"
        for client in (analyst.ada, analyst.node.client("eve")):
            answers = [
                await client.get(PATH, params={"workspace_id": "lab"}),
                await client.post(PATH, json=asked("mine")),
                await client.get(one),
                await client.patch(one, json={"enabled": False}),
                await client.delete(one),
            ]
            assert [answer.status_code for answer in answers] == [403] * 5
        await analyst.node.make_user("stranger")
        stranger, nowhere = analyst.node.client("stranger"), f"{PATH}/987654321"
        for method, body in (("GET", None), ("PATCH", {"enabled": False}), ("DELETE", None)):
            there, not_there = [await stranger.request(method, each, json=body) for each in (one, nowhere)]
            assert there.status_code == not_there.status_code == 404
            assert there.json()["detail"].replace(str(policy["id"]), "987654321") == not_there.json()["detail"]
        assert (await stranger.get(PATH, params={"workspace_id": "lab"})).status_code == 404
        assert (await stranger.post(PATH, json=asked("mine"))).status_code == 404
        sales = (await analyst.sqlite(SALES))["sales"]
        assert (await stranger.get(f"{PATH}/effective", params={"dataset_id": sales})).status_code == 404

    analyse(sqlite_url, tmp_path, scenario)


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        ({"applies_to": {}, "columns": {"names": ["a"]}}, "applies_to"),
        ({"applies_to": {"everyone": True}}, "columns"),
        ({"applies_to": {"everyone": True}, "columns": {}}, "columns"),
        ({"applies_to": {"everyone": True}, "rows": {"type": "where", "expression": "row.a =="}}, "rows"),
        (
            {"applies_to": {"everyone": True}, "effect": "hide", "rows": {"type": "of_user", "column": "a"}},
            "effect",
        ),
    ],
)
def test_one_that_would_keep_nothing_back_is_refused(
    sqlite_url: str, tmp_path: Path, rights: dict[str, Any], said: str
) -> None:
    async def scenario(analyst: Analyst) -> None:
        answer = await analyst.node.client("olga").post(PATH, json=asked(rights=rights))
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_policy")
        assert answer.json()["detail"].startswith(f"rights.{said}")

    analyse(sqlite_url, tmp_path, scenario)


def test_of_another_workspaces_source_there_is_no_policy(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        await analyst.sqlite(SALES)
        olga = analyst.node.client("olga")
        await analyst.node.make_workspace("attic", olga=Role.OWNER)
        sources = (await olga.get("/data-sources", params={"workspace_id": "lab"})).json()["items"]
        there = await olga.post(PATH, json=asked(workspace_id="attic", source_id=sources[0]["id"]))
        assert there.status_code == 404
        here = await olga.post(PATH, json=asked(source_id=sources[0]["id"]))
        assert here.status_code == 201

    analyse(sqlite_url, tmp_path, scenario)


def test_what_somebody_sees_is_told_with_the_reason(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        olga = analyst.node.client("olga")
        north = {"type": "where", "expression": 'row.region == "north"'}
        rights = {"applies_to": {"roles": ["viewer"]}, "columns": {"names": ["p*"]}, "effect": "hide", "rows": north}
        first = (await olga.post(PATH, json=asked())).json()
        second = (await olga.post(PATH, json=asked("viewers", rights=rights, priority=9))).json()

        async def seen(user_id: str) -> dict[str, Any]:
            answer = await olga.get(f"{PATH}/effective", params={"dataset_id": sales, "user_id": user_id})
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        eve, ada, own = await seen("eve"), await seen("ada"), await seen("olga")
        price = {column["name"]: column for column in eve["columns"]}["price"]
        assert (eve["role"], price["effect"]) == ("viewer", "hide")
        assert [reason["policy_id"] for reason in price["reasons"]] == [second["id"], first["id"]]
        assert "its name is like 'p*'" in price["reasons"][0]["why"]
        assert [rows["condition"] for rows in eve["rows"]] == ['row.region == "north"']
        assert {column["name"]: column["effect"] for column in ada["columns"]}["price"] == "mask"
        assert ada["rows"] == []
        assert {column["effect"] for column in own["columns"]} == {None}
        mine = await analyst.node.client("eve").get(f"{PATH}/effective", params={"dataset_id": sales})
        assert mine.json() == eve
        others = await analyst.node.client("eve").get(
            f"{PATH}/effective", params={"dataset_id": sales, "user_id": "ada"}
        )
        assert others.status_code == 403

    analyse(sqlite_url, tmp_path, scenario)


def test_an_editor_lifts_no_policy_by_taking_a_label_away(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        olga, column = analyst.node.client("olga"), f"/catalog/datasets/{sales}/columns/price"
        assert (await olga.patch(column, json={"tags": ["inner"], "sensitivity": "restricted"})).status_code == 200
        chosen = {"tags": ["inner"], "sensitivities": ["restricted"]}
        await olga.post(PATH, json=asked(rights=PRICES | {"columns": chosen}))
        tried = [
            await analyst.ada.patch(column, json={"tags": []}),
            await analyst.ada.patch(column, json={"sensitivity": "public"}),
            await analyst.ada.patch(f"/catalog/datasets/{sales}", json={"columns": {"price": {"tags": ["new"]}}}),
        ]
        assert [answer.status_code for answer in tried] == [403] * 3
        added = await analyst.ada.patch(column, json={"tags": ["inner", "new"]})
        assert added.status_code == 200
        assert (await olga.patch(column, json={"tags": []})).status_code == 200

    analyse(sqlite_url, tmp_path, scenario)


def test_nor_by_taking_one_from_the_source(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        olga = analyst.node.client("olga")
        source = (await olga.get(f"/catalog/datasets/{sales}")).json()["source_id"]
        address = f"/data-sources/{source}/tags"
        assert (await analyst.ada.put(address, json={"tags": ["inner", "shop"]})).status_code == 200
        await olga.post(PATH, json=asked(rights=PRICES | {"columns": {"tags": ["inner"]}}))
        refused = await analyst.ada.put(address, json={"tags": ["shop"]})
        assert refused.status_code == 403
        assert (await analyst.ada.get(address)).json()["tags"] == ["inner", "shop"]
        assert (await analyst.ada.put(address, json={"tags": ["inner", "new"]})).status_code == 200
        assert (await olga.put(address, json={"tags": []})).status_code == 200

    analyse(sqlite_url, tmp_path, scenario)


def test_nobody_is_excepted_who_is_not_there(sqlite_url: str, tmp_path: Path) -> None:
    """Whoever comes first from the provider may be called so."""

    async def scenario(analyst: Analyst) -> None:
        olga = analyst.node.client("olga")
        for users, status in (["ada"], 201), (["ada", "nobody-yet"], 400):
            rights = PRICES | {"except_for": {"users": users}}
            made = await olga.post(PATH, json=asked(rights=rights, name=f"{len(users)}"))
            assert made.status_code == status, made.text
        assert made.json()["code"] == "bad_policy"
        [policy] = (await olga.get(PATH, params={"workspace_id": "lab"})).json()["items"]
        changed = await olga.patch(f"{PATH}/{policy['id']}", json={"rights": rights})
        assert changed.status_code == 400
        assert (await olga.get(f"{PATH}/{policy['id']}")).json()["rights"]["except_for"]["users"] == ["ada"]

    analyse(sqlite_url, tmp_path, scenario)

"""The health of sources over both databases."""

from datetime import timedelta

from governed import Read, discover, make_source, scan, table
from http_node import START, Node, play

from handlers.access import Role

HERE = "/dashboard/data-sources"


def test_each_source_has_its_line(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        shop = await make_source(node, "shop", test={"ok": True})
        await make_source(node, "new")
        mail, name = ("mail", "PII", "email"), ("mail", "PII", "name")
        await discover(node, shop, table("a", "mail"), table("b", "x"))
        rules = [("pass", "low"), ("fail", "high"), ("pass", "low"), ("not_evaluated", "low")]
        await scan(node, shop, Read("a", sensitive=[mail, name], rules=rules), Read("b"))
        failed = await scan(node, shop, state="failed", at=START + timedelta(minutes=30))
        node.clock = START + timedelta(hours=1)
        page = (await node.client("ada").get(HERE, params={"workspace_id": "lab"})).json()
        first, second = page["items"]
        assert first == {
            "id": shop,
            "name": "shop",
            "kind": "sqlite",
            "as_of": "2026-03-01T10:00:00Z",
            "tested_at": "2026-03-01T09:00:00Z",
            "test_ok": True,
            "discovered_at": "2026-03-01T09:00:00Z",
            "datasets": 2,
            "dataset_errors": 0,
            "last_scan": {
                "id": failed,
                "state": "failed",
                "finished_at": "2026-03-01T09:30:00Z",
                "error_code": None,
                "error_message": None,
            },
            "succeeded_at": "2026-03-01T09:00:00Z",
            "age_seconds": 3600,
            "sensitive_columns": 1,
            "failed_rules": 1,
            "quality": 0.6667,
        }
        measured = set(second) - {"id", "name", "kind", "as_of"}
        assert {name: second[name] for name in measured} == dict.fromkeys(measured)
        assert page["next_cursor"] is None

    play(database_url, scenario)


def test_a_source_without_findings_has_none_and_not_null(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        shop = await make_source(node, "shop")
        await scan(node, shop, Read("a"))
        [line] = (await node.client("ada").get(HERE, params={"workspace_id": "lab"})).json()["items"]
        assert (line["sensitive_columns"], line["quality"], line["datasets"]) == (0, None, None)

    play(database_url, scenario)


def test_it_is_paged(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        for number in range(3):
            await make_source(node, f"s{number}")
        ada = node.client("ada")
        first = (await ada.get(HERE, params={"workspace_id": "lab", "limit": 2})).json()
        rest = {"workspace_id": "lab", "limit": 2, "cursor": first["next_cursor"]}
        second = (await ada.get(HERE, params=rest)).json()
        assert [item["name"] for item in first["items"] + second["items"]] == ["s0", "s1", "s2"]
        assert second["next_cursor"] is None

    play(database_url, scenario)

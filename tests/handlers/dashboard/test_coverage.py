"""How much of the catalog is described, over both databases."""

from governed import Read, discover, make_source, scan, table
from http_node import Node, play

from handlers.access import Role
from storage import catalog, catalog_labels


def test_everything_is_counted_of_everything_that_is_there(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        shop = await make_source(node, "shop")
        tables = [table("a", "x", "y", comment="All of a"), table("b", "x"), table("c", "x")]
        ids = await discover(node, shop, *tables, table("gone", "x"))
        async with node.parts.database.write() as connection:
            term = await catalog_labels.create_term(connection, "lab", "Sale", "", by="ada", at=node.clock)
            for name in ("a", "b", "gone"):
                await catalog_labels.set_labels(connection, ids[name], "owner", ["ada", "bob"])
            await catalog_labels.set_labels(connection, ids["a"], "tag", ["gold"])
            await catalog_labels.set_labels(connection, ids["b"], "tag", ["key"], column="x")
            await catalog_labels.set_terms(connection, ids["c"], [term.id])
            await catalog_labels.set_terms(connection, ids["c"], [term.id], column="x")
            await catalog.set_sensitivity(connection, ids["a"], "internal")
            await catalog.set_sensitivity(connection, ids["a"], "secret", column="y")
        await discover(node, shop, *tables)
        await scan(node, shop, Read("a"), Read("b"), Read("gone"))
        told = (await node.client("ada").get("/dashboard/metadata", params={"workspace_id": "lab"})).json()
        datasets = {name: (share["count"], share["total"]) for name, share in told["datasets"].items()}
        assert datasets == {
            "description": (0, 3),
            "comment": (1, 3),
            "description_or_comment": (1, 3),
            "owner": (2, 3),
            "tag": (1, 3),
            "term": (1, 3),
            "sensitivity": (1, 3),
            "scanned": (2, 3),
        }
        assert told["datasets"]["owner"]["share"] == 0.6667
        columns = {name: (share["count"], share["total"]) for name, share in told["columns"].items()}
        assert columns == {"comment": (0, 4), "tag": (1, 4), "term": (1, 4), "sensitivity": (1, 4)}

    play(database_url, scenario)


def test_of_nothing_there_is_no_share(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        told = (await node.client("ada").get("/dashboard/metadata", params={"workspace_id": "lab"})).json()
        assert told["datasets"]["owner"] == {"count": 0, "total": 0, "share": None}

    play(database_url, scenario)

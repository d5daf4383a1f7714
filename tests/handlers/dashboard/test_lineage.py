"""The shape of a workspace's lineage over both databases."""

from typing import Any

from governed import discover, make_source, table
from http_node import Node, play

from handlers.access import Role
from storage import data_sources, lineage_edges
from storage.lineage_edges import Edge


async def look(node: Node) -> dict[str, Any]:
    answer = await node.client("ada").get("/dashboard/lineage", params={"workspace_id": "lab"})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def names(nodes: list[dict[str, Any]]) -> list[str]:
    return [node["name"] or node["node"] for node in nodes]


def test_an_empty_graph_has_a_shape(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        told = await look(node)
        assert (told["datasets"], told["flows"], told["longest_chain"], told["most_used"]) == (0, 0, [], [])

    play(database_url, scenario)


def test_the_graph_in_numbers(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        shop, gone = await make_source(node, "shop"), await make_source(node, "gone")
        ids = await discover(node, shop, *(table(name, "x", "y") for name in "abcdefg"))
        other = await discover(node, gone, table("z", "x"))

        def edge(source: str, target: str, column: str = "") -> Edge:
            ends = [lineage_edges.dataset_node(ids[name]) for name in (source, target)]
            return Edge(ends[0], column, ends[1], column, "direct")

        async with node.parts.database.write() as connection:
            heard = await lineage_edges.ensure_external(connection, "lab", "kafka://x", "topic", at=node.clock)
            # Two columns are one flow; d and e are a cycle; f depends on itself.
            views = [edge("a", "b", "x"), edge("a", "b", "y"), edge("a", "c"), edge("b", "d")]
            views += [edge("d", "e"), edge("e", "d"), edge("f", "f")]
            await lineage_edges.replace(connection, "lab", "view", "1", views)
            await lineage_edges.replace(connection, "lab", "foreign_key", "1", [edge("e", "a", "x"), edge("g", "a")])
            outside = lineage_edges.external_node(heard.id)
            told_of = Edge(outside, "", lineage_edges.dataset_node(ids["a"]), "", "direct")
            lost = Edge(lineage_edges.dataset_node(other["z"]), "", lineage_edges.dataset_node(ids["g"]), "", "direct")
            await lineage_edges.replace(connection, "lab", "openlineage", "job", [told_of, lost])
            await data_sources.delete(connection, gone, at=node.clock)
        told = await look(node)
        assert (told["datasets"], told["connected"], told["externals"], told["unconnected"]) == (7, 6, 1, 1)
        assert (told["flows"], told["self_flows"], told["roots"], told["leaves"]) == (7, 1, 1, 1)
        assert names(told["longest_chain"]) == [outside, "main.a", "main.b", "main.d"]
        assert (told["cycle_count"], [names(cycle) for cycle in told["cycles"]]) == (1, [["main.d", "main.e"]])
        used = [(used["node"]["name"], used["users"]) for used in told["most_used"]]
        assert used == [("main.a", 2), (None, 1), ("main.b", 1), ("main.d", 1), ("main.e", 1)]
        assert told["origins"] == [
            {"origin": "foreign_key", "edges": 2, "column_edges": 1},
            {"origin": "openlineage", "edges": 2, "column_edges": 0},
            {"origin": "view", "edges": 7, "column_edges": 2},
        ]
        assert told["is_cut"] is False

    play(database_url, scenario)

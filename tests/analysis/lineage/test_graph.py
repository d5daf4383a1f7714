"""What lies upstream and downstream, also where views read each other in a circle."""

from __future__ import annotations

import random

import pytest

from analysis.lineage.edges import Edge, ForeignKey, Kind, foreign_key_edges
from analysis.lineage.graph import LineageGraph, Reach
from analysis.lineage.names import Catalog, ColumnRef, TableName
from analysis.lineage.statements import lineage_of

SQL = """
CREATE TABLE orders (id int, total int, status text);
CREATE VIEW clean AS SELECT id, total FROM orders WHERE status = 'paid';
CREATE VIEW daily AS SELECT sum(total) AS revenue, count(id) AS n FROM clean;
CREATE VIEW report AS SELECT revenue * 2 AS doubled FROM daily;
"""


def graph() -> LineageGraph:
    return LineageGraph.of(lineage_of(SQL, Catalog()))


def column(name: str) -> ColumnRef:
    table, _, column = name.partition(".")
    return ColumnRef((table,), column)


def shown(reach: Reach) -> dict[str, tuple[int, bool]]:
    return {str(each.column): (each.distance, each.is_direct) for each in reach.columns}


def test_downstream_step_by_step() -> None:
    one = graph().downstream(column("orders.total"))
    assert (shown(one), one.is_cut) == ({"clean.total": (1, True)}, True)
    two = graph().downstream(column("orders.total"), depth=2)
    assert shown(two) == {"clean.total": (1, True), "daily.revenue": (2, True)}
    assert graph().downstream(column("orders.total"), depth=9).is_cut is False


def test_what_decides_on_rows_reaches_every_column() -> None:
    reach = graph().impact(column("orders.status"))
    assert shown(reach) == {
        "clean.id": (1, False),
        "clean.total": (1, False),
        "daily.revenue": (2, False),
        "daily.n": (2, False),
        "report.doubled": (3, False),
    }
    assert set(reach.tables) == {("clean",), ("daily",), ("report",)}


def test_upstream() -> None:
    reach = graph().upstream(column("report.doubled"), depth=9)
    assert shown(reach) == {
        "daily.revenue": (1, True),
        "clean.total": (2, True),
        "orders.total": (3, True),
        "orders.status": (3, False),
    }
    assert shown(graph().upstream(("daily",))) == {"clean.total": (1, True), "clean.id": (1, True)}


def test_a_column_that_nothing_is_known_of() -> None:
    reach = graph().downstream(column("nowhere.x"), depth=3)
    assert (reach.columns, reach.tables, reach.is_cut) == ((), (), False)


def test_views_in_a_circle_end_and_are_reported() -> None:
    catalog = Catalog({("a",): ["x"], ("b",): ["x"], ("c",): ["x"]})
    views = "CREATE VIEW a AS SELECT x FROM b; CREATE VIEW b AS SELECT x FROM c; CREATE VIEW c AS SELECT x FROM a"
    circle = LineageGraph.of(lineage_of(views, catalog))
    assert shown(circle.impact(column("a.x"))) == {"c.x": (1, True), "b.x": (2, True)}
    assert circle.cycles() == [(("a",), ("b",), ("c",))]
    assert graph().cycles() == []
    itself = LineageGraph.of(lineage_of("CREATE VIEW a AS SELECT x FROM a", catalog))
    assert itself.cycles() == [(("a",),)]


def test_foreign_keys_are_no_circle() -> None:
    keys = [ForeignKey(("a",), ("b_id",), ("b",), ("id",)), ForeignKey(("b",), ("a_id",), ("a",), ("id",))]
    linked = LineageGraph(foreign_key_edges(keys))
    assert linked.cycles() == []
    assert shown(linked.downstream(column("b.id"))) == {"a.b_id": (1, False)}


def test_a_limit_cuts() -> None:
    wide = LineageGraph(Edge(column("a.x"), ColumnRef(("b",), str(at)), Kind.IDENTITY) for at in range(100))
    reach = wide.impact(column("a.x"), limit=10)
    assert (len(reach.columns), reach.is_cut) == (9, True)


@pytest.mark.parametrize("seed", range(20))
def test_distances_are_the_shortest_ones(seed: int) -> None:
    """Against all ways, tried out one step at a time, in random graphs with circles."""
    source = random.Random(seed)
    names = [column(f"t{at}.c") for at in range(12)]
    edges = [Edge(source.choice(names), source.choice(names), Kind.IDENTITY) for _ in range(20)]
    expected: dict[ColumnRef, int] = {}
    here = {names[0]}
    for distance in range(1, 13):
        here = {edge.target for edge in edges if edge.source in here}
        for each in here - {names[0]}:
            expected.setdefault(each, distance)
    reach = LineageGraph(edges).impact(names[0])
    assert {each.column: each.distance for each in reach.columns} == expected, f"seed {seed}"


def test_a_chain_of_ten_thousand_views() -> None:
    names: list[TableName] = [(f"v{at}",) for at in range(10_001)]
    chain = LineageGraph(
        Edge(ColumnRef(names[at], "x"), ColumnRef(names[at + 1], "x"), Kind.IDENTITY) for at in range(10_000)
    )
    assert chain.cycles() == []
    assert chain.upstream(ColumnRef(names[-1], "x"), depth=20_000, limit=20_000).columns[-1].distance == 10_000

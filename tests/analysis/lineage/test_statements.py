"""Lineage of SQL text, statement by statement."""

from __future__ import annotations

import pytest

from analysis.lineage.edges import ForeignKey, Kind, Lineage, foreign_key_edges
from analysis.lineage.names import DIALECTS, Catalog, ColumnRef, TableName
from analysis.lineage.parsing import Limits
from analysis.lineage.statements import lineage_of

TABLES: dict[TableName, list[str]] = {
    ("public", "orders"): ["id", "customer_id", "total", "status", "placed_at"],
    ("public", "customers"): ["id", "name", "email"],
    ("public", "MiXed"): ["Id", "Amount"],
    ("sales", "deals"): ["id", "value"],
}


def catalog(dialect: str = "postgres") -> Catalog:
    return Catalog(TABLES, dialect=dialect, search_path=[("public",)], database="shop")


def follow(sql: str, dialect: str = "postgres", target: TableName | None = None) -> Lineage:
    [lineage] = lineage_of(sql, catalog(dialect), target=target)
    return lineage


def edges(lineage: Lineage) -> set[str]:
    """Each edge as `table.column > column KIND`, with `*` where values are masked."""
    return {
        f"{edge.source.table[-1]}.{edge.source.column} > {edge.target.column} {edge.kind}{'*' if edge.masking else ''}"
        for edge in lineage.edges
    }


def influences(lineage: Lineage) -> set[str]:
    return {f"{each.source.table[-1]}.{each.source.column} {each.kind}" for each in lineage.influences}


def codes(lineage: Lineage) -> list[str]:
    return [problem.code for problem in lineage.problems]


QUERIES = {
    "identity": (
        "SELECT id, total AS sum_of_it FROM orders",
        {"orders.id > id IDENTITY", "orders.total > sum_of_it IDENTITY"},
    ),
    "arithmetic": (
        "SELECT total * 2 + id AS x FROM orders",
        {"orders.total > x TRANSFORMATION", "orders.id > x TRANSFORMATION"},
    ),
    "cast": ("SELECT total::text AS x FROM orders", {"orders.total > x TRANSFORMATION"}),
    "aggregate": ("SELECT sum(total) AS x FROM orders", {"orders.total > x AGGREGATION"}),
    "count hides values": ("SELECT count(total) AS x FROM orders", {"orders.total > x AGGREGATION*"}),
    "count of rows": ("SELECT count(*) AS x FROM orders", set()),
    "hash hides values": ("SELECT md5(email) AS x FROM customers", {"customers.email > x TRANSFORMATION*"}),
    "case": (
        "SELECT CASE WHEN status = 'paid' THEN total ELSE 0 END AS x FROM orders",
        {"orders.status > x CONDITIONAL", "orders.total > x TRANSFORMATION"},
    ),
    "case with operand": ("SELECT CASE status WHEN 'a' THEN 1 END AS x FROM orders", {"orders.status > x CONDITIONAL"}),
    "filter of an aggregate": (
        "SELECT sum(total) FILTER (WHERE status = 'paid') AS x FROM orders",
        {"orders.total > x AGGREGATION", "orders.status > x CONDITIONAL"},
    ),
    "order in an aggregate": (
        "SELECT string_agg(status, ',' ORDER BY placed_at) AS x FROM orders",
        {"orders.status > x AGGREGATION", "orders.placed_at > x SORT"},
    ),
    "percentile": (
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) AS x FROM orders",
        {"orders.total > x AGGREGATION"},
    ),
    "window": (
        "SELECT sum(total) OVER (PARTITION BY customer_id ORDER BY placed_at) AS x FROM orders",
        {"orders.total > x AGGREGATION", "orders.customer_id > x WINDOW", "orders.placed_at > x WINDOW"},
    ),
    "named window": (
        "SELECT row_number() OVER w AS x FROM orders WINDOW w AS (PARTITION BY customer_id ORDER BY id)",
        {"orders.customer_id > x WINDOW", "orders.id > x WINDOW"},
    ),
    "cte": ("WITH c AS (SELECT id AS i FROM orders) SELECT i + 1 AS x FROM c", {"orders.id > x TRANSFORMATION"}),
    "cte with columns": (
        "WITH c(i, t) AS (SELECT id, total FROM orders) SELECT t FROM c",
        {"orders.total > t IDENTITY"},
    ),
    "cte over cte": (
        "WITH a AS (SELECT id FROM orders), b AS (SELECT id FROM a) SELECT sum(id) AS x FROM b",
        {"orders.id > x AGGREGATION"},
    ),
    "cte hides a table": (
        "WITH orders AS (SELECT name AS id FROM customers) SELECT id FROM orders",
        {"customers.name > id IDENTITY"},
    ),
    "recursion": (
        "WITH RECURSIVE c(n, k) AS (SELECT id, total FROM orders UNION ALL SELECT k, n FROM c) SELECT n FROM c",
        {"orders.id > n IDENTITY", "orders.total > n IDENTITY"},
    ),
    "derived table": ("SELECT s.y FROM (SELECT max(total) FROM orders) AS s(y)", {"orders.total > y AGGREGATION"}),
    "two levels of aggregates": (
        "SELECT avg(x) AS y FROM (SELECT upper(status) AS x FROM orders) s",
        {"orders.status > y AGGREGATION"},
    ),
    "union": (
        "SELECT id FROM orders UNION ALL SELECT upper(name) FROM customers",
        {"orders.id > id IDENTITY", "customers.name > id TRANSFORMATION"},
    ),
    "except gives the first's values": (
        "SELECT id FROM orders EXCEPT SELECT id FROM customers",
        {"orders.id > id IDENTITY"},
    ),
    "star": ("SELECT * FROM customers", {f"customers.{each} > {each} IDENTITY" for each in ("id", "name", "email")}),
    "star of an alias": (
        "SELECT c.* FROM orders, customers c",
        {f"customers.{each} > {each} IDENTITY" for each in ("id", "name", "email")},
    ),
    "using": (
        "SELECT id, name FROM orders JOIN customers USING (id)",
        {"orders.id > id IDENTITY", "customers.id > id IDENTITY", "customers.name > name IDENTITY"},
    ),
    "star over using": (
        "SELECT * FROM customers JOIN sales.deals USING (id)",
        {
            "customers.id > id IDENTITY",
            "deals.id > id IDENTITY",
            "customers.name > name IDENTITY",
            "customers.email > email IDENTITY",
            "deals.value > value IDENTITY",
        },
    ),
    "natural": (
        "SELECT id FROM customers NATURAL JOIN sales.deals",
        {"customers.id > id IDENTITY", "deals.id > id IDENTITY"},
    ),
    "join in parentheses": (
        "SELECT name FROM (orders o JOIN customers c ON c.id = o.id)",
        {"customers.name > name IDENTITY"},
    ),
    "scalar subquery": (
        "SELECT (SELECT name FROM customers c WHERE c.id = o.customer_id) AS x FROM orders o",
        {"customers.name > x IDENTITY", "customers.id > x FILTER", "orders.customer_id > x FILTER"},
    ),
    "exists": (
        "SELECT EXISTS (SELECT 1 FROM customers c WHERE c.id = o.id) AS x FROM orders o",
        {"customers.id > x CONDITIONAL", "orders.id > x CONDITIONAL"},
    ),
    "lateral": (
        "SELECT l.d FROM orders o, LATERAL (SELECT o.total * 2 AS d) l",
        {"orders.total > d TRANSFORMATION"},
    ),
    "unnest": (
        "SELECT x FROM orders o, unnest(string_to_array(o.status, ',')) AS u(x)",
        {"orders.status > x TRANSFORMATION"},
    ),
    "whole row": (
        "SELECT to_json(c) AS x FROM customers c",
        {f"customers.{each} > x TRANSFORMATION" for each in ("id", "name", "email")},
    ),
    "values": (
        "SELECT v.a, o.id FROM orders o JOIN (VALUES (1), (2)) AS v(a) ON v.a = o.id",
        {"orders.id > id IDENTITY"},
    ),
    "whole name": ("SELECT public.orders.id FROM public.orders", {"orders.id > id IDENTITY"}),
    "name with the database": ("SELECT id FROM shop.sales.deals", {"deals.id > id IDENTITY"}),
    "literals only": ("SELECT 1 AS x, now() AS y FROM orders", set()),
}


@pytest.mark.parametrize("name", QUERIES)
def test_values_of_a_query(name: str) -> None:
    sql, expected = QUERIES[name]
    lineage = follow(sql)
    assert edges(lineage) == expected
    assert lineage.problems == ()


ROWS = {
    "where": ("SELECT id FROM orders WHERE total > 1", {"orders.total FILTER"}),
    "having": ("SELECT 1 FROM orders GROUP BY id HAVING sum(total) > 1", {"orders.id GROUP_BY", "orders.total FILTER"}),
    "join": (
        "SELECT 1 FROM orders o JOIN customers c ON o.customer_id = c.id",
        {"orders.customer_id JOIN", "customers.id JOIN"},
    ),
    "using": ("SELECT 1 FROM orders JOIN customers USING (id)", {"orders.id JOIN", "customers.id JOIN"}),
    "group by position": ("SELECT status, count(*) FROM orders GROUP BY 1", {"orders.status GROUP_BY"}),
    "group by alias": ("SELECT upper(status) AS s FROM orders GROUP BY s", {"orders.status GROUP_BY"}),
    "rollup": ("SELECT 1 FROM orders GROUP BY ROLLUP (id, status)", {"orders.id GROUP_BY", "orders.status GROUP_BY"}),
    "order by alias": ("SELECT total AS id FROM orders ORDER BY id", {"orders.total SORT"}),
    "distinct on": ("SELECT DISTINCT ON (status) id FROM orders", {"orders.status GROUP_BY"}),
    "in a subquery": (
        "SELECT 1 FROM orders WHERE id IN (SELECT id FROM customers WHERE name = 'x')",
        {"orders.id FILTER", "customers.id FILTER", "customers.name FILTER"},
    ),
    "of what is read": ("SELECT id FROM (SELECT id FROM orders WHERE total > 1) s", {"orders.total FILTER"}),
    "of an except": ("SELECT id FROM orders EXCEPT SELECT id FROM customers", {"customers.id FILTER"}),
    "order of a union": (
        "SELECT id FROM orders UNION SELECT total FROM orders ORDER BY id",
        {"orders.id SORT", "orders.total SORT"},
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_decides_on_rows(name: str) -> None:
    sql, expected = ROWS[name]
    lineage = follow(sql, target=("v",))
    assert influences(lineage) == expected
    assert lineage.problems == ()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_view_in_every_dialect(dialect: str) -> None:
    lineage = follow(
        "CREATE VIEW v AS SELECT o.id, c.name AS who FROM orders o JOIN customers c ON c.id = o.id", dialect
    )
    assert (lineage.statement, lineage.target, lineage.columns) == ("CREATE VIEW", ("public", "v"), ("id", "who"))
    assert lineage.inputs == (("public", "orders"), ("public", "customers"))
    assert edges(lineage) == {"orders.id > id IDENTITY", "customers.name > who IDENTITY"}


def test_names_by_the_rules_of_the_dialect() -> None:
    quoted = follow('SELECT "Id", "Amount" AS "A" FROM "MiXed"')
    assert edges(quoted) == {"MiXed.Id > Id IDENTITY", "MiXed.Amount > A IDENTITY"}
    assert edges(follow("SELECT ID FROM ORDERS")) == {"orders.id > id IDENTITY"}
    unquoted = follow("SELECT amount FROM MiXed")
    assert unquoted.inputs == (("public", "mixed"),)
    for dialect in ("mysql", "sqlite", "duckdb"):
        assert edges(follow("SELECT AMOUNT AS Money FROM mixed", dialect)) == {"MiXed.Amount > Money IDENTITY"}


WRITES = {
    "insert": ("INSERT INTO orders (id, total) SELECT id, 1 FROM customers", {"customers.id > id IDENTITY"}),
    "insert by position": (
        "INSERT INTO sales.deals SELECT id, total FROM orders",
        {"orders.id > id IDENTITY", "orders.total > value IDENTITY"},
    ),
    "upsert": (
        "INSERT INTO orders (id, total) SELECT id, 5 FROM customers "
        "ON CONFLICT (id) DO UPDATE SET status = excluded.id, total = orders.total + 1",
        {"customers.id > id IDENTITY", "customers.id > status IDENTITY", "orders.total > total TRANSFORMATION"},
    ),
    "update from": (
        "UPDATE orders t SET status = upper(c.name) FROM customers c WHERE c.id = t.id",
        {"customers.name > status TRANSFORMATION"},
    ),
    "update by a subquery": (
        "UPDATE orders SET (total, status) = (SELECT id, name FROM customers)",
        {"customers.id > total IDENTITY", "customers.name > status IDENTITY"},
    ),
    "update of itself": ("UPDATE orders SET total = total + 1", {"orders.total > total TRANSFORMATION"}),
    "merge": (
        "MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN UPDATE SET status = c.email "
        "WHEN NOT MATCHED THEN INSERT (id, status) VALUES (c.id, upper(c.name))",
        {"customers.email > status IDENTITY", "customers.id > id IDENTITY", "customers.name > status TRANSFORMATION"},
    ),
    "delete": ("DELETE FROM orders USING customers c WHERE c.id = orders.id", set()),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_is_written(name: str) -> None:
    sql, expected = WRITES[name]
    lineage = follow(sql)
    assert edges(lineage) == expected
    assert lineage.problems == ()
    assert lineage.target is not None
    assert all(edge.target.table == lineage.target for edge in lineage.edges)


def test_what_rows_a_write_touches() -> None:
    merge = (
        "MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED AND c.name > 'a' THEN UPDATE SET total = 1"
    )
    assert influences(follow(merge)) == {"orders.id JOIN", "customers.id JOIN", "customers.name CONDITIONAL"}
    assert influences(follow(WRITES["delete"][0])) == {"orders.id FILTER", "customers.id FILTER"}


def test_what_only_mysql_and_duckdb_know() -> None:
    update = follow("UPDATE orders o JOIN customers c ON c.id = o.id SET o.status = c.name", "mysql")
    assert (edges(update), influences(update)) == (
        {"customers.name > status IDENTITY"},
        {"orders.id JOIN", "customers.id JOIN"},
    )
    upsert = follow(
        "INSERT INTO orders (id) SELECT id FROM customers ON DUPLICATE KEY UPDATE total = VALUES(id) + 1", "mysql"
    )
    assert edges(upsert) == {"customers.id > id IDENTITY", "customers.id > total TRANSFORMATION"}
    star = follow("SELECT * EXCLUDE (email) REPLACE (upper(name) AS name) FROM customers", "duckdb")
    assert edges(star) == {"customers.id > id IDENTITY", "customers.name > name TRANSFORMATION"}
    assert influences(follow("CREATE VIEW v AS SELECT status, sum(total) FROM orders GROUP BY ALL", "duckdb")) == {
        "orders.status GROUP_BY"
    }
    by_name = follow("INSERT INTO orders BY NAME SELECT name AS status FROM customers", "duckdb")
    assert edges(by_name) == {"customers.name > status IDENTITY"}
    union = follow("SELECT id, name FROM customers UNION BY NAME SELECT total AS name FROM orders", "duckdb")
    assert edges(union) == {
        "customers.id > id IDENTITY",
        "customers.name > name IDENTITY",
        "orders.total > name IDENTITY",
    }


def test_files_are_tables() -> None:
    lineage = follow(
        "SELECT a, b FROM read_parquet('Data/x.parquet') p JOIN 'Y.csv' y ON p.k = y.k WHERE p.a > y.b", "duckdb"
    )
    assert lineage.inputs == (("Data/x.parquet",), ("Y.csv",))
    assert codes(lineage) == ["ambiguous_column", "ambiguous_column"]
    assert influences(lineage) == {"Data/x.parquet.k JOIN", "Y.csv.k JOIN", "Data/x.parquet.a FILTER", "Y.csv.b FILTER"}


def test_statements_know_what_those_before_them_made() -> None:
    made, used, dropped = lineage_of(
        'CREATE TEMP TABLE a AS SELECT id AS "Key", total FROM orders; CREATE VIEW b AS SELECT * FROM a; DROP TABLE a',
        catalog(),
    )
    assert made.columns == ("Key", "total")
    assert edges(used) == {"a.Key > Key IDENTITY", "a.total > total IDENTITY"}
    assert (dropped.edges, dropped.problems) == ((), ())


def test_tables_that_are_only_declared_have_columns() -> None:
    lineages = lineage_of("CREATE TABLE t (a int PRIMARY KEY, B text); CREATE VIEW v AS SELECT * FROM t", catalog())
    assert edges(lineages[1]) == {"t.a > a IDENTITY", "t.b > b IDENTITY"}
    assert lineage_of("CREATE TABLE u (a int)", catalog())[0].columns == ("a",)


PROBLEMS = {
    "SELECT nope FROM orders": "unknown_column",
    "SELECT o.nope FROM orders o": "unknown_column",
    "SELECT x.id FROM orders": "unknown_table",
    "SELECT x.* FROM orders": "unknown_table",
    "SELECT id FROM orders, customers": "ambiguous_column",
    "SELECT a FROM elsewhere, nowhere": "ambiguous_column",
    "SELECT * FROM elsewhere": "unknown_columns",
    "INSERT INTO elsewhere SELECT id FROM orders": "unknown_columns",
    "INSERT INTO sales.deals SELECT 1, 2, id FROM orders": "columns_differ",
    "SELECT id FROM orders UNION SELECT id, name FROM customers": "columns_differ",
    "SELECT id FROM orders NATURAL JOIN elsewhere": "unknown_columns",
    "SELECT * FROM orders PIVOT (sum(total) FOR status IN ('a', 'b'))": "unsupported",
    "EXPLAIN SELECT 1": "unsupported",
    "CALL something(1)": "unsupported",
    "SELECT FROM WHERE": "not_parsed",
    "SELECT 'open": "not_parsed",
    "": "no_statement",
    "-- nothing": "no_statement",
}


@pytest.mark.parametrize("sql", PROBLEMS)
def test_what_cannot_be_followed_is_said(sql: str) -> None:
    lineage = follow(sql)
    assert codes(lineage) == [PROBLEMS[sql]]
    assert not lineage.is_complete
    assert lineage.problems[0].message.endswith(".")


def test_a_problem_with_one_column_leaves_the_others() -> None:
    lineage = follow("CREATE VIEW v AS SELECT id, nope FROM orders")
    assert (edges(lineage), codes(lineage)) == ({"orders.id > id IDENTITY"}, ["unknown_column"])


def test_one_unknown_table_alone_must_have_the_column() -> None:
    lineage = follow("SELECT a, total FROM elsewhere JOIN orders ON b = id")
    assert edges(lineage) == {"elsewhere.a > a IDENTITY", "orders.total > total IDENTITY"}
    around = follow("SELECT (SELECT a FROM nowhere) FROM elsewhere")
    assert codes(around) == ["ambiguous_column"]


HOSTILE = {
    "parentheses": ("SELECT " + "(" * 400 + "id" + ")" * 400 + " FROM orders", "too_deep"),
    "functions": ("SELECT " + "f(" * 400 + "id" + ")" * 400 + " FROM orders", "too_deep"),
    "not": ("SELECT " + "NOT " * 400 + "id FROM orders", "too_deep"),
    "cases": ("SELECT " + "CASE WHEN id THEN " * 400 + "1" + " END" * 400 + " FROM orders", "too_deep"),
    "subqueries": ("SELECT id FROM (" * 400 + "SELECT id FROM orders" + ") x" * 400, "too_deep"),
    "assignments": ("SELECT " + "a := " * 2000 + "1", "too_deep"),
    "text": ("SELECT '" + "x" * 600_000 + "'", "too_long"),
    "words": ("SELECT id FROM orders WHERE id IN (" + ",".join("1" * 20_000) + ")", "too_long"),
    "stars": (
        "WITH x0 AS (SELECT id FROM orders)"
        + "".join(f", x{at + 1} AS (SELECT * FROM x{at} p, x{at} q)" for at in range(40))
        + " SELECT * FROM x40",
        "too_many_columns",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused(name: str) -> None:
    sql, code = HOSTILE[name]
    assert codes(follow(sql)) == [code]


def test_depth_is_counted_before_anything_is_parsed() -> None:
    [lineage] = lineage_of("SELECT ((id)) FROM orders", catalog(), limits=Limits(depth=1))
    assert lineage.problems[0].message == "It is nested more than 1 levels deep."
    assert lineage_of("SELECT ((id)) FROM orders", catalog(), limits=Limits(depth=2))[0].is_complete


LARGE = {
    "list": "SELECT id FROM orders WHERE id IN (" + ",".join(map(str, range(10_000))) + ")",
    "chain": "SELECT " + "+".join(["id"] * 5_000) + " AS id FROM orders",
    "union": " UNION ALL ".join(["SELECT id FROM orders"] * 2_000),
    "ctes": "WITH x0 AS (SELECT id FROM orders)"
    + "".join(f", x{at + 1} AS (SELECT id FROM x{at})" for at in range(1_000))
    + " SELECT id FROM x1000",
    "values": "SELECT o.id FROM orders o JOIN (VALUES " + ",".join(["(1)"] * 5_000) + ") AS v(a) ON v.a = o.id",
}


@pytest.mark.parametrize("name", LARGE)
def test_large_text_is_followed(name: str) -> None:
    lineage = follow(LARGE[name])
    assert {edge.source for edge in lineage.edges} == {ColumnRef(("public", "orders"), "id")}
    assert lineage.problems == ()


def test_it_ends_when_its_time_is_over() -> None:
    ticks = iter(range(1_000))
    [lineage] = lineage_of(
        "SELECT * FROM orders", catalog(), limits=Limits(seconds=3), clock=lambda: float(next(ticks))
    )
    assert codes(lineage) == ["too_slow"]


def test_how_deep_it_may_go_does_not_depend_on_the_caller() -> None:
    sql = "SELECT " + "(" * 38 + "id" + ")" * 38 + " FROM orders"

    def deeper(levels: int) -> Lineage:
        return deeper(levels - 1) if levels else follow(sql)

    assert edges(deeper(600)) == {"orders.id > id IDENTITY"}


def test_foreign_keys_refer() -> None:
    orders, customers = ("public", "orders"), ("public", "customers")
    [edge] = foreign_key_edges([ForeignKey(orders, ("customer_id",), customers, ("id",))])
    assert edge.source == ColumnRef(customers, "id")
    assert (edge.target, edge.kind) == (ColumnRef(orders, "customer_id"), Kind.REFERENCE)
    with pytest.raises(ValueError, match="go in pairs"):
        foreign_key_edges([ForeignKey(orders, ("a", "b"), customers, ("id",))])


def test_a_dialect_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="use one of postgres, mysql, sqlite, duckdb"):
        Catalog(dialect="oracle")

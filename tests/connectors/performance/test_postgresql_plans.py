"""Plans of statements that were executed before, found without executing them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from followed_source import settings_of
from postgres_server import PostgresServer

from connectors.performance.figures import StatementPlan, StatementSnapshot, Unsupported
from connectors.performance.postgresql.plans import concealed, shape_of
from connectors.performance.postgresql.reader import PostgresqlReader

Plan = Callable[[str], Awaitable[StatementPlan | Unsupported]]


def planned(server: PostgresServer, scenario: Callable[[Any, Plan], Awaitable[None]], user: str = "monitor") -> None:
    """Runs a scenario with a superuser's connection, and with what finds the plan of a statement by its beginning."""

    async def run() -> None:
        reader = PostgresqlReader(settings_of(server, user))
        connection = await asyncpg.connect(server.url)

        async def plan(beginning: str) -> StatementPlan | Unsupported:
            snapshot = await reader.statements()
            assert isinstance(snapshot, StatementSnapshot)
            texts = await reader.statement_texts(snapshot.keys)
            [key] = [
                key
                for key, database in zip(snapshot.keys, snapshot.databases, strict=True)
                if database == server.database and texts[key].text.startswith(beginning)
            ]
            return await reader.plan(key)

        try:
            await scenario(connection, plan)
        finally:
            await connection.close()
            await reader.aclose()

    asyncio.run(run())


def test_a_generic_plan_needs_no_parameters(counted: PostgresServer) -> None:
    async def scenario(connection: Any, plan: Plan) -> None:
        await connection.execute(
            "CREATE TABLE goods AS SELECT i AS id, i % 100 AS kind FROM generate_series(1, 20000) i"
        )
        await connection.execute("ANALYZE goods")
        await connection.fetch("SELECT id FROM goods WHERE kind = $1 AND id < $2", 5, 10)
        before = await plan("SELECT id FROM goods")
        assert isinstance(before, StatementPlan)
        assert before.plan["Node Type"] == "Seq Scan"
        assert before.plan["Relation Name"] == "goods"
        assert before.cost is not None
        assert before.cost > 100
        await connection.execute("CREATE INDEX goods_kind ON goods (kind)")
        after = await plan("SELECT id FROM goods")
        assert isinstance(after, StatementPlan)
        assert after.shape != before.shape
        assert "goods_kind" in json.dumps(after.plan)
        # More rows cost more, and are the same plan.
        await connection.execute("INSERT INTO goods SELECT i, i % 100 FROM generate_series(1, 2000) i; ANALYZE goods")
        again = await plan("SELECT id FROM goods")
        assert isinstance(again, StatementPlan)
        assert (again.shape, again.cost != after.cost) == (after.shape, True)

    planned(counted, scenario)


def test_finding_a_plan_changes_nothing(counted: PostgresServer) -> None:
    async def scenario(connection: Any, plan: Plan) -> None:
        await connection.execute("CREATE TABLE goods (id int); GRANT DELETE, SELECT ON goods TO monitor")
        await connection.execute("INSERT INTO goods VALUES (1)")
        await connection.execute("DELETE FROM goods WHERE id = 5")
        found = await plan("DELETE FROM goods")
        assert isinstance(found, StatementPlan)
        assert found.plan["Operation"] == "Delete"
        assert await connection.fetchval("SELECT count(*) FROM goods") == 1
        # What was prepared for it is gone, too.
        assert await plan("DELETE FROM goods") == found

    planned(counted, scenario)


def test_what_has_no_plan_says_why(counted: PostgresServer) -> None:
    async def scenario(connection: Any, plan: Plan) -> None:
        await connection.execute("CREATE TABLE secrets AS SELECT 1 AS id")
        await connection.execute("REVOKE pg_read_all_data FROM monitor")
        try:
            await connection.fetch("SELECT id FROM secrets WHERE id = 2")
            refused = await plan("SELECT id FROM secrets")
        finally:
            await connection.execute("GRANT pg_read_all_data TO monitor")
        assert isinstance(refused, Unsupported)
        assert "permission denied for table secrets" in refused.reason
        made = await plan("CREATE TABLE secrets")
        assert isinstance(made, Unsupported)
        assert "only SELECT" in made.reason

    planned(counted, scenario)


def test_a_key_that_nobody_knows_has_no_plan(counted: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(settings_of(counted))
        for key in ("1.2.3.top", "nonsense", ""):
            assert isinstance(await reader.plan(key), Unsupported)
            assert await reader.statement_texts([key]) == {}
        await reader.aclose()

    asyncio.run(scenario())


def test_plans_hold_no_literals() -> None:
    node = {
        "Node Type": "Index Scan",
        "Index Name": "t2_1",
        "Index Cond": "(owner = 'Ada''s'::text)",
        "Output": ["1", "t2.x"],
        "Plans": [{"Node Type": "Seq Scan", "Filter": "(n > 42)", "Plan Rows": 7}],
    }
    assert concealed(node) == {
        "Node Type": "Index Scan",
        "Index Name": "t2_1",
        "Index Cond": "(owner = ?::text)",
        "Output": ["?", "t2.x"],
        "Plans": [{"Node Type": "Seq Scan", "Filter": "(n > ?)", "Plan Rows": 7}],
    }
    assert shape_of(node) == shape_of({**node, "Total Cost": 5.0})
    assert shape_of(node) != shape_of({**node, "Index Name": "t2_2"})

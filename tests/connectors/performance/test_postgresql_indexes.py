"""Advice on indexes that were made for it, and none on those that are needed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import asyncpg  # type: ignore[import-untyped]
import pytest
from followed_source import settings_of
from postgres_server import PostgresServer

from connectors.performance.clock import SourceClock
from connectors.performance.figures import AdviceKind, IndexAdvice, IndexAdvices
from connectors.performance.postgresql.index_advice import index_advice
from connectors.performance.postgresql.index_catalog import Catalog, IndexFacts, TableFacts
from connectors.performance.postgresql.index_rules import advices
from connectors.performance.postgresql.reader import PostgresqlReader
from connectors.performance.postgresql.session import Session
from connectors.performance.postgresql.statements import Statements

SCHEMA = """
CREATE TABLE owners (id int PRIMARY KEY);
INSERT INTO owners SELECT generate_series(1, 1000);
CREATE TABLE goods (id int PRIMARY KEY, owner int REFERENCES owners (id), kind int, name text,
  code text UNIQUE, place text);
INSERT INTO goods SELECT i, 1 + i % 1000, i % 500, 'name ' || i % 5000, 'code ' || i, 'place ' || i % 5000
  FROM generate_series(1, 30000) i;
CREATE INDEX goods_kind ON goods (kind);
CREATE INDEX goods_kind_again ON goods (kind);
CREATE INDEX "goods ""kind"" name" ON goods (kind, name);
CREATE INDEX goods_descending ON goods (kind DESC);
CREATE INDEX goods_part ON goods (kind) WHERE owner > 5;
CREATE UNIQUE INDEX goods_code_again ON goods (code);
CREATE INDEX goods_lower ON goods (lower(name));
ANALYZE
"""


async def advice(server: PostgresServer, unused_after_seconds: float = 0.0) -> IndexAdvices:
    session = await Session.open(settings_of(server))
    try:
        statements = await Statements.found(session)
        return await index_advice(session, statements, SourceClock(), time.time, unused_after_seconds)
    finally:
        await session.close()


def by_index(found: IndexAdvices) -> dict[str | None, IndexAdvice]:
    return {one.index: one for one in found.advices if one.index is not None}


def test_indexes_that_another_one_does_the_work_of(counted: PostgresServer) -> None:
    async def scenario() -> None:
        await counted.execute_soon(*SCHEMA.split(";"))
        found = by_index(await advice(counted))
        assert found["goods_kind"].kind is AdviceKind.DUPLICATE
        assert found["goods_kind"].evidence["instead"] == "goods_kind_again"
        assert found["goods_kind_again"].kind is AdviceKind.REDUNDANT
        assert found["goods_kind_again"].evidence["instead"] == 'goods "kind" name'
        assert found["goods_code_again"].kind is AdviceKind.DUPLICATE
        assert found["goods_code_again"].evidence["instead"] == "goods_code_key"
        assert found["goods_kind"].bytes is not None
        assert found["goods_kind"].bytes > 100_000
        # It is to do the work of another one, so nobody is told to drop it as well.
        assert 'goods "kind" name' not in found
        # Another order or a part of the rows is another index; keys stay whatever reads them.
        assert {found["goods_descending"].kind, found["goods_part"].kind} == {AdviceKind.UNUSED}
        assert not {"goods_pkey", "goods_code_key", "owners_pkey"} & set(found)
        assert any("statistics of its expressions" in caveat for caveat in found["goods_lower"].caveats)
        # All of it is SQL that works.
        for one in found.values():
            await counted.execute_soon(one.sql)
        assert set(by_index(await advice(counted))) == {'goods "kind" name'}

    asyncio.run(scenario())


def test_indexes_that_are_used_stay(counted: PostgresServer) -> None:
    async def scenario() -> None:
        await counted.execute_soon(*SCHEMA.split(";"))
        connection = await asyncpg.connect(counted.url)
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        await connection.fetch("SELECT * FROM goods WHERE lower(name) = 'name 5'")
        await connection.close()
        deadline = time.monotonic() + 10
        while await counted.execute_soon(
            "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'goods_lower'"
        ) == [0]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert "goods_lower" not in by_index(await advice(counted))

    asyncio.run(scenario())


def test_nothing_is_unused_before_a_week_is_over(counted: PostgresServer) -> None:
    async def scenario() -> None:
        await counted.execute_soon(*SCHEMA.split(";"))
        reader = PostgresqlReader(settings_of(counted))
        found = await reader.index_advice()
        await reader.aclose()
        assert AdviceKind.UNUSED not in {one.kind for one in found.advices}
        [unsupported] = found.unsupported
        assert unsupported.what == "index_advice.unused"
        assert "told after 7" in unsupported.reason
        assert found.since_ms is not None
        assert 0 <= found.at_ms - found.since_ms < 3_600_000

    asyncio.run(scenario())


def test_indexes_that_are_missing(counted: PostgresServer) -> None:
    async def scenario() -> None:
        await counted.execute_soon(*SCHEMA.split(";"))
        for number in range(3):
            await counted.execute_soon(f"SELECT count(*) FROM goods WHERE place = 'place {number}' AND id + 0 > 5")
            await counted.execute_soon(f"SELECT count(*) FROM goods WHERE kind >= {number}")
        missing = {one.columns: one for one in (await advice(counted)).advices if one.kind is AdviceKind.MISSING}
        # The foreign key's, and that of the statement; one that keeps most rows would not read any.
        assert set(missing) == {("owner",), ("place",)}
        [statement] = missing["place",].evidence["statements"]
        assert statement["calls"] == 3
        assert "?" in statement["statement"] or "$1" in statement["statement"]
        for one in missing.values():
            await counted.execute_soon(one.sql)
        assert AdviceKind.MISSING not in {one.kind for one in (await advice(counted)).advices}

    asyncio.run(scenario())


def test_an_index_that_was_never_completed(counted: PostgresServer) -> None:
    async def scenario() -> None:
        await counted.execute_soon("CREATE TABLE twice AS SELECT 1 AS n FROM generate_series(1, 2)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await counted.execute_soon("CREATE UNIQUE INDEX CONCURRENTLY twice_n ON twice (n)")
        assert by_index(await advice(counted))["twice_n"].kind is AdviceKind.INVALID

    asyncio.run(scenario())


def test_an_index_with_more_room_than_it_needs(counted: PostgresServer) -> None:
    async def scenario() -> None:
        await counted.execute_soon(
            "CREATE TABLE wide AS SELECT i AS n, md5(i::text) AS t FROM generate_series(1, 300000) i",
            "CREATE INDEX wide_t ON wide (t)",
            "VACUUM ANALYZE wide",
        )
        assert by_index(await advice(counted, 1e9)) == {}
        await counted.execute_soon("DELETE FROM wide WHERE n % 10 > 0", "VACUUM ANALYZE wide")
        bloated = by_index(await advice(counted, 1e9))["wide_t"]
        assert bloated.kind is AdviceKind.BLOATED
        assert bloated.bytes is not None
        assert bloated.bytes > 10_000_000
        await counted.execute_soon(bloated.sql, "VACUUM ANALYZE wide")
        assert by_index(await advice(counted, 1e9)) == {}

    asyncio.run(scenario())


TABLE = TableFacts(1, "public", "t", 1e6, 10_000_000, 5, 5_000_000, 0, 0)
INDEX = IndexFacts(
    table=1,
    schema="public",
    name="i",
    method="btree",
    keys=("a 1 0 0",),
    columns=("a",),
    included=frozenset(),
    predicate="",
    is_unique=False,
    is_constraint=False,
    is_replica_identity=False,
    is_valid=True,
    is_being_built=False,
    is_part=False,
    has_expressions=False,
    scans=1,
    bytes=1_000_000,
    rows=1e6,
    width=None,
)
LONGER = replace(INDEX, name="longer", keys=("a 1 0 0", "b 1 0 0"), columns=("a", "b"))


def judged(*indexes: IndexFacts, is_standby: bool = False) -> dict[str | None, IndexAdvice]:
    catalog = Catalog({1: TABLE}, list(indexes), [], 0, 0.0, 30 * 86_400.0, is_standby, 0)
    return {one.index: one for one in advices(catalog)}


@pytest.mark.parametrize(
    "changes",
    [
        {"is_unique": True},
        {"is_constraint": True},
        {"is_replica_identity": True},
        {"predicate": "(b > 5)"},
        {"included": frozenset({"c"})},
        {"keys": ("a 1 0 3",)},
        {"method": "hash", "keys": ("a 1 0 0",)},
        {"is_part": True},
    ],
)
def test_what_an_index_does_that_the_longer_one_does_not(changes: dict[str, object]) -> None:
    assert judged(replace(INDEX, **changes), LONGER) == {}  # type: ignore[arg-type]


def test_the_longer_one_does_the_rest() -> None:
    assert judged(INDEX, LONGER)["i"].kind is AdviceKind.REDUNDANT


@pytest.mark.parametrize("name", ["is_unique", "is_constraint", "is_replica_identity", "is_part"])
def test_what_is_needed_without_being_read(name: str) -> None:
    assert judged(replace(INDEX, scans=0))["i"].kind is AdviceKind.UNUSED
    assert judged(replace(INDEX, scans=0, **{name: True})) == {}  # type: ignore[arg-type]


def test_a_standby_says_that_it_is_one() -> None:
    [caveat] = judged(replace(INDEX, scans=0), is_standby=True)["i"].caveats
    assert "on the primary the index may be used" in caveat


def test_an_index_that_is_being_built_is_not_broken() -> None:
    assert judged(replace(INDEX, is_valid=False))["i"].kind is AdviceKind.INVALID
    assert judged(replace(INDEX, is_valid=False, is_being_built=True)) == {}

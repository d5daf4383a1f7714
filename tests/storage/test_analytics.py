"""Results of analyses and verdicts on their findings, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage import analytics, catalog, data_sources, workspaces
from storage.analytics import Verdict
from storage.catalog import Found
from storage.database import Database
from tests.storage.opened import NOW, with_database


async def dataset(database: Database) -> int:
    async with database.write() as connection:
        await workspaces.ensure(connection, "lab", created_by="ann", at=NOW)
        source = await data_sources.create(
            connection,
            workspace_id="lab",
            name="sales",
            kind="sqlite",
            description=None,
            settings={},
            owner="ann",
            at=NOW,
        )
        await catalog.lock(connection, source.id)
        stored = await catalog.store(connection, "lab", source.id, [Found("", "orders", "table")], at=NOW)
    return stored.ids["", "orders"]


async def put(database: Database, dataset_id: int, key: str = "k", version: str = "1", body: bytes = b"{}") -> int:
    async with database.write() as connection:
        return await analytics.put(
            connection,
            workspace_id="lab",
            dataset_id=dataset_id,
            kind="insights",
            key=key,
            version=version,
            parameters="{}",
            state="done",
            findings=3,
            seconds=0.5,
            body=body,
            created_by="ann",
            at=NOW,
        )


def test_the_latest_answer_to_a_question_of_one_version(database_url: str) -> None:
    async def body(database: Database) -> None:
        orders = await dataset(database)
        first = await put(database, orders, body=b'{"a":1}')
        second = await put(database, orders, body=b'{"a":2}')
        other = await put(database, orders, version="2", body=b'{"a":3}')
        async with database.read() as connection:
            found = await analytics.latest(connection, orders, "k", "1")
            assert found is not None
            assert (found[0].id, found[1]) == (second, b'{"a":2}')
            assert (found[0].bytes, found[0].findings, found[0].created_at) == (7, 3, NOW)
            assert await analytics.latest(connection, orders, "k", "3") is None
            assert await analytics.latest(connection, orders, "other", "1") is None
            listed = await analytics.list_of(connection, "lab", dataset_id=orders, kind="insights", limit=10)
            assert [row.id for row in listed] == [other, second, first]
            assert await analytics.list_of(connection, "lab", kind="correlations", limit=10) == []
            page = await analytics.list_of(connection, "lab", before=other, limit=1)
            assert [row.id for row in page] == [second]
            whole = await analytics.get(connection, first)
            assert whole is not None
            assert whole[1] == b'{"a":1}'
            assert await analytics.get(connection, 10_000) is None

    with_database(database_url, body)


def test_results_are_bounded(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics, "KEPT_OF_QUESTION", 2)
    monkeypatch.setattr(analytics, "KEPT_OF_DATASET", 3)

    async def body(database: Database) -> None:
        orders = await dataset(database)
        first = [await put(database, orders, key="a") for _ in range(3)]
        second = [await put(database, orders, key="b") for _ in range(2)]
        async with database.read() as connection:
            listed = await analytics.list_of(connection, "lab", limit=10)
        assert [row.id for row in listed] == [*reversed(second), first[-1]]

    with_database(database_url, body)


def test_verdicts_are_replaced_and_taken_back(database_url: str) -> None:
    async def body(database: Database) -> None:
        orders = await dataset(database)
        verdict = Verdict(orders, "f1", "dismissed", "known", "ann", NOW)
        later = Verdict(orders, "f1", "acknowledged", "", "bob", NOW + timedelta(hours=1))
        async with database.write() as connection:
            await analytics.decide(connection, verdict)
            await analytics.decide(connection, later)
        async with database.write() as connection:
            assert list(await analytics.verdicts_of(connection, orders)) == [later]
            assert await analytics.take_back(connection, orders, "f1")
            assert not await analytics.take_back(connection, orders, "f1")
            assert list(await analytics.verdicts_of(connection, orders)) == []

    with_database(database_url, body)

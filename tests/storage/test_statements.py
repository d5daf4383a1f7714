"""Statements of sources, how sources are collected from, and how visits went."""

from __future__ import annotations

from datetime import timedelta

from storage import data_sources, metric_collections, statements, users, workspaces
from storage.database import Database
from storage.metric_collections import Collection, Visits
from storage.statements import Window
from tests.storage.opened import NOW, with_database


def test_windows_texts_and_plans(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            for start in (0, 60_000, 120_000):
                await statements.put_window(connection, 1, Window(start, start + 60_000, b"body"))
            await statements.put_window(connection, 1, Window(0, 60_000, b"again"))
            await statements.put_window(connection, 2, Window(0, 60_000, b"another's"))
            await statements.put_texts(connection, 1, {"a": ("SELECT 1", "SELECT ?")}, at=NOW)
            await statements.put_texts(connection, 1, {"a": ("changed", "changed")}, at=NOW)
            assert await statements.seen(connection, 1, ["a", "b"], at=NOW + timedelta(days=1)) == {"a"}
            for cost in (1.0, 2.0):
                await statements.put_plan(connection, 1, "a", "shape", {"Node Type": "Scan"}, cost, at=NOW)
        async with database.read() as connection:
            assert await statements.windows(connection, 1, 0, 120_000) == [
                Window(0, 60_000, b"again"), Window(60_000, 120_000, b"body"),
            ]  # fmt: skip
            found = (await statements.texts(connection, 1, ["a", "b"]))["a"]
            assert (found.text, found.normalised) == ("SELECT 1", "SELECT ?")
            assert (found.first_at, found.last_at) == (NOW, NOW + timedelta(days=1))
            [plan] = await statements.plans(connection, 1, "a")
            assert (plan.plan, plan.cost) == ({"Node Type": "Scan"}, 2.0)
        async with database.write() as connection:
            await statements.remove_windows(connection, 1, 0, 120_000)
            await statements.trim_texts(connection, 1, before=NOW + timedelta(hours=1))
        async with database.read() as connection:
            assert [window.start_ms for window in await statements.windows(connection, 1, 0, 2**53)] == [120_000]
            assert len(await statements.windows(connection, 2, 0, 2**53)) == 1
            assert await statements.texts(connection, 1, ["a"]) != {}
            assert await statements.plans(connection, 1, "a") == []

    with_database(database_url, body)


def test_collections_and_visits(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await workspaces.ensure(connection, "default", created_by="admin", at=NOW)
            for user in ("ada", "bob"):
                await users.ensure(connection, user, at=NOW)
            ids = []
            for name in ("one", "other", "gone"):
                made = await data_sources.create(
                    connection, workspace_id="default", name=name, kind="postgresql", description=None, settings={},
                    owner="ada", at=NOW,
                )  # fmt: skip
                ids.append(made.id)
                await metric_collections.put(
                    connection, Collection(made.id, name != "other", {"preset": name}, None, None, "ada", NOW)
                )
            await metric_collections.put(connection, Collection(ids[0], True, {"preset": "new"}, b"x", "k", "bob", NOW))
            await data_sources.delete(connection, ids[2], at=NOW)
            await metric_collections.note_visits(connection, [Visits(each, NOW, failures=2) for each in ids[:2]])
            await metric_collections.note_visits(connection, [Visits(ids[0], NOW, NOW, 0.5, 0, None, '{"a": 1}')])
        async with database.read() as connection:
            [found] = await metric_collections.enabled(connection)
            assert found.collection == Collection(ids[0], True, {"preset": "new"}, b"x", "k", "bob", NOW)
            assert (found.workspace_id, found.kind) == ("default", "postgresql")
            assert await metric_collections.get(connection, 10**6) is None
            assert set(await metric_collections.get_many(connection, ids)) == set(ids)
            visits = await metric_collections.visits(connection, ids)
            assert visits[ids[0]] == Visits(ids[0], NOW, NOW, 0.5, 0, None, '{"a": 1}')
            assert visits[ids[1]].failures == 2

    with_database(database_url, body)

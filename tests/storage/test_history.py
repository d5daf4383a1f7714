"""Sittings: what the databases find is what one finds by reading the log line by line."""

import random
from datetime import timedelta

from storage import history
from storage.database import Database
from storage.history import LogLine, Sitting, SittingRule
from storage.tables import from_microseconds
from storage.update_log import Append, PendingUpdate, open_update_log
from tests.storage.opened import make_documents, with_database

RULE = SittingRule(timedelta(seconds=10), frozenset({0, 1}))
SECOND = 1_000_000


def some_updates(seed: int, count: int) -> list[PendingUpdate]:
    choice = random.Random(seed)
    at = 0
    made = []
    for _ in range(count):
        at += choice.choice([0, 1, 9, 10, 11, 60]) * SECOND
        made.append(PendingUpdate(choice.choice(["ann", "ann", "bob"]), choice.choice([0, 0, 1, 2]), at, b"x"))
    return made


def read_line_by_line(updates: list[PendingUpdate], rule: SittingRule) -> list[Sitting]:
    found: list[Sitting] = []
    for number, update in enumerate(updates, 1):
        at = from_microseconds(update.created_at)
        last = found[-1] if found else None
        same_way = last is not None and (last.origin == update.origin or {last.origin, update.origin} <= rule.alike)
        if last is not None and last.author == update.author and same_way and at - last.ended_at <= rule.gap:
            found[-1] = Sitting(last.first_number, number, last.author, last.origin, last.started_at, at)
        else:
            found.append(Sitting(number, number, update.author, update.origin, at, at))
    return found[::-1]


async def all_sittings(database: Database, document_id: int, rule: SittingRule, limit: int) -> list[Sitting]:
    found: list[Sitting] = []
    async with database.read() as connection:
        while page := await history.sittings(
            connection, document_id, rule, before=found[-1].first_number if found else None, limit=limit
        ):
            found += page
    return found


def test_sittings_in_pages_of_any_size(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        updates = some_updates(7, 150)
        appends = [Append(other.id, some_updates(8, 60)), Append(one.id, updates)]
        await open_update_log(database).append(appends)
        for rule in (RULE, SittingRule(timedelta(seconds=60))):
            expected = read_line_by_line(updates, rule)
            assert len(expected) > 20
            for limit in (1, 3, 1000):
                assert await all_sittings(database, one.id, rule, limit) == expected

    with_database(database_url, body)


def test_a_document_without_updates_has_no_sittings(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        assert await all_sittings(database, document.id, RULE, 10) == []

    with_database(database_url, body)


def test_lines_begin_with_the_newest(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        updates = [PendingUpdate("ann", i % 3, i * SECOND, bytes(i)) for i in range(5)]
        await open_update_log(database).append([Append(document.id, updates)])
        async with database.read() as connection:
            first = await history.lines(connection, document.id, limit=3)
            rest = await history.lines(connection, document.id, before=first[-1].number, limit=3)
        expected = [LogLine(i + 1, "ann", i % 3, from_microseconds(i * SECOND), i) for i in range(5)]
        assert first + rest == expected[::-1]

    with_database(database_url, body)

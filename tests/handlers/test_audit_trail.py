"""State changes and their rows stand or fall together; refusals are counted, written, and never lost to a failure."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from http_node import START, Node, play

from handlers.audit_pacing import ANY
from handlers.audit_trail import AuditTrail, record
from storage import audit
from storage.audit_verification import verify
from storage.database import Database
from storage.errors import StorageError


def refuse(
    trail: AuditTrail, actor: str | None = "ada", target: str = "lab", times: int = 1, address: str | None = None
) -> None:
    for number in range(times):
        request_id = f"r{number}"
        trail.refused(
            actor=actor, action="things.get", target=target, code="forbidden", request_id=request_id, address=address
        )


def test_a_change_that_fails_leaves_no_row(tmp_path: Path) -> None:
    async def make_and_fail(node: Node) -> None:
        async with node.parts.database.write() as connection:
            await record(connection, node.context("ada"), "things.make", "lab")
            raise RuntimeError

    async def scenario(node: Node) -> None:
        with pytest.raises(RuntimeError):
            await make_and_fail(node)
        assert await node.audited() == []
        async with node.parts.database.write() as connection:
            await record(connection, node.context("ada"), "things.make", "lab", {"size": 3})
        [row] = await node.audited()
        assert (row.actor, row.action, row.target, row.outcome, row.at) == ("ada", "things.make", "lab", "done", START)
        assert row.details == {"via": "token", "request_id": "request-1", "size": 3}

    play(tmp_path, scenario)


def test_repeats_are_counted(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        refuse(node.parts.audit, times=1000)
        refuse(node.parts.audit, actor=None)
        node.parts.audit.signed_in(user_id="ada", via="token", request_id="r")
        rows = [(row.actor, row.action, row.outcome, row.details["count"]) for row in await node.audited()]
        assert rows == [
            ("ada", "things.get", "refused", 1000),
            ("anonymous", "things.get", "refused", 1),
            ("ada", "sign_in", "done", 1),
        ]

    play(tmp_path, scenario)


def test_a_guesser_fills_neither_memory_nor_disk(tmp_path: Path) -> None:
    """Whoever tries for hours costs ten rows at first and then two a minute, and all of it is counted."""

    async def scenario(node: Node) -> None:
        rows_by_minute = []
        for minute in range(6):
            node.clock = START + timedelta(minutes=minute)
            for number in range(2000):
                refuse(node.parts.audit, actor=None, target=f"guess-{number}" + "x" * 10_000)
            rows_by_minute.append(len(await node.audited()))
        rows = await node.audited()
        assert [after - before for before, after in pairwise([0, *rows_by_minute])] == [11, 6, 3, 2, 2, 2]
        assert max(len(row.target) for row in rows) == 300
        assert (rows[10].action, rows[10].target) == (ANY, ANY)
        assert sum(row.details["count"] for row in rows) == 12_000

    play(tmp_path, scenario)


def test_strangers_from_everywhere_fill_nothing_either_and_hide_nobody(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        trail = node.parts.audit
        for number in range(5000):
            refuse(trail, actor=None, address=f"2001:db8::{number:x}")
        refuse(trail, actor="mallory", times=3)
        rows = await node.audited()
        assert len(rows) == 202
        assert {row.details["address"]: row.details["count"] for row in rows if row.action == ANY} == {ANY: 4800}
        assert (rows[-1].actor, rows[-1].details["count"]) == ("mallory", 3)

    play(tmp_path, scenario)


def test_what_goes_beyond_the_allowance_is_written_once_its_minute_is_over(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        trail = node.parts.audit

        async def written() -> int:
            await trail.write_due()
            async with node.parts.database.read() as connection:
                return len(await audit.read(connection, limit=100))

        for number in range(15):
            refuse(trail, target=f"t{number}")
        assert await written() == 10
        node.clock += timedelta(seconds=59)
        assert await written() == 10
        node.clock += timedelta(seconds=1)
        assert await written() == 11

    play(tmp_path, scenario)


def test_a_made_up_target_is_written_as_plain_text(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        refuse(node.parts.audit, target="a\0b\n\ud800é")
        [row] = await node.audited()
        assert row.target == "a\ufffdb\ufffd\ufffdé"

    play(tmp_path, scenario)


def test_what_could_not_be_written_waits(tmp_path: Path) -> None:
    async def run() -> None:
        database = await Database.open(f"sqlite:///{tmp_path / 'studio.sqlite3'}")
        trail = AuditTrail(database, lambda: START)
        refuse(trail, times=2)
        with pytest.raises(StorageError):
            await trail.flush()  # there are no tables yet
        refuse(trail)
        await database.migrate()
        await trail.close()
        async with database.read() as connection:
            [row] = await audit.read(connection, limit=10)
        assert (row.details["count"], row.details["request_id"]) == (3, "r0")
        await database.close()

    asyncio.run(run())


class Watched(AuditTrail):
    """Tells when a write went well or did not."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, lambda: START, interval=0.01)
        self.failed = asyncio.Event()
        self.written = asyncio.Event()

    async def write_due(self) -> None:
        try:
            await super().write_due()
        except StorageError:
            self.failed.set()
            raise
        self.written.set()


def test_it_writes_by_itself_and_survives_a_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        database = await Database.open(f"sqlite:///{tmp_path / 'studio.sqlite3'}")
        trail = Watched(database)
        running = asyncio.ensure_future(trail.run())
        refuse(trail)
        async with asyncio.timeout(20):
            await trail.failed.wait()
            await database.migrate()
            await trail.written.wait()
        async with database.read() as connection:
            [row] = await audit.read(connection, limit=10)
        assert row.details["count"] == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await trail.close()
        await database.close()

    asyncio.run(run())
    assert "could not be written" in caplog.text


def test_the_chain_holds_over_all_kinds_of_rows(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        for number in range(5):
            refuse(node.parts.audit, target=f"lab/{number}")
            async with node.parts.database.write() as connection:
                await record(connection, node.context("ada"), "things.make", "lab", {"text": "é\0"})
            await node.parts.audit.flush()
        async with node.parts.database.read() as connection:
            assert await verify(connection) is None
        assert len(await node.audited()) == 10

    play(tmp_path, scenario)

"""Too many wrong credentials from one place: it has to wait and others do not, and a flood makes no node grow."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from http_node import Node, play

from handlers.credentials import fingerprint
from handlers.registry import Forbidden, NotAuthenticated
from server import failure_counts
from server import lockouts as module
from server.lockouts import LockedOut, Lockouts
from storage.bus.memory_bus import Hub, MemoryBus
from storage.shared_failures import Bounds, RedisFailures

HOME, OFFICE = "192.0.2.7", "198.51.100.9"
BOUNDS = Bounds(of_place=5, of_name=8, first=30.0, longest=240.0)


class Door:
    """One credential is right; `try_in` says for how many seconds whoever comes has to wait, 0 for a mere no."""

    def __init__(self, node: Node, bus: MemoryBus | None = None, shared: RedisFailures | None = None) -> None:
        self.now = 0.0
        self.lockouts = Lockouts(BOUNDS, node.parts.audit, bus, shared, clock=lambda: self.now)
        self._guesses = itertools.count()

    def try_in(self, credential: str | None = None, address: str | None = HOME, name: str = "") -> int | None:
        """None for whoever is let in."""
        credential = credential or f"csk_{name or next(self._guesses):x>6}{next(self._guesses)}"
        try:
            self._look_at(credential, address)
        except LockedOut as refusal:
            return int((refusal.details or {})["retry_after"])
        except NotAuthenticated:
            return 0
        return None

    def _look_at(self, credential: str, address: str | None) -> None:
        with self.lockouts.guarding(address, credential):
            if credential != "right":
                raise NotAuthenticated("no", code="invalid_token")


def at(tmp_path: Path, scenario: Callable[[Door], Awaitable[None]]) -> None:
    async def run(node: Node) -> None:
        await scenario(Door(node))

    play(tmp_path, run)


def test_a_place_waits_for_longer_each_time_and_others_do_not(tmp_path: Path) -> None:
    async def scenario(door: Door) -> None:
        assert [door.try_in() for _ in range(5)] == [0] * 5
        waits = []
        for _ in range(5):
            waits.append(door.try_in())
            # The right one as well, until the time is over: who guesses is not told by an answer that he has it.
            assert door.try_in("right") == waits[-1]
            assert door.try_in("right", OFFICE) is None
            door.now += waits[-1] or 0
            assert door.try_in() == 0
        assert waits == [30, 60, 120, 240, 240]
        door.now += 240
        assert door.try_in("right") is None

    at(tmp_path, scenario)


def test_who_is_quiet_for_long_begins_anew(tmp_path: Path) -> None:
    async def scenario(door: Door) -> None:
        for _ in range(5):
            door.try_in()
        door.now += 30 + 240
        assert [door.try_in() for _ in range(6)] == [0] * 5 + [30]

    at(tmp_path, scenario)


def test_who_is_at_work_there_is_not_kept_out(tmp_path: Path) -> None:
    async def scenario(door: Door) -> None:
        assert door.try_in("right") is None
        for _ in range(5):
            door.try_in()
        assert door.try_in() == 30
        assert door.try_in("right") is None

    at(tmp_path, scenario)


def test_what_is_sent_again_is_hardly_a_guess_but_no_flood_of_it_is_borne(tmp_path: Path) -> None:
    """A page that was left open with a ticket sends it each three seconds."""

    async def scenario(door: Door) -> None:
        for _ in range(500):
            assert door.try_in("csk_stale") == 0
            door.now += 3
        assert [door.try_in("csk_stale") for _ in range(300)][-1] == 30

    at(tmp_path, scenario)


def test_what_merely_ended_or_may_not_is_no_guess(tmp_path: Path) -> None:
    async def scenario(door: Door) -> None:
        errors = [
            NotAuthenticated("", code="invalid_token", noted="token_expired"),
            NotAuthenticated("", code="invalid_token", noted="key_revoked"),
            NotAuthenticated("", code="session_ended"),
            Forbidden("", code="wrong_source"),
        ]
        for number in range(40):
            for error in errors:
                with pytest.raises(type(error)), door.lockouts.guarding(HOME, f"csk_{number}"):
                    raise error
        assert door.try_in("right") is None

    at(tmp_path, scenario)


def test_a_network_of_ipv6_is_one_place(tmp_path: Path) -> None:
    async def scenario(door: Door) -> None:
        for number in range(5):
            assert door.try_in(address=f"2001:db8::{number:x}") == 0
        assert door.try_in(address="2001:db8::ffff:1") == 30
        assert door.try_in("right", "2001:db8:0:1::1") is None
        # Whoever has no address, as over a pipe of the machine's own, is not counted.
        assert [door.try_in(address=None) for _ in range(9)] == [0] * 9

    at(tmp_path, scenario)


def test_in_a_name_that_is_tried_from_everywhere_each_place_has_one_try(tmp_path: Path) -> None:
    async def scenario(door: Door) -> None:
        places = [f"203.0.113.{number}" for number in range(30)]
        assert [door.try_in(address=place, name="adasky") for place in places] == [0] * 30
        assert [door.try_in(address=place, name="adasky") for place in places[:7]] == [0] * 7
        assert [door.try_in(address=place, name="adasky") for place in places[7:]] == [30] * 23
        # Nobody is kept out of the name by that.
        assert door.try_in("right", OFFICE) is None
        # And other names are not concerned.
        assert [door.try_in(address=OFFICE, name="bobsky") for _ in range(5)] == [0] * 5

    at(tmp_path, scenario)


def test_a_flood_from_everywhere_takes_no_more_than_so_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, name in ((failure_counts, "MOST_KEYS"), (module, "MOST_KEYS"), (module, "LET_IN")):
        monkeypatch.setattr(where, name, 500)

    async def run(node: Node) -> None:
        door = Door(node)
        for number in range(2000):
            place = f"2001:db8:0:{number:x}::1"
            assert door.try_in(address=place) == 0
            assert door.try_in("right", place) is None
            door.lockouts._hold(place, 30.0)
        kept = door.lockouts
        sizes = [len(each) for each in (kept._places, kept._names, kept._wrong, kept._locked, kept._let_in)]
        assert sizes == [500] * 5
        # The trail counts all of it, in as many rows as strangers may begin.
        rows = await node.audited()
        assert len(rows) < 250

    play(tmp_path, run)


def test_while_nobody_waits_nothing_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(door: Door) -> None:
        door.try_in()
        monkeypatch.setattr(module, "place_of", None)
        assert door.lockouts.wait(HOME, b"x") == 0.0

    at(tmp_path, scenario)


def test_what_is_refused_and_who_has_to_wait_is_in_the_trail(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        door = Door(node)
        for _ in range(5):
            door.try_in()
        for _ in range(7):
            door.try_in()
        rows = {row.action: row for row in await node.audited()}
        locked, failed = rows["auth.locked"], rows["auth.failed"]
        assert (locked.target, locked.outcome, locked.details["count"]) == (HOME, "refused", 1)
        assert (failed.details["reason"], failed.details["address"], failed.details["count"]) == ("locked_out", HOME, 7)

    play(tmp_path, scenario)


def test_nodes_count_together_and_tell_each_other(tmp_path: Path, redis_url: str) -> None:
    async def scenario(node: Node) -> None:
        hub = Hub()
        buses = [MemoryBus(name, hub) for name in ("one", "other")]
        doors = [Door(node, bus, RedisFailures(redis_url, "here")) for bus in buses]
        running = [asyncio.ensure_future(bus.run()) for bus in buses]
        one, other = doors
        try:
            for door in (one, other, one, other, one):
                assert door.try_in() == 0
                await asyncio.gather(*door.lockouts._tasks)
            async with asyncio.timeout(10):
                while not other.lockouts.wait(HOME, b"x"):  # noqa: ASYNC110 - the bus says when
                    await asyncio.sleep(0.005)
            assert one.try_in("right") == other.try_in("right") == 30
            assert other.try_in("right", OFFICE) is None
        finally:
            for door in doors:
                await door.lockouts.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    play(tmp_path, scenario)


def test_a_redis_that_is_away_makes_each_node_count_for_itself(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        door = Door(node, shared=RedisFailures("redis://127.0.0.1:1/0"))
        assert [door.try_in() for _ in range(5)] == [0] * 5
        assert door.try_in() == 30
        await door.lockouts.close()

    play(tmp_path, scenario)


def test_a_stranger_on_the_bus_says_nothing(tmp_path: Path) -> None:
    async def scenario(door: Door) -> None:
        door.lockouts.received(b"\xff nonsense")
        door.lockouts.received(module._encoder.encode(module._Told(HOME, 1e9)))
        assert door.lockouts.wait(HOME, fingerprint("x")) == BOUNDS.longest

    at(tmp_path, scenario)

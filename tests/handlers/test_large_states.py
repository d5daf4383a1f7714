"""Large states are cut elsewhere, once for all who ask within a while, and what came meanwhile is small."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pycrdt import Doc, Text
from whole_documents import document

from crdt import sync
from crdt.lib0 import MalformedError
from crdt.room import LIVE, Room
from handlers.large_states import KEPT_WHILE_BYTES, PORTION_BYTES, WHOLE_BYTES, Cut, LargeStates
from handlers.workers import Workers


class Bare:
    def wrap(self, message: bytes) -> bytes:
        return message


def stroke(client: int, length: int) -> bytes:
    doc: Doc[Any] = Doc(client_id=client)
    doc.get("content", type=Text).insert(0, "abcdefghij" * (length // 10))
    return doc.get_update()


def room_of(length: int) -> Room:
    doc: Doc[Any] = Doc()
    update = stroke(1, length)
    doc.apply_update(update)
    return Room(1, doc, 1, len(update))


def change(room: Room, client: int, length: int) -> None:
    assert room.receive(None, "ada", LIVE, stroke(client, length), 0)
    room.flush()


def play(scenario: Callable[[LargeStates], Awaitable[None]]) -> None:
    async def run() -> None:
        states = LargeStates(Workers())
        try:
            async with asyncio.timeout(60):
                await scenario(states)
        finally:
            await states.close()

    asyncio.run(run())


def content(*updates: bytes) -> str:
    return str(document(*updates).get("content", type=Text))


def missing_after(room: Room, cut: Cut) -> bytes:
    return room.state_since(cut.state_vector)


def test_a_small_document_is_answered_at_once() -> None:
    async def scenario(states: LargeStates) -> None:
        room = room_of(1_000)
        assert states.at_once(room, Bare(), sync.EMPTY_STATE_VECTOR) == sync.step_2(room.state())
        assert states.at_once(room, Bare(), room.state_vector()) == sync.step_2(sync.EMPTY_UPDATE)

    play(scenario)


def test_a_large_one_is_cut_once_for_all() -> None:
    async def scenario(states: LargeStates) -> None:
        room = room_of(3 * WHOLE_BYTES)
        assert states.at_once(room, Bare(), sync.EMPTY_STATE_VECTOR) is None
        cuts = await asyncio.gather(*(states.cut(room, sync.EMPTY_STATE_VECTOR) for _ in range(50)))
        assert all(cut is cuts[0] for cut in cuts)
        assert (states.made, states.used) == (1, 50)
        cut = cuts[0]
        assert max(map(len, cut.updates)) <= PORTION_BYTES + 100
        assert content(*cut.updates) == content(room.state())
        assert cut.revision == room.revision

    play(scenario)


def test_whoever_needs_little_of_a_large_one_is_answered_at_once() -> None:
    async def scenario(states: LargeStates) -> None:
        room = room_of(3 * WHOLE_BYTES)
        before = room.state_vector()
        change(room, 2, 100)
        answer = states.at_once(room, Bare(), before)
        assert answer is not None
        assert len(answer) < 1_000

    play(scenario)


def test_a_cut_serves_on_while_little_was_added() -> None:
    async def scenario(states: LargeStates) -> None:
        room = room_of(2 * WHOLE_BYTES)
        first = await states.cut(room, sync.EMPTY_STATE_VECTOR)
        change(room, 2, 1_000)
        again = await states.cut(room, sync.EMPTY_STATE_VECTOR)
        assert again is first
        assert again.revision != room.revision
        whole = content(*again.updates, missing_after(room, again))
        assert whole == content(room.state())
        change(room, 3, KEPT_WHILE_BYTES)
        assert await states.cut(room, sync.EMPTY_STATE_VECTOR) is not first
        assert states.made == 2

    play(scenario)


def test_a_change_while_it_is_cut_is_not_lost() -> None:
    async def scenario(states: LargeStates) -> None:
        room = room_of(2 * WHOLE_BYTES)
        cutting = asyncio.create_task(states.cut(room, sync.EMPTY_STATE_VECTOR))
        await asyncio.sleep(0)
        change(room, 2, 1_000)
        cut = await cutting
        assert content(*cut.updates) != content(room.state())
        assert content(*cut.updates, missing_after(room, cut)) == content(room.state())

    play(scenario)


def test_a_large_difference_is_cut_for_the_one_who_needs_it() -> None:
    async def scenario(states: LargeStates) -> None:
        room = room_of(2 * WHOLE_BYTES)
        mine, vector = room.state(), room.state_vector()
        change(room, 2, 2 * WHOLE_BYTES)
        assert states.at_once(room, Bare(), vector) is None
        cut = await states.cut(room, vector)
        assert sum(map(len, cut.updates)) < 2.5 * WHOLE_BYTES
        assert content(mine, *cut.updates) == content(room.state())

    play(scenario)


def test_a_cut_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.large_states.KEPT_SECONDS", 0.01)

    async def scenario(states: LargeStates) -> None:
        room = room_of(2 * WHOLE_BYTES)
        await states.cut(room, sync.EMPTY_STATE_VECTOR)
        while len(states._cuts):  # noqa: ASYNC110 - a timer drops it
            await asyncio.sleep(0.005)
        await states.cut(room, sync.EMPTY_STATE_VECTOR)
        assert states.made == 2

    play(scenario)


def test_a_hostile_state_vector_is_refused_before_anything_is_cut() -> None:
    async def scenario(states: LargeStates) -> None:
        room = room_of(2 * WHOLE_BYTES)
        with pytest.raises(MalformedError):
            states.at_once(room, Bare(), b"\xff\xff\xff\xff\x0f\x01")
        assert states.made == 0

    play(scenario)

"""Members who do not read as fast as a room writes: presence first, then edits, and all of it once they read again."""

import json
from typing import Any

from pycrdt import Doc, Text

from crdt import sync
from crdt.lib0 import write_var_string, write_varuint
from crdt.room import LIVE, Room


class Bare:
    def wrap(self, message: bytes) -> bytes:
        return message


BARE = Bare()


class Reader:
    """A member; what it is sent is kept."""

    echo_means_stored = False

    def __init__(self, room: Room, user: str) -> None:
        self.user = self.name = user
        self.framing = BARE
        self.sent: list[bytes] = []
        self.news: list[bytes] = []
        self.write = self.sent.append
        room.join(self)

    def stored(self, updates: list[bytes]) -> None:
        """Nobody waits for it."""

    def tell(self, news: bytes) -> None:
        self.news.append(news)

    def slow_down(self, seconds: float) -> None:
        """It is in no hurry."""

    def refuse(self, reason: str) -> None:
        raise AssertionError(reason)

    come_back = refuse

    def taken(self) -> list[bytes]:
        sent, self.sent[:] = list(self.sent), []
        return sent


def room_of_two() -> tuple[Room, Reader, Reader]:
    room = Room(1, Doc(), 0, 0)
    return room, Reader(room, "ada"), Reader(room, "bob")


def move(room: Room, member: Reader, client: int, clock: int) -> None:
    state = json.dumps({"clock": clock})
    entry = write_varuint(client) + write_varuint(clock) + write_var_string(state)
    room.receive_awareness(member, b"\x01" + entry, float(clock))
    room.flush_awareness()


def letter(number: int) -> bytes:
    doc: Doc[Any] = Doc(client_id=1_000 + number)
    doc.get("content", type=Text).insert(0, "x")
    return doc.get_update()


def edit(room: Room, member: Reader, number: int) -> None:
    room.receive(member, member.user, LIVE, letter(number), 0)
    room.flush()


def presence_in(messages: list[bytes]) -> list[bytes]:
    return [message for message in messages if message[0] == sync.AWARENESS]


def test_r4_who_is_behind_gets_the_newest_presence_once_and_every_edit() -> None:
    room, ada, bob = room_of_two()
    room.mute(bob)
    for clock in range(1, 101):
        move(room, ada, 7, clock)
    edit(room, ada, 1)
    assert bob.taken() == [sync.update_message(letter(1))]
    assert len(presence_in(ada.taken())) == 100
    messages = room.catch_up(bob)
    assert len(messages) == 1
    assert b'"clock":100' in messages[0]
    move(room, ada, 7, 101)
    assert len(presence_in(bob.taken())) == 1


def test_who_missed_nothing_is_sent_nothing() -> None:
    room, ada, bob = room_of_two()
    move(room, ada, 7, 1)
    bob.taken()
    room.mute(bob)
    room.mute(bob)
    assert room.catch_up(bob) == []


def test_who_fell_behind_and_then_far_behind_gets_both_in_one_piece() -> None:
    room, ada, bob = room_of_two()
    room.mute(bob)
    move(room, ada, 7, 1)
    room.hold_back(bob)
    for number in range(1, 20):
        edit(room, ada, number)
    move(room, ada, 7, 2)
    assert bob.taken() == []
    update, presence = room.catch_up(bob)
    assert update == sync.update_message(room.state())
    assert b'"clock":2' in presence
    assert (room.muted, room.held_back) == ({}, {})


def test_whoever_leaves_is_forgotten() -> None:
    room, _, bob = room_of_two()
    room.mute(bob)
    room.leave(bob, 0.0)
    assert not room.muted
    room.mute(bob)
    assert not room.muted


def test_whoever_is_let_back_without_a_word_gets_what_comes_from_then_on() -> None:
    room, ada, bob = room_of_two()
    room.hold_back(bob)
    before = room.state_vector()
    edit(room, ada, 1)
    assert room.let_back(bob) == before
    assert room.let_back(bob) is None
    edit(room, ada, 2)
    assert bob.taken() == [sync.update_message(letter(2))]


def test_changes_are_counted() -> None:
    room, ada, _ = room_of_two()
    edit(room, ada, 1)
    revision = room.revision
    edit(room, ada, 1)
    assert room.revision == revision
    edit(room, ada, 2)
    assert room.revision == revision + 1


def test_an_unread_frame_is_the_same_for_all() -> None:
    """Muting one of many costs the others nothing but the look: they are sent the same frame as ever."""
    room, ada, _ = room_of_two()
    others = [Reader(room, f"user {number}") for number in range(10)]
    room.mute(others[0])
    move(room, ada, 7, 1)
    frames = [other.taken() for other in others]
    assert frames[0] == []
    assert all(frame == frames[1] and len(frame) == 1 for frame in frames[1:])


def test_news_go_to_everybody_and_the_newest_to_whoever_is_behind() -> None:
    room, ada, bob = room_of_two()
    room.mute(bob)
    room.post("violations", b"1")
    room.post("violations", b"2")
    room.post("run", b"started")
    assert (ada.news, bob.news) == ([b"1", b"2", b"started"], [])
    room.catch_up(bob)
    assert bob.news == [b"2", b"started"]
    room.hold_back(bob)
    room.post("run", b"ended")
    assert bob.news == [b"2", b"started"]
    room.catch_up(bob)
    assert bob.news == [b"2", b"started", b"2", b"ended"]
    late = Reader(room, "eve")
    room.tell_news(late)
    assert late.news == [b"2", b"ended"]

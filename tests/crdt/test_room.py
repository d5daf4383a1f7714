"""The room: what members get, when they are told that it is stored, and what never reaches the log."""

import gc
import weakref
from typing import cast

import pytest
from pycrdt import Doc, Text, merge_updates

from crdt import sync
from crdt.lib0 import MalformedError, read_var_bytes, write_varuint
from crdt.room import HTTP, LIVE, SYNCED, AnyDoc, Framing, Room

TYPE_UPDATE, TYPE_STEP_2 = b"\x00\x02", b"\x00\x01"


class Prefix:
    """A framing without WebSocket heads."""

    def __init__(self, prefix: bytes = b"") -> None:
        self.prefix = prefix

    def wrap(self, message: bytes) -> bytes:
        return self.prefix + message


class Guest:
    """A member that keeps what it is sent and applies it to a document of its own."""

    def __init__(self, room: Room, name: str, framing: Prefix, *, echo_means_stored: bool = False) -> None:
        self.user = self.name = name
        self.framing: Framing = framing
        self.echo_means_stored = echo_means_stored
        self.frames: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self.refused: list[str] = []
        self.news: list[bytes] = []
        self.prefix = framing.prefix
        self.doc: AnyDoc = Doc()
        self.text = self.doc.get("content", type=Text)
        room.join(self)

    def write(self, data: bytes) -> None:
        assert data.startswith(self.prefix)
        message = data[len(self.prefix) :]
        self.frames.append(message)
        if message[:2] in (TYPE_UPDATE, TYPE_STEP_2):
            self.doc.apply_update(read_var_bytes(message, 2)[0])

    def stored(self, updates: list[bytes]) -> None:
        self.acknowledged += updates

    def tell(self, news: bytes) -> None:
        self.news.append(news)

    def slow_down(self, seconds: float) -> None:
        """Rooms do not ask for it themselves."""

    def come_back(self, reason: str) -> None:
        self.refused.append(reason)

    def refuse(self, reason: str) -> None:
        self.refused.append(reason)


def new_room() -> Room:
    return Room(1, Doc(), 0, 0)


def typed(guest: Guest, text: str) -> bytes:
    updates: list[bytes] = []
    subscription = guest.doc.observe(lambda event: updates.append(event.update))
    guest.text += text
    guest.doc.unobserve(subscription)
    return updates[0]


def send(room: Room, guest: Guest, update: bytes, origin: int = LIVE) -> bool:
    return room.receive(guest, guest.user, origin, update, 0)


def text_of(update: bytes) -> str:
    doc: AnyDoc = Doc()
    doc.apply_update(update)
    return str(doc.get("content", type=Text))


def test_the_updates_of_a_turn_go_out_as_one_frame_to_everybody_else() -> None:
    room, plain = new_room(), Prefix()
    writer, reader, named = Guest(room, "w", plain), Guest(room, "r", plain), Guest(room, "n", Prefix(b"doc"))
    for word in ("one ", "two ", "three"):
        send(room, writer, typed(writer, word))
    room.flush()
    assert [len(guest.frames) for guest in (writer, reader, named)] == [0, 1, 1]
    assert str(reader.text) == str(named.text) == "one two three"
    assert [arrival.author for arrival in room.outbox] == ["w", "w", "w"]


def test_a_writer_whose_client_trusts_the_echo_gets_no_echo_before_it_is_stored() -> None:
    room, plain = new_room(), Prefix()
    careful, other = Guest(room, "a", plain, echo_means_stored=True), Guest(room, "b", plain)
    mine, theirs = typed(careful, "mine"), typed(other, "theirs")
    send(room, careful, mine)
    send(room, other, theirs)
    room.flush()
    got = merge_updates(*(read_var_bytes(frame, 2)[0] for frame in careful.frames))
    assert text_of(got) == "theirs"
    assert sorted(str(careful.text)) == sorted(str(other.text)) == sorted("minetheirs")


def test_a_malformed_update_reaches_neither_engine_nor_log() -> None:
    room = new_room()
    guest = Guest(room, "g", Prefix())
    with pytest.raises(MalformedError):
        send(room, guest, b"\xff\xff\xff\xff\x0f")
    room.flush()
    assert not room.outbox
    assert room.state() == sync.EMPTY_UPDATE


def test_a_repeated_update_brings_nothing_new() -> None:
    room = new_room()
    guest = Guest(room, "g", Prefix())
    update = typed(guest, "hello")
    assert send(room, guest, update)
    room.flush()
    assert not send(room, guest, update)
    assert not send(room, guest, sync.EMPTY_UPDATE)


def test_a_synced_state_with_known_deletions_brings_nothing_new() -> None:
    room = new_room()
    guest = Guest(room, "g", Prefix())
    send(room, guest, typed(guest, "hello"))
    room.flush()
    del guest.text[1:3]
    assert send(room, guest, guest.doc.get_update(), SYNCED)
    room.flush()
    assert not send(room, guest, guest.doc.get_update(), SYNCED)
    del guest.text[0:1]
    assert send(room, guest, guest.doc.get_update(), SYNCED)


def test_a_joiner_gets_what_the_engine_still_holds_back() -> None:
    """An update whose predecessor is missing is not in the engine's state, but a joiner needs it when that arrives."""
    room, plain = new_room(), Prefix()
    author = Guest(room, "a", plain)
    first, second = typed(author, "first "), typed(author, "second")
    send(room, author, second)
    room.flush()
    joiner = Guest(room, "j", plain)
    joiner.write(room.step_2_frame(joiner.framing, sync.EMPTY_STATE_VECTOR))
    send(room, author, first)
    room.flush()
    assert str(joiner.text) == "first second"
    assert not room.waiting
    assert text_of(room.state()) == "first second"


def test_the_state_is_encoded_once_for_all_joiners_before_the_next_change() -> None:
    room, plain = new_room(), Prefix()
    guest = Guest(room, "g", plain)
    send(room, guest, typed(guest, "hello"))
    room.flush()
    frame = room.step_2_frame(plain, sync.EMPTY_STATE_VECTOR)
    assert room.step_2_frame(plain, sync.EMPTY_STATE_VECTOR) is frame
    send(room, guest, typed(guest, "!"))
    room.flush()
    assert text_of(read_var_bytes(room.step_2_frame(plain, sync.EMPTY_STATE_VECTOR), 2)[0]) == "hello!"


def test_a_held_back_member_gets_what_it_missed_as_one_update() -> None:
    room, plain = new_room(), Prefix()
    writer, slow = Guest(room, "w", plain), Guest(room, "s", plain)
    send(room, writer, typed(writer, "seen "))
    room.flush()
    room.hold_back(slow)
    for word in ("un", "se", "en"):
        send(room, writer, typed(writer, word))
        room.flush()
    assert str(slow.text) == "seen "
    for message in room.catch_up(slow):
        slow.write(message)
    send(room, writer, typed(writer, "!"))
    room.flush()
    assert str(slow.text) == "seen unseen!"
    assert len(slow.frames) == 3


def test_an_edit_that_fails_half_way_leaves_the_document_as_it_was() -> None:
    room = new_room()

    def edit(doc: AnyDoc) -> None:
        doc.get("content", type=Text).insert(0, "half")
        raise ValueError("no further")

    with pytest.raises(ValueError, match="no further"):
        room.draft(edit)
    assert room.state() == sync.EMPTY_UPDATE


def test_edits_over_http_continue_one_client() -> None:
    room = new_room()

    def edit(doc: AnyDoc) -> None:
        doc.get("content", type=Text).insert(0, "x")

    for _ in range(5):
        assert room.receive(None, "api", HTTP, room.draft(edit), 0)
        room.flush()
    assert text_of(room.state()) == "xxxxx"
    assert len(room.clocks) == 1


def test_presence_is_framed_once_a_framing_and_echoed_to_its_author() -> None:
    room, plain = new_room(), Prefix()
    ada, bob = Guest(room, "ada", plain), Guest(room, "bob", Prefix(b"x"))
    room.receive_awareness(ada, b"\x01\x07\x01\x02{}", 0.0)
    room.flush_awareness()
    assert len(ada.frames) == len(bob.frames) == 1
    assert b'"ada"' in bob.frames[0]


def test_a_room_is_settled_only_when_everything_is_stored_and_nobody_is_there() -> None:
    room = new_room()
    guest = Guest(room, "g", Prefix())
    send(room, guest, typed(guest, "x"))
    room.leave(guest, 0.0)
    assert not room.is_settled
    room.flush()
    assert not room.is_settled
    room.storing, room.outbox = room.outbox, []
    assert not room.is_settled
    room.storing = []
    assert room.is_settled


def test_a_dropped_room_is_freed() -> None:
    room = new_room()
    guest = Guest(room, "g", Prefix())
    send(room, guest, typed(guest, "x"))
    room.flush()
    room.draft(lambda doc: doc.get("content", type=Text).insert(0, "y"))
    seen = weakref.ref(room)
    room.leave(guest, 0.0)
    del room
    gc.collect()
    assert cast(object, seen()) is None


def test_r6_an_edit_inside_an_emoji_costs_the_emoji_and_nothing_else() -> None:
    """What a plain diff binding does for one face replaced by another: one half deleted, one half inserted."""
    room, plain = new_room(), Prefix()
    writer, reader = Guest(room, "w", plain), Guest(room, "r", plain)
    send(room, writer, typed(writer, "hi 😀 there"))
    room.flush()
    client = next(iter(room.clocks))
    # Unit 4 is the second half of the face.
    half = b"\x00\x01" + write_varuint(client) + b"\x01\x04\x01"
    send(room, writer, half)
    room.flush()
    assert not writer.refused
    assert str(reader.text) == "hi  there"
    assert text_of(room.state()) == "hi  there"
    send(room, writer, typed(writer, "!"))
    room.flush()
    assert str(reader.text) == "hi  there!"
    assert text_of(merge_updates(*(arrival.data for arrival in room.outbox))) == "hi  there!"


def test_a_member_that_left_is_not_among_those_it_has() -> None:
    room = new_room()
    guest = Guest(room, "g", Prefix())
    assert room.has(guest)
    room.hold_back(guest)
    assert room.has(guest)
    room.leave(guest, 0.0)
    assert not room.has(guest)

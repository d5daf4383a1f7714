"""Presence: who owns an entry, what the server stamps, when somebody is gone."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.awareness import MAX_CLIENTS_PER_MEMBER, NULL, Awareness, encode, parse, stamp
from crdt.lib0 import MalformedError, write_varuint


@dataclass(eq=False)
class Person:
    user: str

    @property
    def name(self) -> str:
        return self.user.title()


def announce(client: int, clock: int, state: object) -> bytes:
    return encode([(client, clock, json.dumps(state).encode())])


def states(update: bytes | None) -> dict[int, tuple[int, object]]:
    assert update is not None
    return {client: (clock, json.loads(state)) for client, clock, state in parse(update)}


def test_a_state_is_stamped_with_the_authenticated_user_and_keeps_the_rest() -> None:
    awareness = Awareness()
    awareness.receive(Person("ada"), announce(1, 1, {"user": {"name": "Mallory", "color": "#f00"}, "cursor": 3}), 0.0)
    assert states(awareness.take_changes()) == {
        1: (1, {"user": {"name": "Ada", "color": "#f00", "id": "ada"}, "cursor": 3})
    }


def test_entries_of_a_client_that_another_member_owns_are_dropped() -> None:
    awareness, ada, mallory = Awareness(), Person("ada"), Person("mallory")
    awareness.receive(ada, announce(1, 1, {"cursor": 1}), 0.0)
    awareness.take_changes()
    awareness.receive(mallory, announce(1, 9, {"cursor": 666}), 0.0)
    awareness.receive(mallory, announce(1, 10, None), 0.0)
    assert awareness.take_changes() is None
    assert states(awareness.encode_all())[1][0] == 1


def test_a_quick_reconnect_shows_neither_leave_nor_join() -> None:
    awareness, before, after = Awareness(linger=7.0), Person("ada"), Person("ada")
    awareness.receive(before, announce(1, 1, {"cursor": 1}), 0.0)
    awareness.take_changes()
    awareness.leave(before, 10.0)
    awareness.expire(15.0)
    assert awareness.take_changes() is None
    awareness.receive(after, announce(1, 2, {"cursor": 2}), 16.0)
    awareness.expire(18.0)
    assert states(awareness.take_changes())[1] == (2, {"cursor": 2, "user": {"id": "ada", "name": "Ada"}})


def test_one_who_left_is_offline_after_the_linger_time() -> None:
    awareness, ada = Awareness(linger=7.0), Person("ada")
    awareness.receive(ada, announce(1, 4, {}), 0.0)
    awareness.take_changes()
    awareness.leave(ada, 1.0)
    awareness.expire(8.1)
    assert states(awareness.take_changes()) == {1: (5, None)}
    assert awareness.encode_all() is None


def test_another_user_cannot_claim_the_entry_of_one_who_left() -> None:
    awareness, ada = Awareness(), Person("ada")
    awareness.receive(ada, announce(1, 1, {"cursor": 1}), 0.0)
    awareness.take_changes()
    awareness.leave(ada, 1.0)
    awareness.receive(Person("mallory"), announce(1, 2, {"cursor": 2}), 2.0)
    assert awareness.take_changes() is None


def test_a_returning_client_with_a_stale_clock_is_sent_a_null_for_itself() -> None:
    awareness, ada = Awareness(linger=1.0), Person("ada")
    awareness.receive(ada, announce(1, 7, {"cursor": 1}), 0.0)
    awareness.leave(ada, 0.0)
    awareness.expire(2.0)
    reply = awareness.receive(Person("ada"), announce(1, 7, {"cursor": 1}), 3.0)
    assert states(reply) == {1: (8, None)}


def test_silence_for_longer_than_the_protocol_allows_is_gone() -> None:
    awareness = Awareness()
    awareness.receive(Person("ada"), announce(1, 1, {}), 0.0)
    awareness.take_changes()
    awareness.expire(30.5)
    assert states(awareness.take_changes()) == {1: (2, None)}
    awareness.expire(70.0)
    assert not awareness.entries


def test_equal_clocks_change_nothing_but_going_offline() -> None:
    awareness, ada = Awareness(), Person("ada")
    awareness.receive(ada, announce(1, 1, {"a": 1}), 0.0)
    awareness.take_changes()
    awareness.receive(ada, announce(1, 1, {"a": 2}), 0.0)
    assert awareness.take_changes() is None
    awareness.receive(ada, announce(1, 1, None), 0.0)
    assert states(awareness.take_changes()) == {1: (1, None)}


def test_a_member_announces_a_bounded_number_of_clients() -> None:
    awareness, ada = Awareness(), Person("ada")
    for client in range(MAX_CLIENTS_PER_MEMBER + 10):
        awareness.receive(ada, announce(client, 1, {}), 0.0)
    assert len(awareness.entries) == MAX_CLIENTS_PER_MEMBER


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 100_000, b"\xff"])
def test_a_state_that_is_not_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        stamp(raw, Person("ada"))


def test_a_declared_count_is_compared_with_the_bytes_there() -> None:
    with pytest.raises(MalformedError, match="declares"):
        parse(write_varuint(400_000_000) + b"\x00" * 10)


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_malformed(data: bytes) -> None:
    awareness = Awareness()
    try:
        awareness.receive(Person("ada"), data, 0.0)
    except MalformedError:
        return
    assert len(awareness.entries) <= MAX_CLIENTS_PER_MEMBER
    assert all(entry.raw != NULL or entry.clock >= 0 for entry in awareness.entries.values())


def test_presence_of_another_node_is_shown_as_it_was_stamped_there() -> None:
    here, there = Awareness(), Awareness()
    there.receive(Person("ada"), announce(1, 1, {"cursor": 3}), 0.0)
    told = there.own_changes()
    assert told is not None
    here.receive_elsewhere("there", told, 0.0)
    assert here.own_changes() is None, "it would be told back for ever"
    assert here.encode_own() is None
    assert states(here.take_changes()) == {1: (1, {"cursor": 3, "user": {"id": "ada", "name": "Ada"}})}
    assert states(here.encode_all()).keys() == {1}


def test_a_member_that_moves_to_another_node_is_shown_without_a_break() -> None:
    before, after, ada = Awareness(linger=7.0), Awareness(linger=7.0), Person("ada")
    before.receive(ada, announce(1, 1, {"cursor": 1}), 0.0)
    before.take_changes()
    before.leave(ada, 1.0)
    after.receive(Person("ada"), announce(1, 2, {"cursor": 2}), 2.0)
    before.receive_elsewhere("after", after.encode_own() or b"", 2.0)
    before.expire(20.0)
    assert states(before.take_changes())[1][1] == {"cursor": 2, "user": {"id": "ada", "name": "Ada"}}
    assert before.encode_own() is None


def test_a_member_that_comes_from_another_node_takes_its_entry_along_and_strangers_do_not() -> None:
    awareness, there = Awareness(), Awareness()
    there.receive(Person("ada"), announce(1, 1, {"cursor": 1}), 0.0)
    awareness.receive_elsewhere("there", there.encode_own() or b"", 0.0)
    awareness.take_changes()
    awareness.receive(Person("mallory"), announce(1, 5, {"cursor": 666}), 1.0)
    assert awareness.take_changes() is None
    awareness.receive(Person("ada"), announce(1, 2, {"cursor": 2}), 1.0)
    assert states(awareness.own_changes())[1][0] == 2


def test_another_node_cannot_declare_a_member_gone_that_is_here() -> None:
    awareness, ada = Awareness(), Person("ada")
    awareness.receive(ada, announce(1, 1, {}), 0.0)
    awareness.take_changes()
    awareness.receive_elsewhere("there", encode([(1, 2, NULL)]), 1.0)
    assert awareness.take_changes() is None


def test_members_of_a_node_that_is_lost_are_gone_after_the_linger_time_unless_they_come_back() -> None:
    awareness, there = Awareness(linger=7.0), Awareness()
    for client in (1, 2):
        there.receive(Person(f"user-{client}"), announce(client, 1, {}), 0.0)
    awareness.receive_elsewhere("there", there.encode_own() or b"", 0.0)
    awareness.take_changes()
    awareness.lose_node("there", 1.0)
    awareness.receive(Person("user-2"), announce(2, 2, {}), 3.0)
    awareness.expire(9.0)
    shown = states(awareness.take_changes())
    assert (shown[1], shown[2][0]) == ((2, None), 2)

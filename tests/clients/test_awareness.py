"""Presence, stepped with a clock of the test's own."""

import contextlib
import json
from collections.abc import Set

import pytest
from collab_studio.awareness import Awareness, AwarenessChange, decode, encode
from collab_studio.errors import MalformedFrame
from hypothesis import given
from hypothesis import strategies as st

ANN, BOB = 11, 22


def table() -> tuple[Awareness, list[AwarenessChange]]:
    awareness = Awareness(ANN)
    changes: list[AwarenessChange] = []
    awareness.observe(changes.append)
    return awareness, changes


def sent(awareness: Awareness, now: float = 0.0) -> tuple[int, int, str]:
    update = awareness.take(now)
    assert update is not None
    (entry,) = decode(update)
    return entry


def change(added: Set[int] = frozenset(), updated: Set[int] = frozenset(), removed: Set[int] = frozenset()) -> object:
    return AwarenessChange(frozenset(added), frozenset(updated), frozenset(removed))


def test_the_bytes_of_one_entry() -> None:
    assert encode([(1, 2, "null")]) == bytes.fromhex("01 01 02 04 6E 75 6C 6C")
    assert decode(bytes.fromhex("01 01 02 04 6E 75 6C 6C")) == [(1, 2, "null")]


def test_nothing_is_told_until_something_is_set() -> None:
    awareness, _ = table()
    awareness.joined()
    awareness.tick(100.0)
    assert awareness.take(100.0) is None
    assert awareness.local is None


def test_what_is_set_is_told_once_with_a_rising_clock() -> None:
    awareness, _ = table()
    awareness.set_local({"user": {"name": "Ann"}})
    client, clock, text = sent(awareness)
    assert (client, json.loads(text)) == (ANN, {"user": {"name": "Ann"}})
    assert awareness.take(0.0) is None
    awareness.patch_local(cursor=3)
    client, later, text = sent(awareness)
    assert later > clock
    assert json.loads(text) == {"user": {"name": "Ann"}, "cursor": 3}


def test_leaving_is_told_as_null() -> None:
    awareness, _ = table()
    awareness.set_local({})
    awareness.take(0.0)
    awareness.set_local(None)
    assert sent(awareness)[2] == "null"


@pytest.mark.parametrize("state", [{"a": object()}, {"a": float("nan")}, {"a": "\ud800"}])
def test_what_has_no_json_form_is_refused_and_changes_nothing(state: dict[str, object]) -> None:
    awareness, _ = table()
    with pytest.raises((TypeError, ValueError)):
        awareness.set_local(state)
    assert awareness.local is None


def test_a_state_is_renewed_every_15_seconds() -> None:
    awareness, _ = table()
    awareness.set_local({"a": 1})
    clock = sent(awareness, 0.0)[1]
    awareness.tick(14.9)
    assert awareness.take(14.9) is None
    awareness.tick(15.0)
    assert sent(awareness, 15.0) == (ANN, clock + 1, '{"a":1}')


def test_others_come_change_and_leave() -> None:
    awareness, changes = table()
    awareness.receive(encode([(BOB, 1, '{"x":1}')]), 0.0)
    awareness.receive(encode([(BOB, 2, '{"x":2}')]), 0.0)
    assert awareness.others == {BOB: {"x": 2}}
    awareness.receive(encode([(BOB, 2, "null")]), 0.0)
    assert awareness.others == {}
    assert changes == [change(added={BOB}), change(updated={BOB}), change(removed={BOB})]


def test_an_old_clock_and_a_mere_renewal_are_no_change() -> None:
    awareness, changes = table()
    awareness.receive(encode([(BOB, 5, '{"x":1}')]), 0.0)
    awareness.receive(encode([(BOB, 4, '{"x":0}'), (BOB, 5, '{"x":0}')]), 0.0)
    awareness.receive(encode([(BOB, 6, '{"x":1}')]), 0.0)
    assert awareness.others == {BOB: {"x": 1}}
    assert len(changes) == 1


def test_whom_nobody_has_heard_of_for_30_seconds_is_gone() -> None:
    awareness, changes = table()
    awareness.receive(encode([(BOB, 1, "{}")]), 0.0)
    awareness.tick(30.0)
    assert BOB in awareness.others
    awareness.tick(30.1)
    assert changes[-1] == change(removed={BOB})


def test_without_a_connection_nobody_is_known() -> None:
    awareness, changes = table()
    awareness.receive(encode([(BOB, 9, "{}")]), 0.0)
    awareness.left()
    assert changes[-1] == change(removed={BOB})
    awareness.receive(encode([(BOB, 1, "{}")]), 1.0)
    assert BOB in awareness.others


def test_a_null_for_oneself_is_answered_with_a_later_clock() -> None:
    awareness, changes = table()
    awareness.set_local({"a": 1})
    awareness.take(0.0)
    awareness.receive(encode([(ANN, 40, "null")]), 0.0)
    assert sent(awareness) == (ANN, 41, '{"a":1}')
    assert changes == []


def test_an_echo_of_oneself_changes_nothing() -> None:
    awareness, changes = table()
    awareness.set_local({"a": 1})
    _, clock, _ = sent(awareness)
    awareness.receive(encode([(ANN, clock, '{"a":1,"user":{"id":"ann"}}')]), 0.0)
    assert awareness.take(0.0) is None
    assert awareness.local == {"a": 1}
    assert changes == []


@pytest.mark.parametrize("text", ["nonsense", "[1]", "3", "[" * 100_000])
def test_what_others_tell_that_is_no_object_counts_as_nothing(text: str) -> None:
    awareness, changes = table()
    awareness.receive(encode([(BOB, 1, text)]), 0.0)
    assert awareness.others == {}
    assert changes == []


def test_a_failing_observer_is_logged_and_the_others_are_called(caplog: pytest.LogCaptureFixture) -> None:
    awareness = Awareness(ANN)
    changes: list[AwarenessChange] = []

    def fail(_: AwarenessChange) -> None:
        raise RuntimeError("mine")

    awareness.observe(fail)
    end = awareness.observe(changes.append)
    awareness.receive(encode([(BOB, 1, "{}")]), 0.0)
    assert changes == [change(added={BOB})]
    assert "an awareness observer failed" in caplog.text
    end()
    awareness.receive(encode([(BOB, 2, "null")]), 0.0)
    assert len(changes) == 1


def test_a_count_without_entries_is_refused_before_anything_is_made() -> None:
    with pytest.raises(MalformedFrame, match="announced"):
        decode(bytes.fromhex("FF FF FF FF 0F 00 00 00"))


@given(st.binary(max_size=64))
def test_any_bytes_are_taken_or_malformed(update: bytes) -> None:
    awareness, _ = table()
    with contextlib.suppress(MalformedFrame):
        awareness.receive(update, 0.0)

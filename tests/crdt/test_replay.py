"""Documents out of their log."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Text
from random_documents import Session
from raw_updates import text, update
from whole_documents import document, everything_in

from crdt.replay import compact, replay, snapshot_of


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 20))
def test_a_snapshot_and_the_rest_is_the_same_as_the_whole_log(seed: int, at: int) -> None:
    session = Session(seed)
    whole = document(*session.updates)
    snapshot = compact(None, session.updates[:at])
    assert everything_in(replay(snapshot, session.updates[at:])) == everything_in(whole)
    assert everything_in(document(compact(snapshot, session.updates[at:]))) == everything_in(whole)


def test_a_bad_row_does_not_keep_a_document_from_opening(caplog: pytest.LogCaptureFixture) -> None:
    good = [update((5, 0, [text("good")])), update((7, 0, [text("!", origin=(5, 3))]))]
    misplaced = update((6, 0, [text("x", parent=(5, 0))]))
    doc = replay(b"\xff\xff", [good[0], b"\x05\x05\x05", misplaced, good[1], b"\xff" * 40_000])
    assert str(doc.get("content", type=Text)) == "good!"
    assert len(caplog.records) == 4


def test_an_update_of_many_joined_items_is_applied_in_parts() -> None:
    """In one transaction joining them would take hundreds of megabytes."""
    letters = 20_000
    typed = update((5, 0, [text("a"), *(text("a", origin=(5, clock)) for clock in range(letters - 1))]))
    doc: Doc[Any] = replay(None, [typed])
    assert str(doc.get("content", type=Text)) == "a" * letters


def test_a_snapshot_is_complete_or_there_is_none() -> None:
    first, second, third = (
        update((5, 0, [text("a")])),
        update((6, 0, [text("b", origin=(5, 0))])),
        update((7, 0, [text("c", origin=(6, 0))])),
    )
    assert snapshot_of(None, [first, third]) is None
    state = snapshot_of(None, [first, third, second])
    assert state is not None
    assert everything_in(document(state)) == everything_in(document(first, second, third))
    assert snapshot_of(None, [b"\xff", first]) is not None

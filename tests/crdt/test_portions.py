"""States in portions: small, in an order in which each builds on those before, and together the whole."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Map, Text
from random_documents import Session
from raw_updates import text, update
from whole_documents import document, everything_in

from crdt.portions import BYTES_A_DELETION, pieces, portions
from crdt.update import inspect_update

# The heads of sections and the head of an item.
MARGIN = 64


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 300))
def test_the_portions_are_the_whole(seed: int, size: int) -> None:
    session = Session(seed)
    for data in (session.whole, *session.states):
        assert everything_in(document(*portions(data, size))) == everything_in(document(data))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 300))
def test_portions_of_an_update_with_gaps_come_to_the_same_when_the_gaps_are_filled(seed: int, size: int) -> None:
    session = Session(seed)
    for data in session.merged:
        in_portions = document(*portions(data, size), session.whole)
        assert everything_in(in_portions) == everything_in(document(data, session.whole))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_each_portion_needs_only_what_was_before(seed: int) -> None:
    ends: dict[int, int] = {}
    for part in portions(Session(seed).whole, 40):
        shape = inspect_update(part)
        for client, clock, length in shape.structs:
            assert clock == ends.get(client, 0)
            ends[client] = clock + length
        assert all(end <= ends.get(client, 0) for client, end in shape.needs)
        assert all(clock + length <= ends[client] for client, clock, length in shape.deletions)


def test_many_strokes_and_deletions_are_spread_evenly() -> None:
    doc: Doc[Any] = Doc()
    content = doc.get("content", type=Text)
    for number in range(2_000):
        content.insert(number // 2, "abcdefgh")
    for number in range(0, 8_000, 10):
        del content[number : number + 1]
    data = doc.get_update()
    parts = portions(data, 1_000)
    assert max(map(len, parts)) <= 1_000 + MARGIN
    assert len(parts) <= 3 * len(data) / 1_000 + 1_000 * BYTES_A_DELETION / 1_000
    assert everything_in(document(*parts)) == everything_in(document(data))


@pytest.mark.parametrize("stroke", ["x" * 5_000, "é😀字" * 700, "😀" * 900])
def test_a_long_text_is_cut_between_characters(stroke: str) -> None:
    doc: Doc[Any] = Doc(client_id=7)
    content = doc.get("content", type=Text)
    content += "left right"
    content.insert(5, stroke)
    data = doc.get_update()
    parts = portions(data, 500)
    assert len(parts) >= len(stroke.encode()) / 500
    assert max(map(len, parts)) <= 500 + MARGIN
    copy = document(*parts)
    assert str(copy.get("content", type=Text)) == str(content)
    # One who has it in portions and one who has it whole have the same, down to the bytes, and may go on together.
    assert copy.get_update() == document(data).get_update()


def test_a_text_that_was_cut_and_one_that_was_not_are_edited_alike() -> None:
    doc: Doc[Any] = Doc(client_id=7)
    content = doc.get("content", type=Text)
    content += "0123456789" * 300
    whole, cut = document(doc.get_update()), document(*portions(doc.get_update(), 100))
    for copy, word in ((whole, "whole"), (cut, "cut")):
        text_of_copy = copy.get("content", type=Text)
        text_of_copy.insert(1_234, word)
        del text_of_copy[100:700]
    first, second = whole.get_update(), cut.get_update()
    whole.apply_update(second)
    cut.apply_update(first)
    assert everything_in(whole) == everything_in(cut)


def test_what_cannot_be_cut_stays_whole() -> None:
    doc: Doc[Any] = Doc()
    doc.get("map", type=Map)["image"] = b"\x01" * 5_000
    assert [len(part) > 5_000 for part in portions(doc.get_update(), 500)] == [True]


def test_a_text_under_a_key_stays_whole() -> None:
    item = b"\x24\x01\x07content\x01k" + b"\xd0\x0f" + b"x" * 2_000
    data = update((5, 0, [item]))
    inspect_update(data)
    assert portions(data, 500) == [data]


def test_the_origins_of_a_text_that_was_cut() -> None:
    data = update((5, 0, [text("ab"), text("wxyz" * 50, origin=(5, 0), right=(5, 1))]))
    parts = portions(data, 60)
    for part in parts:
        inspect_update(part)
    assert everything_in(document(*parts)) == everything_in(document(data))


def test_pieces_of_text() -> None:
    assert pieces(b"abcdef", 4) == [b"abcd", b"ef"]
    assert b"".join(pieces("é😀字".encode() * 100, 7)) == "é😀字".encode() * 100
    assert all(piece.decode() for piece in pieces("😀".encode() * 9, 5))

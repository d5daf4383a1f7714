"""The check of updates: what editors make passes, and what passes does the engine no harm."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Text, merge_updates
from random_documents import Session
from raw_updates import deletions, gc, item, skip, text, update

from crdt.lib0 import write_var_string, write_varuint
from crdt.structs import SKIP, read_structs
from crdt.update import (
    MAX_CLOCK,
    MalformedUpdate,
    OversizedUpdate,
    UpdateShape,
    check_state_vector,
    inspect_update,
)

LETTERS = text("hello")


def test_a_keystroke() -> None:
    typed = update((7, 12, [text("a", origin=(7, 11), right=(9, 3))]))
    assert inspect_update(typed) == UpdateShape(((7, 12, 1),), (), ((9, 4),), 1, notable=False)


def test_an_empty_update() -> None:
    assert inspect_update(b"\x00\x00") == UpdateShape((), ())


def test_adjacent_structs_and_deletions_are_joined() -> None:
    several = update(
        (5, 0, [LETTERS, text("!", origin=(5, 4)), gc(2), skip(3), gc(1)]),
        deletions=deletions((5, [(0, 1), (1, 2), (4, 1)]), (6, [(9, 1)])),
    )
    shape = inspect_update(several)
    assert shape.structs == ((5, 0, 8), (5, 11, 1))
    assert shape.deletions == ((5, 0, 3), (5, 4, 1), (6, 9, 1))
    assert shape.parts == 5


def test_lengths_of_text_are_utf16_units() -> None:
    shape = inspect_update(update((5, 0, [text("aé😀")])))
    assert shape.structs == ((5, 0, 4),)
    assert shape.notable


def test_needs_are_the_furthest_of_each_other_client() -> None:
    several = update(
        (5, 0, [text("a", origin=(8, 3)), text("b", origin=(8, 1), right=(9, 0)), item(8, b"\x01\x7e", parent=(3, 6))])
    )
    assert dict(inspect_update(several).needs) == {8: 4, 9: 1, 3: 7}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"", "too early"),
        (update((5, 0, [LETTERS]), deletions=b""), "too early"),
        (update((5, 0, [LETTERS]))[:-4], "inside a string"),
        (write_varuint(400_000_000) + b"\x00", "declared"),
        (b"\x01" + write_varuint(400_000_000) + b"\x05\x00\x00\x01", "declared"),
        (b"\x00" + write_varuint(400_000_000) + b"\x00", "declared"),
        (b"\x00\x01\x05" + write_varuint(400_000_000) + b"\x00", "declared"),
        (update((5, 0, [])), "without structs"),
        (update((5, 0, [LETTERS]), (5, 5, [LETTERS])), "two sections"),
        (update((5, 0, [gc(0)])), "no length"),
        (update((5, 0, [skip(0)])), "no length"),
        (update((5, 0, [text("")])), "no length"),
        (update((5, 0, [item(1, b"\x00")])), "no length"),
        (update((5, 0, [item(8, b"\x00")])), "no length"),
        (update((5, 0, [gc(MAX_CLOCK + 1)])), "clock"),
        (update((5, MAX_CLOCK, [LETTERS])), "clock"),
        (update((5, 0, [text("a", origin=(6, MAX_CLOCK))])), "clock"),
        (update((5, 3, [text("a", origin=(5, 3))])), "later"),
        (update((5, 3, [text("a", right=(5, 4))])), "later"),
        (update((5, 3, [text("a", parent=(5, 3))])), "later"),
        (update((5, 0, [item(4, write_var_string("a"), parent="")[:1] + b"\x02\x00\x01a"])), "neither"),
        (update((5, 0, [b"\x80\x01"])), "kind 0"),
        (update((5, 0, [item(11, b"\x01\x01\x01\x01\x01")])), "kind 11"),
        (update((5, 0, [item(20, write_var_string("a"))])), "kind 20"),
        (update((5, 0, [item(4, b"\x02\xff\xfe")])), "UTF-8"),
        (update((5, 0, [item(8, b"\x01\x7e", key="k"), item(8, b"\x01\x7e", key="k")])), "first time twice"),
        (b"\x01\x01" + b"\xff" * 7 + b"\x10" + b"\x00" + gc(1) + b"\x00", "2\\*\\*53"),
        (update(deletions=deletions((5, [(3, 1), (1, 1)]))), "out of order"),
        (update(deletions=deletions((5, [(1, 3), (2, 1)]))), "out of order"),
        (update(deletions=deletions((5, [(1, 0)]))), "out of order"),
        (update(deletions=deletions((5, [(1, 1)]), (5, [(3, 1)]))), "twice"),
        (update(deletions=deletions((5, [(MAX_CLOCK, 1)]))), "clock"),
    ],
)
def test_what_engines_would_choke_on_is_malformed(wrong: bytes, reason: str) -> None:
    with pytest.raises(MalformedUpdate, match=reason):
        inspect_update(wrong)


def test_bytes_after_the_end_are_ignored_as_the_engine_does() -> None:
    assert inspect_update(update((5, 0, [LETTERS])) + b"junk").structs == ((5, 0, 5),)
    doc: Doc[Text] = Doc()
    doc.apply_update(update((5, 0, [LETTERS])) + b"junk")
    assert str(doc.get("content", type=Text)) == "hello"


def test_limits() -> None:
    three = update((7, 0, [gc(1)]), (6, 0, [gc(1), gc(1)]), deletions=deletions((5, [(0, 1), (2, 1), (4, 1)])))
    inspect_update(three, max_clients=2, max_structs=3, max_deletions=3)
    for limits in ({"max_clients": 1}, {"max_structs": 2}, {"max_deletions": 2}):
        with pytest.raises(OversizedUpdate):
            inspect_update(three, **limits)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_what_editors_make_is_accepted_and_read_the_same_in_both_ways(seed: int) -> None:
    for data in Session(seed).everything:
        shape = inspect_update(data)
        sections, removed = read_structs(data)
        structs = [struct for section in sections.values() for struct in section]
        assert shape.parts == len(structs)
        lengths = sum(struct.length for struct in structs if struct.kind != SKIP)
        assert sum(length for *_, length in shape.structs) == lengths
        assert sum(length for *_, length in shape.deletions) == sum(length for *_, length in removed)
        needed = {
            (client, clock) for struct in structs for client, clock in struct.references if client != struct.client
        }
        furthest = {client: max(clock for other, clock in needed if other == client) + 1 for client, _ in needed}
        assert dict(shape.needs) == furthest


def mutated(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed))
        action = rng.randint(0, 4)
        if action == 0:
            changed[at] = rng.getrandbits(8)
        elif action == 1:
            changed[at] ^= 1 << rng.randrange(8)
        elif action == 2:
            changed[at] = rng.choice([0, 1, 4, 7, 8, 10, 127, 128, 255])
        elif action == 3 and len(changed) > 3:
            del changed[at : at + rng.randint(1, 2)]
        else:
            other = rng.randrange(len(changed))
            changed[at:at] = changed[other : other + rng.randint(1, 10)]
    return bytes(changed)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_accepted_is_applied_or_refused_but_never_worse(seed: int) -> None:
    """An exception of the engine's own, PanicException, is no Exception: it would fail the test."""
    rng = random.Random(seed)
    session = Session(seed, edits=25)
    whole: Doc[Text] = Doc()
    whole.apply_update(session.whole)
    for _ in range(60):
        data = mutated(rng.choice(session.everything), rng)
        try:
            inspect_update(data)
        except MalformedUpdate:
            continue
        for doc in (Doc(), whole):
            try:
                doc.apply_update(data)
            except (ValueError, RuntimeError):
                continue
            inspect = check_state_vector(doc.get_state())
            assert all(clock <= MAX_CLOCK for clock in inspect.values())
            doc.get_update()


@given(st.binary(max_size=200))
def test_any_bytes_are_an_update_or_malformed(data: bytes) -> None:
    for check in (inspect_update, check_state_vector):
        try:
            check(data)
        except MalformedUpdate:
            continue


def test_the_merged_update_of_a_turn_is_accepted() -> None:
    session = Session(3)
    shape = inspect_update(merge_updates(*session.updates))
    assert {client for client, _, _ in shape.structs} <= {doc.client_id for doc in session.docs}


def test_state_vectors() -> None:
    doc = Session(1).docs[0]
    clocks = check_state_vector(doc.get_state())
    assert doc.client_id in clocks
    assert check_state_vector(b"\x00") == {}
    assert check_state_vector(b"\x02\x05\x01\x06\x02") == {5: 1, 6: 2}


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x01\x05", write_varuint(400_000_000), b"\x02\x05\x01", b"\x01\x05" + write_varuint(2**31)],
)
def test_bad_state_vectors(data: bytes) -> None:
    with pytest.raises(MalformedUpdate):
        check_state_vector(data)


def test_too_large_state_vectors() -> None:
    with pytest.raises(OversizedUpdate):
        check_state_vector(b"\x02\x05\x01\x06\x02", max_clients=1)

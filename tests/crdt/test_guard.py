"""Updates that would break the document they are for."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Text
from random_documents import Session
from raw_updates import deletions, item, text, update

from crdt.guard import MAX_NESTING, Guard, depths_in
from crdt.item_content import TYPE
from crdt.structs import read_structs
from crdt.update import MalformedUpdate, check_state_vector, inspect_update

ARRAY, MAP = b"\x00", b"\x01"


class Guarded:
    """A document behind its guard."""

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc()
        self.asked = 0
        self.guard = Guard(self.state)

    def state(self) -> bytes:
        self.asked += 1
        return self.doc.get_update()

    def take(self, *updates: bytes) -> None:
        for data in updates:
            self.guard.check(data, inspect_update(data), check_state_vector(self.doc.get_state()))
            self.doc.apply_update(data)

    def refuses(self, data: bytes, reason: str) -> None:
        before = self.doc.get_update()
        with pytest.raises(MalformedUpdate, match=reason):
            self.take(data)
        assert self.doc.get_update() == before


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_editors_are_never_refused(seed: int) -> None:
    session = Session(seed, edits=60)
    live = Guarded()
    live.take(*session.updates, *session.states)
    late = Guarded()
    late.take(session.states[0], *session.merged, *session.updates, session.whole)


def test_typing_costs_no_look_at_the_document() -> None:
    live = Guarded()
    live.take(update((5, 0, [text("a")])))
    for clock in range(1, 20):
        live.take(update((5, clock, [text("é", origin=(5, clock - 1))])))
    assert live.asked == 1


@pytest.mark.parametrize(
    "half",
    [
        update(deletions=deletions((5, [(1, 1)]))),
        update(deletions=deletions((5, [(2, 1)]))),
        update((6, 0, [text("x", origin=(5, 1))])),
        update((6, 0, [text("x", right=(5, 2))])),
        update((5, 2, [text("xx", origin=(5, 1))])),
    ],
)
def test_a_character_is_not_cut_in_half(half: bytes) -> None:
    """The engine would lose count of the clocks: what it encodes then has another length than what it holds."""
    live = Guarded()
    live.take(update((5, 0, [text("a😀b")])))
    live.refuses(half, "half")
    loaded = Guarded()
    loaded.doc.apply_update(update((5, 0, [text("a😀b")])))
    loaded.refuses(half, "half")


def test_nor_within_one_update() -> None:
    Guarded().refuses(update((6, 0, [text("x", origin=(5, 1))]), (5, 0, [text("a😀b")])), "half")


def test_nor_at_the_end_of_what_the_document_has() -> None:
    live = Guarded()
    live.take(update((5, 0, [text("a\ufffd")])))
    live.refuses(update((5, 0, [text("a😀b")])), "half")


def test_edits_around_a_long_character_are_taken() -> None:
    live = Guarded()
    live.take(
        update((5, 0, [text("a😀b")])),
        update((6, 0, [text("x", origin=(5, 2), right=(5, 3))])),
        update(deletions=deletions((5, [(1, 2)]))),
    )
    assert str(live.doc.get("content", type=Text)) == "axb"


def nested(client: int, clock: int, parent: tuple[int, int]) -> bytes:
    return update((client, clock, [item(TYPE, MAP, parent=parent, key="k")]))


def test_types_are_nested_only_so_deep_by_many_updates() -> None:
    live = Guarded()
    live.take(update((5, 0, [item(TYPE, MAP, key="k")])))
    for clock in range(1, MAX_NESTING):
        live.take(nested(5, clock, (5, clock - 1)))
    live.refuses(nested(5, MAX_NESTING, (5, MAX_NESTING - 1)), "nested")
    live.take(update((6, 0, [item(TYPE, MAP, parent=(5, 3), key="other")])))


def test_types_are_nested_only_so_deep_by_one_update() -> None:
    levels = [item(TYPE, MAP, key="k"), *(item(TYPE, MAP, parent=(5, clock), key="k") for clock in range(MAX_NESTING))]
    Guarded().refuses(update((5, 0, levels)), "nested")
    live = Guarded()
    live.take(update((5, 0, levels[:-1])))
    assert max(depths_in(read_structs(live.doc.get_update())[0]).values()) == MAX_NESTING


def test_types_that_wait_for_their_parents_are_not_nested_deeper() -> None:
    """Children first: the depth shows only when the outermost comes, and then it is too late."""
    live = Guarded()
    for client in range(3 * MAX_NESTING, 2 * MAX_NESTING + 1, -1):
        live.take(nested(client + 1, 0, (client, 0)))
    live.refuses(nested(2 * MAX_NESTING + 2, 0, (2 * MAX_NESTING + 1, 0)), "nested")


def test_overestimated_depths_are_worked_out_again() -> None:
    """Beside a plain value a type's depth is not known at once; chains of such must not be mistaken for nesting."""
    live = Guarded()
    live.take(update((5, 0, [item(TYPE, ARRAY)])))
    clock = 1
    for _ in range(MAX_NESTING):
        live.take(
            update((5, clock, [item(8, b"\x01\x7e", parent=(5, 0)) if clock == 1 else text("x", parent="other")])),
            update((5, clock + 1, [item(TYPE, ARRAY, origin=(5, 1))])),
            update((5, clock + 2, [item(TYPE, ARRAY, parent=(5, clock + 1))])),
        )
        clock += 3
    assert max(depths_in(read_structs(live.doc.get_update())[0]).values()) == 3


def test_items_are_placed_in_shared_types_only() -> None:
    live = Guarded()
    live.take(update((5, 0, [text("hello")])))
    live.refuses(update((6, 0, [text("x", parent=(5, 0))])), "no shared type")
    live.refuses(update((6, 0, [text("a"), text("x", parent=(6, 0))])), "no shared type")


def test_what_others_wait_for_must_be_a_shared_type() -> None:
    live = Guarded()
    live.take(update((6, 0, [text("x", parent=(5, 0))])))
    live.refuses(update((5, 0, [text("hello")])), "no shared type")
    live.take(update((5, 0, [item(TYPE, ARRAY)])))
    live.refuses(update((5, 1, [text("x", parent=(6, 0))])), "no shared type")


def test_a_type_that_was_deleted_before_still_takes_late_items() -> None:
    live = Guarded()
    live.doc.apply_update(update((5, 0, [item(TYPE, ARRAY)]), deletions=deletions((5, [(0, 1)]))))
    live.take(update((6, 0, [item(8, b"\x01\x7e", parent=(5, 0))])))
    array: Array[object] = live.doc.get("content", type=Array)
    assert len(array) == 0

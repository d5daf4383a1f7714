"""Large updates in parts: together they are the whole, and each can be applied after those before."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_documents import Session
from raw_updates import deletions, gc, text, update
from whole_documents import document, everything_in

from crdt.split import causal_order, split_update
from crdt.structs import read_structs
from crdt.update import inspect_update


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_the_parts_are_the_whole(seed: int, size: int) -> None:
    session = Session(seed)
    for data in (session.whole, *session.states):
        parts = split_update(data, size)
        shapes = [inspect_update(part) for part in parts]
        assert all(shape.parts <= size for shape in shapes)
        assert sum(shape.parts for shape in shapes) == inspect_update(data).parts
        assert everything_in(document(*parts)) == everything_in(document(data))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 10))
def test_parts_of_an_update_with_gaps_come_to_the_same_when_the_gaps_are_filled(seed: int, size: int) -> None:
    session = Session(seed)
    for data in session.merged:
        in_parts = document(*split_update(data, size), session.whole)
        assert everything_in(in_parts) == everything_in(document(data, session.whole))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_each_part_needs_only_what_was_before(seed: int) -> None:
    ends: dict[int, int] = {}
    for part in split_update(Session(seed).whole, 3):
        shape = inspect_update(part)
        for client, clock, length in shape.structs:
            assert clock == ends.get(client, 0)
            ends[client] = clock + length
        assert all(end <= ends.get(client, 0) for client, end in (*shape.needs,))
        assert all(clock + length <= ends[client] for client, clock, length in shape.deletions)


def test_a_small_update_stays_as_it_is() -> None:
    data = update((5, 0, [gc(1), gc(1)]), deletions=deletions((5, [(0, 1)])))
    assert split_update(data, 3) == [data]
    assert len(split_update(data, 2)) == 2


def test_clients_that_wait_for_each_other_end() -> None:
    data = update((6, 0, [text("a", origin=(5, 0))]), (5, 0, [text("b", origin=(6, 0))]))
    assert len(split_update(data, 1)) == 2


@pytest.mark.parametrize("order", [(8, 7, 6), (6, 7, 8)])
def test_where_nothing_else_matters_higher_clients_come_first(order: tuple[int, ...]) -> None:
    sections, _ = read_structs(update(*((client, 0, [text("a")]) for client in order)))
    assert [struct.client for struct in causal_order(sections)] == [8, 7, 6]

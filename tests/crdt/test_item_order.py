"""The order of a document's items is the engine's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Text
from random_documents import Session
from raw_updates import deletions, item, skip, text, update
from whole_documents import document

from crdt import item_order
from crdt.item_content import STRING
from crdt.item_order import ItemOrder, TooInvolvedError
from crdt.lib0 import read_var_string


def read(order: ItemOrder, root: str) -> str:
    parts = []
    for placed in order.sequence(root):
        if placed.struct.kind == STRING:
            characters, _ = read_var_string(order.state, placed.struct.content)
            units = characters.encode("utf-16-le")
            parts.append(units[2 * placed.offset : 2 * (placed.offset + placed.length)])
    return b"".join(parts).decode("utf-16-le")


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32))
def test_text_is_in_the_order_of_the_engine(seed: int) -> None:
    session = Session(seed, edits=60)
    for state in (*session.states, session.whole):
        order = ItemOrder(state)
        doc = document(state)
        assert read(order, "text") == str(doc.get("text", type=Text))
        assert read(order, "embeds") == str(doc.get("embeds", type=Text))


@pytest.mark.parametrize("clients", [(6, 7, 8), (8, 7, 6), (7, 8, 6)])
def test_edits_at_one_place_at_the_same_time(clients: tuple[int, ...]) -> None:
    first = update((5, 0, [text("ab")]))
    theirs = [
        update((client, 0, [text(f"<{client}", origin=(5, 0), right=(5, 1)), text(">", origin=(client, 1))]))
        for client in clients
    ]
    doc = document(first, *theirs)
    assert read(ItemOrder(doc.get_update()), "content") == str(doc.get("content", type=Text))


def test_an_item_beside_the_middle_of_another_cuts_it() -> None:
    data = update(
        (6, 0, [text("X", origin=(5, 1), right=(5, 2))]),
        (5, 0, [text("abcd")]),
        deletions=deletions((5, [(1, 2)])),
    )
    assert read(ItemOrder(data), "content") == str(document(data).get("content", type=Text)) == "aXd"


def test_keys_hold_the_last_value() -> None:
    first = item(8, b"\x01\x77\x03one", key="k")
    data = update(
        (5, 0, [first, item(8, b"\x01\x77\x03two", origin=(5, 0)), item(8, b"\x01\x7e", key="gone")]),
        deletions=deletions((5, [(2, 1)])),
    )
    ((key, placed),) = ItemOrder(data).entries("content")
    assert (key, placed.clock, placed.sub) == ("k", 1, "k")


def test_items_beside_what_is_not_there_are_left_out() -> None:
    data = update((6, 0, [text("x", origin=(9, 9))]), (5, 0, [skip(3), text("y", origin=(5, 1)), text("z")]))
    assert read(ItemOrder(data), "content") == "z"


def test_a_document_made_to_be_slow_has_not_to_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_order, "MAX_COMPARISONS", 1000)
    count = 60
    slow = [text("a" * count), *(text("b", right=(5, clock)) for clock in range(count))]
    with pytest.raises(TooInvolvedError):
        ItemOrder(update((5, 0, slow)))

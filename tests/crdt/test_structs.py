"""Updates taken apart into structs, and put together again."""

from hypothesis import given, settings
from hypothesis import strategies as st
from random_documents import Session
from raw_updates import deletions, gc, item, skip, text, update
from whole_documents import document, everything_in

from crdt.item_content import ANY, STRING
from crdt.structs import GC, SKIP, StructIndex, read_structs, write_update


def test_every_field_is_read() -> None:
    data = update(
        (9, 4, [text("aé", origin=(9, 3), right=(7, 1)), item(8, b"\x02\x7e\x7e", parent=(7, 5), key="k"), gc(3)]),
        (7, 0, [skip(2), text("x", parent="root")]),
        deletions=deletions((9, [(4, 1), (7, 2)])),
    )
    sections, removed = read_structs(data)
    first, second, third = sections[9]
    assert (first.clock, first.length, first.kind, first.origin, first.right_origin) == (4, 2, STRING, (9, 3), (7, 1))
    assert (first.parent, first.parent_sub, first.references) == (None, None, ((9, 3), (7, 1)))
    assert (second.clock, second.length, second.kind, second.parent, second.parent_sub) == (6, 2, ANY, (7, 5), "k")
    assert second.references == ((7, 5),)
    assert data[second.content : second.end] == b"\x02\x7e\x7e"
    assert (third.clock, third.length, third.kind) == (8, 3, GC)
    assert [(struct.clock, struct.length, struct.kind) for struct in sections[7]] == [(0, 2, SKIP), (2, 1, STRING)]
    assert sections[7][1].parent == "root"
    assert removed == [(9, 4, 1), (9, 7, 2)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_an_update_written_again_is_the_same_to_the_engine(seed: int) -> None:
    session = Session(seed)
    for data in session.states:
        sections, removed = read_structs(data)
        again = write_update(data, (struct for section in sections.values() for struct in section), removed)
        assert len(again) == len(data)
        assert everything_in(document(again)) == everything_in(document(data))


def test_skips_at_the_ends_of_a_section_are_not_written() -> None:
    data = update((9, 0, [skip(2), gc(1), skip(2), gc(1), skip(4)]), (7, 0, [skip(3)]))
    sections, _ = read_structs(data)
    written = write_update(data, (struct for section in sections.values() for struct in section), ())
    assert written == update((9, 2, [gc(1), skip(2), gc(1)]))


def test_structs_are_found_by_the_ids_they_hold() -> None:
    sections, _ = read_structs(update((9, 4, [text("abc", parent="root"), gc(2)])))
    index = StructIndex(sections)
    assert [index.holding((9, clock)) for clock in (3, 4, 6, 7, 8, 9)] == [
        None,
        sections[9][0],
        sections[9][0],
        sections[9][1],
        sections[9][1],
        None,
    ]
    assert index.holding((8, 4)) is None

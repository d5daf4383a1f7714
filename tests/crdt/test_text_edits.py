"""Edits of text by code points, over emoji, combining marks, formatting and what is embedded."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text, XmlFragment, XmlText

from crdt.edits import MAX_EDITS, EditError, Splice
from crdt.text_edits import plain_text, replace_text_of, splice_text, text_changes

CHARACTERS = st.text(alphabet="ab \né\u0301😀字\u200d👩\r", max_size=30)


def text_of(characters: str) -> Text:
    doc: Doc[Text] = Doc()
    doc["content"] = Text(characters)
    return doc["content"]


@given(CHARACTERS, CHARACTERS)
def test_replacing_makes_the_new_text(old: str, new: str) -> None:
    text = text_of(old)
    replace_text_of(text, new)
    assert str(text) == new


@given(CHARACTERS, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), CHARACTERS), max_size=5))
def test_splices_apply_one_after_the_other(old: str, edits: list[tuple[int, int, str]]) -> None:
    text, expected, splices = text_of(old), old, []
    for at, length, insert in edits:
        position = min(at, len(expected))
        delete = min(length, len(expected) - position)
        splices.append(Splice(position, delete, insert))
        expected = expected[:position] + insert + expected[position + delete :]
    splice_text(text, splices)
    assert str(text) == expected


@given(CHARACTERS, CHARACTERS, st.lists(st.integers(0, 30), min_size=1, max_size=3))
def test_what_is_embedded_stays(old: str, new: str, places: list[int]) -> None:
    text = text_of(old)
    for place in places:
        before = old[: min(place, len(old))].encode()
        text.insert_embed(len(before) if str(text) == old and len(text) == len(old.encode()) else 0, {"image": 1})
    replace_text_of(text, new)
    assert str(text) == new
    assert all(isinstance(chunk, str) or chunk == {"image": 1} for chunk, _ in text.diff())


def test_what_is_embedded_at_the_ends_of_a_deletion_stays() -> None:
    text = text_of("abc")
    text.insert_embed(2, {"on": "right"})
    text.insert_embed(1, {"on": "left"})
    splice_text(text, [Splice(1, 1, "X")])
    assert [chunk for chunk, _ in text.diff()] == ["a", {"on": "left"}, "X", {"on": "right"}, "c"]


def test_a_text_with_embedded_strings_is_not_edited() -> None:
    """They are read like characters; an offset worked out from them would be wrong, or inside of a character."""
    text = text_of("aé")
    text.insert_embed(1, "éé")
    with pytest.raises(EditError) as caught:
        splice_text(text, [Splice(1, 1, "X")])
    assert caught.value.code == "unsupported"


def test_formatting_stays() -> None:
    text = text_of("one two three")
    text.format(4, 7, {"bold": True})
    replace_text_of(text, "1 one two three 3")
    assert text.diff() == [("1 one ", None), ("two", {"bold": True}), (" three 3", None)]


def test_xml_text_is_edited_without_its_markup() -> None:
    doc: Doc[Any] = Doc()
    fragment = doc.get("default", type=XmlFragment)
    text = XmlText("héllo")
    fragment.children.append(text)
    text.format(0, 3, {"bold": {}})
    replace_text_of(text, "hé llo😀")
    assert plain_text(text) == "hé llo😀"


def test_untouched_text_keeps_its_items() -> None:
    text = text_of("first line\nsecond line\nthird line\n")
    updates: list[bytes] = []
    text.doc.observe(lambda event: updates.append(event.update))
    with text.doc.transaction():
        replace_text_of(text, "first line\nsecond lines\nnew\nthird line\n")
    assert len(updates) == 1
    assert b"first" not in updates[0]
    assert b"third" not in updates[0]


def test_changes_are_few_and_at_the_ends_of_words() -> None:
    assert text_changes("the quick brown fox", "the slow brown fox") == [(4, 9, 4, 8)]
    assert text_changes("a\nb\nc\n", "a\nb\nb2\nc\n") == [(4, 4, 4, 7)]


@pytest.mark.parametrize("splice", [Splice(-1, 0, "x"), Splice(4, 0, "x"), Splice(2, 2, ""), Splice(0, -1, "")])
def test_positions_outside_of_the_text(splice: Splice) -> None:
    with pytest.raises(EditError) as caught:
        splice_text(text_of("a😀b"), [splice])
    assert caught.value.code == "out_of_range"


def test_half_a_surrogate_pair_and_too_many_splices() -> None:
    with pytest.raises(EditError) as caught:
        splice_text(text_of(""), [Splice(0, 0, "\ud83d")])
    assert caught.value.code == "bad_value"
    with pytest.raises(EditError) as caught:
        splice_text(text_of(""), [Splice(0, 0, "")] * (MAX_EDITS + 1))
    assert caught.value.code == "too_many"

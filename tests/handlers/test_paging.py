"""Cursors come back as they went out, and nothing else is taken for one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.paging import decode_cursor, encode_cursor, page_of
from handlers.registry import InvalidRequest

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)


@given(st.tuples(TEXT, st.integers(-(2**63), 2**63 - 1)))
def test_a_cursor_comes_back(key: tuple[str, int]) -> None:
    cursor = encode_cursor("things.list", key)
    assert cursor.isascii()
    assert "=" not in cursor
    assert decode_cursor("things.list", cursor, tuple[str, int]) == key


def test_no_cursor_is_the_beginning() -> None:
    assert decode_cursor("things.list", None, str) is None


@given(st.text(max_size=100))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_cursor("things.list", text, str)
    assert refused.value.code == "bad_cursor"


@given(st.binary(max_size=100))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor("things.list", base64.urlsafe_b64encode(data).decode(), str)


def test_a_cursor_of_another_list_or_type_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor("things.list", encode_cursor("parts.list", "a"), str)
    with pytest.raises(InvalidRequest):
        decode_cursor("things.list", encode_cursor("things.list", 5), str)


def test_a_cursor_holds_nothing_that_a_database_refuses() -> None:
    for key in ("a\0", ["a", "\0"]):
        with pytest.raises(InvalidRequest):
            decode_cursor("things.list", encode_cursor("things.list", key), str | list[str])


def test_the_row_too_many_only_says_that_there_is_more() -> None:
    page = page_of(["a", "b", "c"], 2, "things.list", key=lambda row: row, item=str.upper)
    assert page.items == ["A", "B"]
    assert page.next_cursor is not None
    assert decode_cursor("things.list", page.next_cursor, str) == "b"


@pytest.mark.parametrize("rows", [[], ["a"], ["a", "b"]])
def test_the_last_page_has_no_cursor(rows: list[str]) -> None:
    page = page_of(rows, 2, "things.list", key=lambda row: row, item=str)
    assert (page.items, page.next_cursor) == (rows, None)

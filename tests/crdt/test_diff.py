"""Differences: in hunks for people, in operations for programs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_samples import VALUES

from crdt.diff import diff_json, diff_text
from crdt.edits import EditError, PointerEdit
from crdt.json_pointer import apply_to_json
from crdt.json_values import canonical, storable

CHARACTERS = st.text(alphabet="ab \né😀", max_size=30)


@given(CHARACTERS, CHARACTERS)
def test_hunks_are_both_texts(old: str, new: str) -> None:
    hunks = diff_text(old, new)
    assert "".join(hunk.text for hunk in hunks if hunk.op != "insert") == old
    assert "".join(hunk.text for hunk in hunks if hunk.op != "delete") == new
    for hunk in hunks:
        assert hunk.text
        assert hunk.op == "insert" or old.startswith(hunk.text, hunk.old)
        assert hunk.op == "delete" or new.startswith(hunk.text, hunk.new)


def test_hunks_in_words() -> None:
    assert diff_text("one two three\nfour\n", "one 2 three\nfour\nfive\n") == [
        ("equal", "one ", 0, 0),
        ("delete", "two", 4, 4),
        ("insert", "2", 7, 4),
        ("equal", " three\nfour\n", 7, 5),
        ("insert", "five\n", 19, 17),
    ]
    assert diff_text("same", "same") == [("equal", "same", 0, 0)]
    assert diff_text("", "") == []


@given(VALUES, VALUES)
def test_operations_make_the_one_of_the_other(old: Any, new: Any) -> None:
    operations = diff_json(old, new)
    edits = [PointerEdit(each["op"], each["path"], each.get("value")) for each in operations]
    assert canonical(apply_to_json(storable(old), edits)) == canonical(storable(new))
    assert diff_json(new, new) == []


def test_operations_are_few_and_in_order() -> None:
    old = {"b": [1, 2, 3], "a": {"x": 1}, "c": 1}
    new = {"c": 1.0, "b": [1, 3, 4], "a": {"x": "1"}, "d": None}
    assert diff_json(old, new) == [
        {"op": "replace", "path": "/a/x", "value": "1", "old": 1},
        {"op": "add", "path": "/b/3", "value": 4},
        {"op": "remove", "path": "/b/1", "old": 2},
        {"op": "add", "path": "/d", "value": None},
    ]
    assert diff_json(1, True) == [{"op": "replace", "path": "", "value": True, "old": 1}]


def test_what_is_not_json() -> None:
    with pytest.raises(EditError):
        diff_json(float("nan"), 1)

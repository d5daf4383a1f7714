"""Pointers and operations on plain JSON."""

from typing import Any

import pytest

from crdt.edits import MAX_EDITS, EditError, PointerEdit
from crdt.json_pointer import apply_to_json, join_pointer, parse_pointer


def test_pointers_of_the_standard() -> None:
    assert parse_pointer("") == []
    assert parse_pointer("/") == [""]
    assert parse_pointer("/a~1b/m~0n/0/~01") == ["a/b", "m~n", "0", "~1"]
    assert join_pointer(["a/b", "m~n", 0, "~1"]) == "/a~1b/m~0n/0/~01"
    assert join_pointer([]) == ""


@pytest.mark.parametrize("pointer", ["a", "/a~", "/a~2", "#/a", 5])
def test_what_is_no_pointer(pointer: Any) -> None:
    with pytest.raises(EditError) as caught:
        parse_pointer(pointer)
    assert caught.value.code == "bad_pointer"


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([("add", "/new", 1)], {"a": [1, {"b": 2}], "c": None, "new": 1}),
        ([("add", "/c", 3)], {"a": [1, {"b": 2}], "c": 3}),
        ([("add", "/a/0", 0), ("add", "/a/-", 9)], {"a": [0, 1, {"b": 2}, 9], "c": None}),
        ([("replace", "/a/1/b", "x"), ("remove", "/c", None)], {"a": [1, {"b": "x"}]}),
        ([("remove", "/a/0", None), ("test", "/a/0/b", 2.0)], {"a": [{"b": 2}], "c": None}),
        ([("test", "/c", None), ("replace", "", {"z": 1})], {"z": 1}),
        ([("add", "/a/1/list", []), ("add", "/a/1/list/-", {"deep": True})], None),
    ],
)
def test_operations(edits: list[tuple[str, str, Any]], expected: Any) -> None:
    value = apply_to_json({"a": [1, {"b": 2}], "c": None}, [PointerEdit(*edit) for edit in edits])
    assert value == (expected or {"a": [1, {"b": 2, "list": [{"deep": True}]}], "c": None})


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (("move", "/a", None), "bad_value"),
        (("remove", "", None), "bad_pointer"),
        (("remove", "/x", None), "not_found"),
        (("replace", "/x", 1), "not_found"),
        (("add", "/x/y", 1), "not_found"),
        (("add", "/c/y", 1), "not_found"),
        (("add", "/a/3", 1), "not_found"),
        (("add", "/a/01", 1), "bad_pointer"),
        (("replace", "/a/-", 1), "bad_pointer"),
        (("replace", "/a/2", 1), "not_found"),
        (("replace", "/a/x", 1), "bad_pointer"),
        (("test", "/a/0", True), "test_failed"),
        (("test", "/a/9", 1), "not_found"),
        (("add", "/x", float("nan")), "bad_value"),
    ],
)
def test_operations_that_cannot_be_made(edit: tuple[str, str, Any], code: str) -> None:
    with pytest.raises(EditError) as caught:
        apply_to_json({"a": [1, {"b": 2}], "c": None}, [PointerEdit(*edit)])
    assert caught.value.code == code


def test_too_many_operations() -> None:
    with pytest.raises(EditError) as caught:
        apply_to_json({}, [PointerEdit("test", "", {})] * (MAX_EDITS + 1))
    assert caught.value.code == "too_many"

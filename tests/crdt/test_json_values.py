"""JSON values on their way into documents and out of them."""

from typing import Any

import pytest
from hypothesis import given
from json_samples import OBJECTS, VALUES
from pycrdt import Array, Doc, Map, Text

from crdt.edits import EditError
from crdt.json_values import MAX_DEPTH, MAX_VALUES, canonical, read_shared, storable


@given(VALUES)
def test_a_storable_value_is_storable_as_it_is(value: Any) -> None:
    once = storable(value)
    assert canonical(storable(once)) == canonical(once)


@given(OBJECTS)
def test_what_is_stored_is_read(value: dict[str, Any]) -> None:
    doc: Doc[Any] = Doc()
    shared: Map[Any] = doc.get("map", type=Map)
    for key, item in storable(value).items():
        shared[key] = item
    assert canonical(storable(read_shared(shared))) == canonical(storable(value))


def test_numbers_are_those_of_javascript() -> None:
    assert storable([1.0, -0.0, 2**53 - 1, 2**60, 1.5]) == [1, 0, 2**53 - 1, float(2**60), 1.5]
    assert [type(number) for number in storable([1.0, 2**60])] == [int, float]
    assert storable(True) is True


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "bad_value"),
        (float("inf"), "bad_value"),
        (10**400, "bad_value"),
        ("\ud800", "bad_value"),
        ({"\ud800": 1}, "bad_value"),
        ({1: 1}, "bad_value"),
        (b"bytes", "bad_value"),
        ({1, 2}, "bad_value"),
        ([0] * (MAX_VALUES + 1), "too_large"),
    ],
)
def test_what_no_document_can_hold(value: Any, code: str) -> None:
    with pytest.raises(EditError) as caught:
        storable(value)
    assert caught.value.code == code


def test_nesting_has_an_end() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    storable(value)
    with pytest.raises(EditError) as caught:
        storable([value])
    assert caught.value.code == "too_deep"


def test_everything_shared_has_a_json() -> None:
    doc: Doc[Any] = Doc()
    shared: Map[Any] = doc.get("map", type=Map)
    shared["b"] = Text("é😀")
    shared["a"] = Map({"list": Array([1, None, Map({"x": 1.5})])})
    shared["bytes"] = b"\x01\x02"
    shared["nan"] = float("nan")
    shared["doc"] = Doc(guid="g")
    expected = {
        "a": {"list": [1, None, {"x": 1.5}]},
        "b": "é😀",
        "bytes": [1, 2],
        "doc": {"guid": "g"},
        "nan": None,
    }
    assert read_shared(shared) == expected
    assert list(read_shared(shared)) == sorted(expected)

"""Shared maps and arrays made to hold a JSON value: what stays is left alone."""

from typing import Any

from hypothesis import given
from json_samples import OBJECTS
from pycrdt import Array, Doc, Map, Text

from crdt.json_edits import build_nested, replace_map
from crdt.json_values import canonical, read_shared, storable


def map_of(doc: Doc[Any]) -> Map[Any]:
    shared: Map[Any] = doc.get("map", type=Map)
    return shared


@given(OBJECTS, OBJECTS)
def test_the_map_holds_the_value_and_a_second_time_nothing_changes(old: dict[str, Any], new: dict[str, Any]) -> None:
    doc: Doc[Any] = Doc()
    for value in (storable(old), storable(new)):
        replace_map(map_of(doc), value, build_nested)
        assert canonical(storable(read_shared(map_of(doc)))) == canonical(value)
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    replace_map(map_of(doc), storable(new), build_nested)
    doc.unobserve(subscription)
    assert updates == []


def test_a_text_in_a_map_is_edited_and_not_replaced() -> None:
    doc: Doc[Any] = Doc()
    shared = map_of(doc)
    shared["name"] = Text("hello world")
    other: Doc[Any] = Doc()
    other.apply_update(doc.get_update())
    replace_map(shared, {"name": "hello brave world"}, build_nested)
    inner = map_of(other)["name"]
    inner.insert(0, "oh ")
    doc.apply_update(other.get_update())
    assert read_shared(shared) == {"name": "oh hello brave world"}


def test_edits_apart_in_nested_maps_and_arrays_are_merged() -> None:
    doc: Doc[Any] = Doc()
    shared = map_of(doc)
    replace_map(shared, {"a": {"x": 1, "y": [1, 2, 3]}}, build_nested)
    assert isinstance(shared["a"], Map)
    assert isinstance(shared["a"]["y"], Array)
    other: Doc[Any] = Doc()
    other.apply_update(doc.get_update())
    map_of(other)["a"]["z"] = True
    map_of(other)["a"]["y"].append(4)
    replace_map(shared, {"a": {"x": 2, "y": [0, 1, 3]}}, build_nested)
    doc.apply_update(other.get_update())
    assert read_shared(shared) == {"a": {"x": 2, "y": [0, 1, 3, 4], "z": True}}


def test_an_object_that_was_plain_stays_plain() -> None:
    doc: Doc[Any] = Doc()
    shared = map_of(doc)
    shared["position"] = {"x": 1, "y": 2}
    replace_map(shared, {"position": {"x": 5, "y": 2}}, build_nested)
    assert shared["position"] == {"x": 5, "y": 2}
    assert not isinstance(shared["position"], Map)


def test_a_large_integer_of_others_is_not_touched() -> None:
    doc: Doc[Any] = Doc()
    shared = map_of(doc)
    shared["big"] = 2**60
    replace_map(shared, storable(read_shared(shared)), build_nested)
    assert shared["big"] == 2**60
    assert isinstance(shared["big"], int)

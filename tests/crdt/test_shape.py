"""Telling the kind of a document from what is in it."""

from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from crdt.shape import infer_shape


def test_an_empty_document_tells_nothing() -> None:
    doc: Doc[Any] = Doc()
    assert infer_shape(doc) is None
    doc.get("content", type=Text)
    assert infer_shape(doc) is None


@pytest.mark.parametrize(
    ("root", "shared", "expected"),
    [
        ("content", Text("hello"), ("text", "content")),
        ("monaco", Text("hello"), ("text", "monaco")),
        ("default", XmlFragment([XmlElement("paragraph", {}, [XmlText("hi")])]), ("richtext", "default")),
        ("prosemirror", XmlFragment([XmlText("hi")]), ("richtext", "prosemirror")),
        ("content", Map({"a": 1}), ("map", "content")),
        ("content", Map({"a": Text("in a map")}), ("map", "content")),
        ("nodes", Map({"n": Map({"type": "t"})}), ("diagram", "")),
        ("content", Array([1, 2]), None),
    ],
)
def test_one_root(root: str, shared: Any, expected: tuple[str, str] | None) -> None:
    doc: Doc[Any] = Doc()
    doc[root] = shared
    assert infer_shape(doc) == expected


def test_what_was_deleted_or_overwritten_does_not_hide_the_rest() -> None:
    doc: Doc[Any] = Doc()
    text = doc.get("content", type=Text)
    text.insert(0, "ab")
    del text[0:1]
    text.insert(1, "c")
    del text[0:1]
    assert infer_shape(doc) == ("text", "content")
    shared: Map[Any] = doc.get("aaa", type=Map)
    shared["k"] = 1
    shared["k"] = 2
    assert infer_shape(doc) == ("text", "content")
    other: Doc[Any] = Doc()
    overwritten: Map[Any] = other.get("settings", type=Map)
    overwritten["k"] = 1
    overwritten["k"] = 2
    assert infer_shape(other) == ("map", "settings")


def test_usual_roots_come_first_and_a_diagram_before_all() -> None:
    doc: Doc[Any] = Doc()
    doc["aaa"] = Text("x")
    doc["default"] = XmlFragment([XmlText("hi")])
    assert infer_shape(doc) == ("richtext", "default")
    doc["edges"] = Map({"a:o>b:i": Map({"source": "a"})})
    assert infer_shape(doc) == ("diagram", "")
    doc["nodes"] = Text("these are no nodes")
    assert infer_shape(doc) == ("richtext", "default")

"""Rich text as ProseMirror and TipTap bindings write it, read as their JSON and as lines."""

from typing import Any

import pytest
from pycrdt import Doc, XmlElement, XmlFragment, XmlText

from crdt.edits import EditError
from crdt.richtext import MAX_NESTING, read_document, read_lines


def fragment() -> XmlFragment:
    doc: Doc[Any] = Doc()
    root: XmlFragment = doc.get("default", type=XmlFragment)
    return root


def test_a_document() -> None:
    root = fragment()
    heading = XmlElement("heading")
    root.children.append(heading)
    heading.attributes["level"] = 2
    heading.attributes["id"] = None
    text = XmlText("Hi é😀!")
    heading.children.append(text)
    text.format(3, 9, {"link": {"href": "u"}, "bold": {}})
    root.children.append(XmlElement("paragraph"))
    assert read_document(root) == {
        "type": "doc",
        "content": [
            {
                "type": "heading",
                "attrs": {"id": None, "level": 2},
                "content": [
                    {"type": "text", "text": "Hi "},
                    {
                        "type": "text",
                        "text": "é😀",
                        "marks": [{"type": "bold"}, {"type": "link", "attrs": {"href": "u"}}],
                    },
                    {"type": "text", "text": "!"},
                ],
            },
            {"type": "paragraph"},
        ],
    }
    assert list(read_document(root)["content"][0]["attrs"]) == ["id", "level"]


def test_marks_that_overlap_themselves_and_plain_marks_of_other_editors() -> None:
    root = fragment()
    text = XmlText("abc")
    root.children.append(text)
    text.format(0, 3, {"comment--a1b2c3d4": {"id": 1}, "bold": True, "color": "red"})
    (node,) = read_document(root)["content"]
    assert node["marks"] == [
        {"type": "bold"},
        {"type": "color", "attrs": {"value": "red"}},
        {"type": "comment", "attrs": {"id": 1}},
    ]


def test_a_line_for_each_block() -> None:
    root = fragment()
    first = XmlElement("paragraph", contents=[XmlText("one "), XmlElement("hardBreak"), XmlText("two")])
    item = XmlElement("listItem", contents=[XmlElement("paragraph", contents=[XmlText("in a list")])])
    figure = XmlElement("paragraph", contents=[XmlText("an "), XmlElement("image"), XmlText("image")])
    for node in (first, XmlElement("bulletList", contents=[item]), XmlElement("paragraph"), figure):
        root.children.append(node)
    root.children.append(XmlText("loose"))
    assert read_lines(root) == "one \ntwo\nin a list\n\nan image\nloose"
    assert read_lines(fragment()) == ""


def test_a_document_that_is_nested_too_deep_is_not_read() -> None:
    root = fragment()
    node: XmlFragment | XmlElement = root
    for _ in range(MAX_NESTING + 1):
        inner = XmlElement("blockquote")
        node.children.append(inner)
        node = inner
    for read in (read_document, read_lines):
        with pytest.raises(EditError) as caught:
            read(root)
        assert caught.value.code == "too_deep"

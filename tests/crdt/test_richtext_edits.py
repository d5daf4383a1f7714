"""Rich text made to be what a JSON says, block by block."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, XmlElement, XmlFragment, XmlText

from crdt.edits import EditError
from crdt.json_values import canonical
from crdt.richtext import read_document
from crdt.richtext_edits import replace_document

CHARACTERS = st.text(alphabet="ab é😀\u0301", min_size=1, max_size=6)
MARKS = st.lists(
    st.sampled_from(
        [
            {"type": "bold"},
            {"type": "link", "attrs": {"href": "x"}},
            {"type": "link", "attrs": {"href": "y"}},
            {"type": "comment", "attrs": {"id": 1}},
            {"type": "comment", "attrs": {"id": 2}},
        ]
    ),
    max_size=3,
    unique_by=canonical,
)


def text_node(text: str, marks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "text", "text": text, "marks": marks} if marks else {"type": "text", "text": text}


LEAVES = st.builds(text_node, CHARACTERS, MARKS) | st.sampled_from(
    [{"type": "hardBreak"}, {"type": "image", "attrs": {"src": "u"}}]
)


def block(tag: str, attributes: dict[str, Any], content: list[Any]) -> dict[str, Any]:
    node: dict[str, Any] = {"type": tag}
    if attributes:
        node["attrs"] = attributes
    if content:
        node["content"] = content
    return node


ATTRIBUTES = st.dictionaries(st.sampled_from(["level", "align"]), st.sampled_from([1, "left", True]), max_size=2)
PARAGRAPHS = st.builds(block, st.sampled_from(["paragraph", "heading"]), ATTRIBUTES, st.lists(LEAVES, max_size=4))
BLOCKS = st.recursive(
    PARAGRAPHS,
    lambda inner: st.builds(block, st.sampled_from(["list", "quote"]), ATTRIBUTES, st.lists(inner, max_size=3)),
    max_leaves=6,
)
DOCUMENTS = st.lists(BLOCKS, max_size=5).map(lambda content: {"type": "doc", "content": content})


def normal(node: dict[str, Any]) -> dict[str, Any]:
    """With sorted marks, and neighbouring runs with the same marks joined: two ways to say the same."""
    made = dict(node)
    if "content" in node:
        content: list[dict[str, Any]] = []
        for child in map(normal, node["content"]):
            if "marks" in child:
                child["marks"] = sorted(child["marks"], key=canonical)
            last = content[-1] if content else {"type": ""}
            if child["type"] == last["type"] == "text" and child.get("marks") == last.get("marks"):
                content[-1] = {**last, "text": last["text"] + child["text"]}
            else:
                content.append(child)
        made["content"] = content
    return made


def fragment() -> XmlFragment:
    doc: Doc[Any] = Doc()
    root: XmlFragment = doc.get("default", type=XmlFragment)
    return root


def changes_made(root: XmlFragment, value: Any) -> list[bytes]:
    updates: list[bytes] = []
    subscription = root.doc.observe(lambda event: updates.append(event.update))
    with root.doc.transaction():
        replace_document(root, value)
    root.doc.unobserve(subscription)
    return updates


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_the_document_is_what_the_json_says_and_a_second_time_nothing_changes(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    root = fragment()
    for value in (old, new):
        replace_document(root, value)
        assert canonical(normal(read_document(root))) == canonical(normal(value))
    assert changes_made(root, new) == []
    assert changes_made(root, read_document(root)) == []


def paragraph(text: str, *marks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": [text_node(text, list(marks))]}


def test_blocks_that_stay_are_left_alone() -> None:
    root = fragment()
    replace_document(root, {"type": "doc", "content": [paragraph(f"block {at}") for at in range(20)]})
    blocks = list(root.children)
    content = [paragraph(f"block {at}") for at in range(20)]
    content[7] = paragraph("block seven")
    del content[12]
    content.insert(3, paragraph("new"))
    (update,) = changes_made(root, {"type": "doc", "content": content})
    assert len(update) < 200
    assert list(root.children)[:3] == blocks[:3]
    assert root.children[8] == blocks[7]
    assert root.children[19] == blocks[19]


def test_text_and_marks_inside_of_a_block_are_changed_in_place() -> None:
    root = fragment()
    replace_document(root, {"type": "doc", "content": [paragraph("hello world")]})
    other: Doc[Any] = Doc()
    other.apply_update(root.doc.get_update())
    bold = [text_node("hello ", []), text_node("big world", [{"type": "bold"}])]
    replace_document(root, {"type": "doc", "content": [{"type": "paragraph", "content": bold}]})
    theirs: XmlFragment = other.get("default", type=XmlFragment)
    block = theirs.children[0]
    assert isinstance(block, XmlElement)
    text = block.children[0]
    assert isinstance(text, XmlText)
    text.insert(0, "oh ")
    root.doc.apply_update(other.get_update())
    assert read_document(root)["content"] == [
        {
            "type": "paragraph",
            "content": [text_node("oh hello ", []), text_node("big world", [{"type": "bold"}])],
        }
    ]


def test_formatting_of_other_editors_stays_as_they_wrote_it() -> None:
    root = fragment()
    text = XmlText("abc")
    root.children.append(text)
    text.format(0, 2, {"comment--a1b2c3d4": {"id": 1}, "bold": True, "color": "red"})
    assert changes_made(root, read_document(root)) == []


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([], "bad_value"),
        ({"type": "paragraph"}, "bad_value"),
        ({"type": "doc", "content": {}}, "bad_value"),
        ({"type": "doc", "content": ["text"]}, "bad_value"),
        ({"type": "doc", "content": [{"type": ""}]}, "bad_value"),
        ({"type": "doc", "content": [{"type": "x" * 101}]}, "bad_value"),
        ({"type": "doc", "content": [{"type": "text"}]}, "bad_value"),
        ({"type": "doc", "content": [{"type": "text", "text": ""}]}, "bad_value"),
        ({"type": "doc", "content": [{"type": "text", "text": "a", "marks": {}}]}, "bad_value"),
        ({"type": "doc", "content": [{"type": "text", "text": "a", "marks": ["bold"]}]}, "bad_value"),
        ({"type": "doc", "content": [{"type": "text", "text": "a", "marks": [{"attrs": {}}]}]}, "bad_value"),
        ({"type": "doc", "content": [{"type": "p", "attrs": []}]}, "bad_value"),
        ({"type": "doc", "content": [{"type": "p", "attrs": {"x": float("nan")}}]}, "bad_value"),
    ],
)
def test_what_is_no_document(value: Any, code: str) -> None:
    with pytest.raises(EditError) as caught:
        replace_document(fragment(), value)
    assert caught.value.code == code


def test_nesting_has_an_end() -> None:
    value: dict[str, Any] = {"type": "quote"}
    for _ in range(40):
        value = {"type": "quote", "content": [value]}
    with pytest.raises(EditError) as caught:
        replace_document(fragment(), {"type": "doc", "content": [value]})
    assert caught.value.code == "too_deep"

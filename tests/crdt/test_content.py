"""Documents of each kind, read and edited."""

from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from crdt.content import (
    DEFAULT_ROOTS,
    KINDS,
    EditError,
    PointerEdit,
    Splice,
    apply_pointer_edits,
    apply_splices,
    infer_shape,
    read_json,
    read_text,
    replace_json,
    replace_text,
)
from crdt.update import inspect_update

RICH = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "hi 😀"}]}]}
DIAGRAM = {
    "edges": {"a:out>b:in": {"source": "a", "source_port": "out", "target": "b", "target_port": "in"}},
    "meta": {"name": "flow"},
    "nodes": {"a": {"name": "A", "position": {"x": 1, "y": 2.5}, "type": "t"}, "b": {"type": "t"}},
    "notes": {"n": {"text": "look"}},
}
SAMPLES: dict[str, Any] = {"text": "hello 😀", "richtext": RICH, "map": {"a": [1, {"b": None}]}, "diagram": DIAGRAM}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_holds_its_json_and_tells_its_kind(kind: str) -> None:
    doc: Doc[Any] = Doc()
    root = DEFAULT_ROOTS[kind]
    replace_json(doc, kind, root, SAMPLES[kind])
    loaded: Doc[Any] = Doc()
    loaded.apply_update(doc.get_update())
    inspect_update(doc.get_update())
    assert infer_shape(loaded) == (kind, root)
    assert read_json(loaded, kind, root) == SAMPLES[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_document_of_every_kind_can_be_read(kind: str) -> None:
    doc: Doc[Any] = Doc()
    read_text(doc, kind, DEFAULT_ROOTS[kind])
    read_json(doc, kind, DEFAULT_ROOTS[kind])
    assert doc.get_update() == b"\x00\x00"


def test_text() -> None:
    doc: Doc[Any] = Doc()
    replace_text(doc, "content", "hello")
    apply_splices(doc, "content", [Splice(0, 1, "😀"), Splice(1, 1, "")])
    assert read_text(doc, "text", "content") == "😀llo"


def test_texts_of_the_other_kinds() -> None:
    doc: Doc[Any] = Doc()
    replace_json(doc, "richtext", "default", RICH)
    assert read_text(doc, "richtext", "default") == "hi 😀"
    replace_json(doc, "map", "content", {"b": 1, "a": "é"})
    assert read_text(doc, "map", "content") == '{\n  "a": "é",\n  "b": 1\n}'


def test_pointer_edits_change_only_what_they_say() -> None:
    doc: Doc[Any] = Doc()
    replace_json(doc, "map", "content", {"a": {"x": 1, "y": 2}, "list": [1, 2, 3]})
    shared: Map[Any] = doc.get("content", type=Map)
    shared["title"] = Text("draft")
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    apply_pointer_edits(
        doc,
        "map",
        "content",
        [
            PointerEdit("test", "/a/x", 1),
            PointerEdit("replace", "/a/x", 5),
            PointerEdit("add", "/list/1", "new"),
            PointerEdit("replace", "/title", "final draft"),
        ],
    )
    doc.unobserve(subscription)
    assert read_json(doc, "map", "content") == {
        "a": {"x": 5, "y": 2},
        "list": [1, "new", 2, 3],
        "title": "final draft",
    }
    assert isinstance(shared["title"], Text)
    assert len(updates) == 1
    assert b"draft" not in updates[0]


def test_pointer_edits_of_rich_text_and_diagrams() -> None:
    doc: Doc[Any] = Doc()
    replace_json(doc, "richtext", "default", RICH)
    apply_pointer_edits(doc, "richtext", "default", [PointerEdit("replace", "/content/0/content/0/text", "ho")])
    assert read_text(doc, "richtext", "default") == "ho"
    replace_json(doc, "diagram", "", DIAGRAM)
    moved = {"x": 7, "y": 7}
    apply_pointer_edits(doc, "diagram", "", [PointerEdit("replace", "/nodes/a/position", moved)])
    nodes: Map[Any] = doc.get("nodes", type=Map)
    assert nodes["a"]["position"] == moved
    assert isinstance(nodes["a"]["name"], Text)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda doc: apply_pointer_edits(doc, "text", "content", []), "wrong_kind"),
        (lambda doc: apply_splices(doc, "content", [], kind="map"), "wrong_kind"),
        (lambda doc: read_json(doc, "sheet", "content"), "wrong_kind"),
        (lambda doc: replace_json(doc, "sheet", "content", {}), "wrong_kind"),
        (lambda doc: replace_json(doc, "text", "content", {}), "bad_value"),
        (lambda doc: replace_json(doc, "map", "content", []), "bad_value"),
        (lambda doc: replace_json(doc, "diagram", "", {"nodes": []}), "bad_value"),
        (lambda doc: replace_json(doc, "diagram", "", {"node": {}}), "bad_value"),
        (lambda doc: replace_text(doc, "content", "\udc00"), "bad_value"),
        (lambda doc: apply_pointer_edits(doc, "map", "content", [PointerEdit("replace", "", [])]), "bad_value"),
    ],
)
def test_edits_that_cannot_be_made(edit: Any, code: str) -> None:
    doc: Doc[Any] = Doc()
    with pytest.raises(EditError) as caught:
        edit(doc)
    assert caught.value.code == code
    assert caught.value.message

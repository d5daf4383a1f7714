"""What a document holds, by kind: read it as text or JSON, edit it, tell its kind.

Kinds and the root types where they live: ``text`` in a Y.Text, ``richtext`` in a Y.XmlFragment, ``map`` in a Y.Map,
``diagram`` in the four maps of `crdt.diagram`, for which the root says nothing and is empty.

Edits are made in place and may raise `EditError` half-way: make them on a copy, or on a document that can be dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from pycrdt import Doc, Map, Text, XmlFragment

from crdt import diagram
from crdt.edits import EditError, PointerEdit, Splice
from crdt.json_edits import build_nested, replace_map
from crdt.json_pointer import apply_to_json
from crdt.json_values import read_shared, storable
from crdt.richtext import read_document, read_lines
from crdt.richtext_edits import replace_document
from crdt.shape import infer_shape, infer_shape_of
from crdt.text_edits import replace_text_of, splice_text

__all__ = [
    "DEFAULT_ROOTS",
    "KINDS",
    "EditError",
    "PointerEdit",
    "Splice",
    "apply_pointer_edits",
    "apply_splices",
    "infer_shape",
    "infer_shape_of",
    "read_json",
    "read_text",
    "replace_json",
    "replace_text",
]

KINDS: Final = ("text", "richtext", "diagram", "map")
DEFAULT_ROOTS: Final = {"text": "content", "richtext": "default", "diagram": "", "map": "content"}

AnyDoc = Doc[Any]


def read_text(doc: AnyDoc, kind: str, root: str) -> str:
    """The document as plain text: rich text a line for each block, maps and diagrams as indented JSON."""
    if kind == "text":
        return str(_text(doc, root))
    if kind == "richtext":
        return read_lines(_fragment(doc, root))
    return msgspec.json.format(msgspec.json.encode(read_json(doc, kind, root)), indent=2).decode()


def read_json(doc: AnyDoc, kind: str, root: str) -> Any:
    """The document as JSON, object keys sorted: a string for text, ProseMirror's JSON for rich text."""
    if kind == "text":
        return str(_text(doc, root))
    if kind == "richtext":
        return read_document(_fragment(doc, root))
    if kind == "map":
        return read_shared(_map(doc, root))
    if kind == "diagram":
        return {name: read_shared(_map(doc, name)) for name in sorted(diagram.ROOTS)}
    raise EditError("wrong_kind", f"there is no kind of document {kind!r}")


def apply_splices(doc: AnyDoc, root: str, splices: Sequence[Splice], *, kind: str = "text") -> None:
    """Edit a text at positions in code points, each splice applying to what the one before left."""
    if kind != "text":
        raise EditError("wrong_kind", f"splices are for documents of the kind text, this one is {kind}")
    with doc.transaction():
        splice_text(_text(doc, root), splices)


def replace_text(doc: AnyDoc, root: str, new: str) -> None:
    """Make a text document hold `new`, leaving alone what stays."""
    with doc.transaction():
        replace_text_of(_text(doc, root), new)


def apply_pointer_edits(doc: AnyDoc, kind: str, root: str, edits: Sequence[PointerEdit]) -> None:
    """Edit the JSON of a document at pointers, in order; only what differs afterwards changes in the document."""
    if kind == "text":
        raise EditError("wrong_kind", "a text is edited by splices, not at JSON pointers")
    with doc.transaction():
        replace_json(doc, kind, root, apply_to_json(read_json(doc, kind, root), edits))


def replace_json(doc: AnyDoc, kind: str, root: str, value: Any) -> None:
    """Make the document hold a JSON value of its kind, changing only what differs. Raises EditError."""
    with doc.transaction():
        if kind == "text":
            if not isinstance(value, str):
                raise EditError("bad_value", "the JSON of a text document is a string")
            replace_text(doc, root, value)
        elif kind == "richtext":
            replace_document(_fragment(doc, root), value)
        elif kind == "map":
            replace_map(_map(doc, root), _object(storable(value), "a map document"), build_nested)
        elif kind == "diagram":
            _replace_diagram(doc, _object(storable(value), "a diagram"))
        else:
            raise EditError("wrong_kind", f"there is no kind of document {kind!r}")


def _replace_diagram(doc: AnyDoc, value: dict[str, Any]) -> None:
    unknown = value.keys() - set(diagram.ROOTS)
    if unknown:
        raise EditError("bad_value", f"a diagram has {', '.join(diagram.ROOTS)}, not {min(unknown)!r}")
    for name in diagram.ROOTS:
        replace_map(_map(doc, name), _object(value.get(name, {}), name), diagram.build_shared, (name,))


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EditError("bad_value", f"the JSON of {what} is an object")
    return value


def _text(doc: AnyDoc, root: str) -> Text:
    shared: Text = doc.get(root, type=Text)
    return shared


def _map(doc: AnyDoc, root: str) -> Map[Any]:
    shared: Map[Any] = doc.get(root, type=Map)
    return shared


def _fragment(doc: AnyDoc, root: str) -> XmlFragment:
    shared: XmlFragment = doc.get(root, type=XmlFragment)
    return shared

"""Tell the kind of a document from what editors have written into it.

The document does not say: a root type is what the first client takes it for. The structs under it tell.
"""

from __future__ import annotations

from typing import Any, Final

from pycrdt import Doc

from crdt import item_content
from crdt.structs import Id, Struct, StructIndex, read_structs

_DIAGRAM_MAPS: Final = frozenset({"nodes", "edges"})
_XML_TYPES: Final = frozenset({3, 4, 6})
_TEXT: Final = frozenset({item_content.STRING, item_content.FORMAT, item_content.EMBED})
# Roots that editors use by default; of several roots of a kind these say what the document is.
_USUAL: Final = frozenset({"content", "default", "prosemirror"})


def infer_shape(doc: Doc[Any]) -> tuple[str, str] | None:
    """The kind and the root of a document, or None if it holds nothing that tells. Reads the whole document."""
    return infer_shape_of(doc.get_update())


def infer_shape_of(state: bytes) -> tuple[str, str] | None:
    """As `infer_shape`, from the document's state as an update."""
    kinds = _kinds_of_roots(state)
    if _DIAGRAM_MAPS & kinds.keys() and all(kinds.get(root, "map") == "map" for root in _DIAGRAM_MAPS):
        return "diagram", ""
    candidates = [(root not in _USUAL, root) for root, kind in kinds.items() if kind]
    if not candidates:
        return None
    _, root = min(candidates)
    return kinds[root], root


def _kinds_of_roots(state: bytes) -> dict[str, str]:
    sections, _ = read_structs(state)
    index = StructIndex(sections)
    roots: dict[Id, str | None] = {}
    kinds: dict[str, str] = {}
    for section in sections.values():
        for struct in section:
            kind = _kind(struct, state)
            if kind:
                root = _root_of(struct, index, roots)
                if root is not None:
                    kinds.setdefault(root, kind)
    return kinds


def _kind(struct: Struct, state: bytes) -> str:
    """What a root type is that has this struct directly in it; nothing if the struct does not tell."""
    if struct.parent_sub is not None:
        return "map"
    if struct.kind in _TEXT:
        return "text"
    if struct.kind == item_content.TYPE and state[struct.content] in _XML_TYPES:
        return "richtext"
    # What is deleted does not tell. Values without a key are an array, or later values of a key: the first has the key.
    return ""


def _root_of(struct: Struct, index: StructIndex, roots: dict[Id, str | None]) -> str | None:
    """The name of the root type that the struct is directly in; None if it is in another item."""
    path: list[Id] = []
    found: str | None = None
    current: Struct | None = struct
    while current is not None:
        here = (current.client, current.clock)
        if here in roots:
            found = roots[here]
            break
        path.append(here)
        if current.parent is not None:
            found = current.parent if isinstance(current.parent, str) else None
            break
        neighbour = current.origin or current.right_origin
        current = index.holding(neighbour) if neighbour else None
    roots.update(dict.fromkeys(path, found))
    return found

"""Rich text as Yjs XML: how ProseMirror and TipTap bindings write it, read as their JSON and as plain text.

A node is an element with the node's type as its name; runs of text are one XML text each, their marks its formatting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pycrdt import XmlElement, XmlFragment, XmlText

from crdt.edits import EditError
from crdt.json_values import storable

JsonNode = dict[str, Any]
XmlNode = XmlFragment | XmlElement | XmlText

# A document is read by recursion; editors nest some twenty levels in lists of lists of tables.
MAX_NESTING: Final = 100

LINE_BREAKS: Final = frozenset({"hardBreak", "hard_break"})

# Bindings write a mark that may overlap itself, a comment for example, under its name and a hash of its attributes.
_HASHED_MARK: Final = re.compile(r"(.+)--[a-zA-Z0-9+/=]{8}", re.DOTALL)


def read_document(fragment: XmlFragment) -> JsonNode:
    """The JSON of the document, as ProseMirror's `node.toJSON()` gives it; keys and marks sorted."""
    return {"type": "doc", "content": list(_read_children(fragment, MAX_NESTING))}


def _read_children(parent: XmlFragment | XmlElement, depth: int) -> Iterator[JsonNode]:
    if depth == 0:
        raise EditError("too_deep", "the document is nested too deep to be read")
    for child in parent.children:
        if isinstance(child, XmlText):
            yield from read_runs(child)
        elif isinstance(child, XmlElement):
            yield _read_element(child, depth)


def _read_element(element: XmlElement, depth: int) -> JsonNode:
    node: JsonNode = {"type": element.tag}
    attributes = read_attributes(element)
    if attributes:
        node["attrs"] = attributes
    content = list(_read_children(element, depth - 1))
    if content:
        node["content"] = content
    return node


def read_attributes(element: XmlElement) -> dict[str, Any]:
    """An element's attributes, sorted by name."""
    # The view is an iterable of pairs whose declared type is none.
    return {name: _value(value) for name, value in sorted(element.attributes.__iter__())}


def read_runs(text: XmlText) -> Iterator[JsonNode]:
    """The text nodes of one XML text: a run for each change of marks; what is embedded has no form in this JSON."""
    for chunk, formatting in text.diff():
        if isinstance(chunk, str) and chunk:
            node: JsonNode = {"type": "text", "text": chunk}
            marks = [_read_mark(name, attributes) for name, attributes in read_marks(formatting)]
            if marks:
                node["marks"] = marks
            yield node


def read_marks(formatting: dict[str, Any] | None) -> list[tuple[str, Any]]:
    """The marks of a run, sorted: their types and attributes."""
    return [(mark_type(name), mark_attributes(value)) for name, value in sorted((formatting or {}).items())]


def mark_type(name: str) -> str:
    """The type of the mark that is written as formatting with this name."""
    hashed = _HASHED_MARK.fullmatch(name)
    return hashed[1] if hashed else name


def mark_attributes(value: Any) -> Any:
    """The attributes of a mark; other editors format with plain values, of which true means just that it is there."""
    if isinstance(value, dict):
        return _value(value)
    return {} if value is True else {"value": _value(value)}


def _read_mark(name: str, attributes: Any) -> JsonNode:
    mark: JsonNode = {"type": name}
    if attributes:
        mark["attrs"] = attributes
    return mark


def _value(value: Any) -> Any:
    """A value as JSON; bytes and the like, which JSON lacks, as null."""
    try:
        return storable(value)
    except EditError:
        return None


def read_lines(fragment: XmlFragment) -> str:
    """The text of the document, a line for each block."""
    return "\n".join(line for _, line in read_blocks(fragment))


def read_blocks(fragment: XmlFragment) -> Iterator[tuple[XmlNode, str]]:
    """Each innermost block with its text: an element that holds text, or nothing; or text outside of any."""
    yield from _blocks(fragment, MAX_NESTING)


def _blocks(parent: XmlFragment | XmlElement, depth: int) -> Iterator[tuple[XmlNode, str]]:
    if depth == 0:
        raise EditError("too_deep", "the document is nested too deep to be read")
    for child in parent.children:
        if isinstance(child, XmlText):
            yield child, plain(child)
        elif isinstance(child, XmlElement):
            children = list(child.children)
            if not children or any(isinstance(node, XmlText) or is_break(node) for node in children):
                yield child, _inline_text(child, depth - 1)
            else:
                yield from _blocks(child, depth - 1)


def _inline_text(element: XmlElement, depth: int) -> str:
    """The text of a block with what is inside it in line: a line break is one, an image is nothing."""
    if depth == 0:
        raise EditError("too_deep", "the document is nested too deep to be read")
    parts = []
    for child in element.children:
        if isinstance(child, XmlText):
            parts.append(plain(child))
        elif is_break(child):
            parts.append("\n")
        elif isinstance(child, XmlElement):
            parts.append(_inline_text(child, depth - 1))
    return "".join(parts)


def plain(text: XmlText) -> str:
    """The characters of an XML text without its formatting."""
    return "".join(chunk for chunk, _ in text.diff() if isinstance(chunk, str))


def is_break(node: object) -> bool:
    """Whether a node is a line break inside of a block."""
    return isinstance(node, XmlElement) and node.tag in LINE_BREAKS

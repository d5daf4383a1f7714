"""Make a rich text document what a ProseMirror or TipTap JSON says, block by block: what stays is left alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from pycrdt import XmlElement, XmlFragment, XmlText

from crdt.alignment import Change, find_changes
from crdt.edits import EditError, check_text
from crdt.json_values import canonical, storable
from crdt.richtext import MAX_NESTING, mark_attributes, mark_type, plain, read_attributes, read_marks
from crdt.text_edits import check_offsets, replace_text_of

MAX_NAME = 100

Mark = tuple[str, Any]
"""A mark's type and attributes."""


class TextRuns(NamedTuple):
    """What one XML text is to hold: runs of characters, each with its marks."""

    runs: tuple[tuple[str, list[Mark]], ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.runs)


class Block(NamedTuple):
    """What one XML element is to be."""

    tag: str
    attributes: dict[str, Any]
    children: tuple[TextRuns | Block, ...]


Node = TextRuns | Block


def replace_document(fragment: XmlFragment, value: Any) -> None:
    """Make the fragment hold a document in JSON: `{"type": "doc", "content": [...]}`. Raises EditError."""
    value = storable(value)
    if not isinstance(value, dict) or value.get("type") != "doc":
        raise EditError("bad_value", 'a rich text document is an object with the type "doc"')
    _replace_children(fragment, parse_content(value.get("content", []), MAX_NESTING), MAX_NESTING)


def parse_content(content: Any, depth: int) -> tuple[Node, ...]:
    """The nodes of a JSON content list, neighbouring text nodes joined to one. Raises EditError."""
    if depth == 0:
        raise EditError("too_deep", f"nodes are nested more than {MAX_NESTING} deep")
    if not isinstance(content, list):
        raise EditError("bad_value", "the content of a node is a list")
    nodes: list[Node] = []
    for item in content:
        if not isinstance(item, dict):
            raise EditError("bad_value", "a node is an object")
        node = _parse_text(item) if item.get("type") == "text" else _parse_block(item, depth)
        last = nodes[-1] if nodes else None
        if isinstance(node, TextRuns) and isinstance(last, TextRuns):
            nodes[-1] = TextRuns((*last.runs, *node.runs))
        else:
            nodes.append(node)
    return tuple(nodes)


def _parse_text(item: dict[str, Any]) -> TextRuns:
    text = item.get("text")
    if not isinstance(text, str) or not text:
        raise EditError("bad_value", "the text of a text node is a string that is not empty")
    marks = item.get("marks", [])
    if not isinstance(marks, list):
        raise EditError("bad_value", "the marks of a text node are a list")
    if not all(isinstance(mark, dict) for mark in marks):
        raise EditError("bad_value", "a mark is an object")
    return TextRuns(((text, [(_name(mark), _attributes(mark)) for mark in marks]),))


def _parse_block(item: dict[str, Any], depth: int) -> Block:
    attributes = {name: value for name, value in _attributes(item).items() if value is not None}
    return Block(_name(item), attributes, parse_content(item.get("content", []), depth - 1))


def _name(item: dict[str, Any]) -> str:
    name = item.get("type")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise EditError("bad_value", f"the type of a node or mark is a name of at most {MAX_NAME} characters")
    return check_text(name)


def _attributes(item: dict[str, Any]) -> dict[str, Any]:
    attributes = item.get("attrs")
    if attributes is None:
        return {}
    if not isinstance(attributes, dict):
        raise EditError("bad_value", "the attrs of a node or mark are an object")
    return attributes


def _replace_children(parent: XmlFragment | XmlElement, new: Sequence[Node], depth: int) -> None:
    old = [_read(child, depth) for child in parent.children]
    keys = [_key(node) for node in new]
    for change in reversed(find_changes([_key(node) for node in old], keys)):
        _replace_range(parent, change, old, new, depth)


def _replace_range(
    parent: XmlFragment | XmlElement, change: Change, old: Sequence[Node], new: Sequence[Node], depth: int
) -> None:
    """Of what changed, nodes of the same kind at the same place are changed in place, the others go and come."""
    pairs = min(change.old_end - change.old_start, change.new_end - change.new_start)
    kept = 0
    while kept < pairs and _alike(old[change.old_start + kept], new[change.new_start + kept]):
        kept += 1
    if change.old_end > change.old_start + kept:
        del parent.children[change.old_start + kept : change.old_end]
    for offset in range(kept, change.new_end - change.new_start):
        _insert(parent, change.old_start + offset, new[change.new_start + offset])
    for offset in range(kept):
        _update(parent.children[change.old_start + offset], new[change.new_start + offset], depth)


def _alike(old: Node, new: Node) -> bool:
    if isinstance(old, Block):
        return isinstance(new, Block) and old.tag == new.tag
    return isinstance(new, TextRuns)


def _read(child: object, depth: int) -> Node:
    """What an XML node is now, in the terms of what it is to be."""
    if depth == 0:
        raise EditError("too_deep", "the document is nested too deep to be edited")
    if isinstance(child, XmlText):
        return TextRuns(tuple((chunk, read_marks(marks)) for chunk, marks in child.diff() if isinstance(chunk, str)))
    if isinstance(child, XmlElement):
        attributes = {name: value for name, value in read_attributes(child).items() if value is not None}
        return Block(child.tag or "", attributes, tuple(_read(node, depth - 1) for node in child.children))
    return TextRuns(())


def _key(node: Node) -> bytes:
    """Equal for nodes that hold the same."""
    return canonical(_plain_form(node))


def _plain_form(node: Node) -> Any:
    if isinstance(node, Block):
        return [node.tag, node.attributes, [_plain_form(child) for child in node.children]]
    joined: list[tuple[str, Any]] = []
    for text, marks in node.runs:
        form = sorted(marks, key=canonical)
        if joined and joined[-1][1] == form:
            joined[-1] = (joined[-1][0] + text, form)
        else:
            joined.append((text, form))
    return joined


def _insert(parent: XmlFragment | XmlElement, index: int, node: Node) -> None:
    if isinstance(node, TextRuns):
        text = XmlText(node.text)
        parent.children.insert(index, text)
        _format(text, node)
        return
    element = XmlElement(node.tag)
    parent.children.insert(index, element)
    for name, value in node.attributes.items():
        element.attributes[name] = value
    for position, child in enumerate(node.children):
        _insert(element, position, child)


def _update(child: object, new: Node, depth: int) -> None:
    if isinstance(child, XmlText) and isinstance(new, TextRuns):
        if plain(child) != new.text:
            replace_text_of(child, new.text)
        _format(child, new)
    elif isinstance(child, XmlElement) and isinstance(new, Block):
        old = read_attributes(child)
        for name in old.keys() - new.attributes.keys():
            if old[name] is not None:
                del child.attributes[name]
        for name, value in new.attributes.items():
            if name not in old or canonical(old[name]) != canonical(value):
                child.attributes[name] = value
        _replace_children(child, new.children, depth - 1)


def _format(text: XmlText, new: TextRuns) -> None:
    """Give the characters of each run its marks where they have others; the characters are right already."""
    check_offsets(text)
    wanted = list(new.runs)
    wanted.reverse()
    offset = 0
    for chunk, formatting in text.diff():
        if not isinstance(chunk, str):
            offset += 1
            continue
        left = chunk
        while left:
            run, marks = wanted.pop()
            if len(run) > len(left):
                wanted.append((run[len(left) :], marks))
                run = left
            left = left[len(run) :]
            end = offset + len(run.encode())
            changes = _formatting_changes(dict(formatting or {}), marks)
            if changes:
                text.format(offset, end, changes)
            offset = end


def _formatting_changes(current: dict[str, Any], marks: list[Mark]) -> dict[str, Any]:
    """What to set, and with None what to take away, so that the marks are these."""
    wanted: dict[str, Any] = {}
    types = [mark for mark, _ in marks]
    for mark, attributes in marks:
        kept = [name for name in current if mark_type(name) == mark and _equal(current[name], attributes)]
        overlaps = types.count(mark) > 1 or any(name != mark and mark_type(name) == mark for name in current)
        name = kept[0] if kept else _hashed(mark, attributes) if overlaps else mark
        wanted[name] = attributes
    changes: dict[str, Any] = {name: None for name in current if name not in wanted}
    return changes | {name: value for name, value in wanted.items() if not _equal(current.get(name), value)}


def _hashed(mark: str, attributes: Any) -> str:
    """A name for a mark that may stand beside others of its type, told apart by what it holds."""
    digest = hashlib.sha256(canonical([mark, attributes])).digest()
    return f"{mark}--{base64.b64encode(digest[:6]).decode()}"


def _equal(old: Any, new: Any) -> bool:
    return old is not None and canonical(mark_attributes(old)) == canonical(new)

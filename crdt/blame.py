"""Who wrote what of a document, character by character, key by key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from crdt import item_content
from crdt.attribution import Attribution, LogEntry, Writer, bindings
from crdt.diagram import ROOTS
from crdt.edits import EditError
from crdt.item_order import Item, ItemOrder, Parent, TooInvolvedError
from crdt.json_pointer import join_pointer
from crdt.lib0 import read_var_string
from crdt.replay import compact
from crdt.richtext import LINE_BREAKS, MAX_NESTING

__all__ = ["LogEntry", "Span", "TooInvolvedError", "bindings", "blame", "by_author"]

_ARRAY, _MAP, _TEXT, _XML_ELEMENT, _XML_TEXT = 0, 1, 2, 3, 6
_XML: Final = frozenset({_XML_ELEMENT, 4, _XML_TEXT})

Path = tuple[str | int, ...]


class Span(NamedTuple):
    """A stretch of a document by one writer.

    ``path`` is a JSON pointer: empty for a text, the block's place among its parents' children ("/0/2") for rich
    text, the key for maps and diagrams. ``start`` and ``end`` count code points in the text there, ``text``; a value
    that is no text has an empty one. ``author`` is None where the log does not reach back that far.
    """

    path: str
    start: int
    end: int
    text: str
    author: str | None
    number: int | None
    at: datetime | None
    relayed_by: str | None


def blame(rows: Iterable[LogEntry], kind: str, root: str, number: int, snapshot: bytes | None = None) -> list[Span]:
    """The writers of the document as it was after the row `number`, in the order of the document.

    For text, and for each block of rich text, the spans cover exactly what is to be read there. `snapshot` is the
    document before the first of the rows, if they do not begin with number 1. Raises TooInvolvedError.
    """
    known = list(rows)
    state = compact(snapshot, (row.data for row in known if row.number <= number))
    # Rows after the number still tell whose client ids they are.
    return list(_Blame(ItemOrder(state), Attribution(known)).document(kind, root))


def by_author(spans: Iterable[Span]) -> list[Span]:
    """The spans with neighbours of one author joined; number and time are those of the newest part."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and (last.path, last.author, last.relayed_by) == (span.path, span.author, span.relayed_by):
            newest = max(last, span, key=lambda part: part.number or 0)
            joined[-1] = last._replace(end=span.end, text=last.text + span.text, number=newest.number, at=newest.at)
        else:
            joined.append(span)
    return joined


Piece = tuple[str, Writer | None]
"""Some characters and who wrote them."""


class _Blame:
    """One question about one document."""

    def __init__(self, order: ItemOrder, attribution: Attribution) -> None:
        self._order = order
        self._attribution = attribution

    def document(self, kind: str, root: str) -> Iterator[Span]:
        if kind == "text":
            yield from _spans((), self._text(root))
        elif kind == "richtext":
            yield from self._blocks(root, (), MAX_NESTING)
        elif kind == "map":
            yield from self._map(root, (), MAX_NESTING)
        elif kind == "diagram":
            for name in sorted(ROOTS):
                yield from self._map(name, (name,), MAX_NESTING)
        else:
            raise EditError("wrong_kind", f"there is no kind of document {kind!r}")

    def _text(self, parent: Parent) -> Iterator[Piece]:
        """The characters of a text in order."""
        for item in self._order.sequence(parent):
            if item.struct.kind == item_content.STRING:
                yield from self._characters(item)

    def _characters(self, item: Item) -> Iterator[Piece]:
        text, _ = read_var_string(self._order.state, item.struct.content)
        # Ids count UTF-16 units, as JavaScript does.
        units = text.encode("utf-16-le")
        at = item.offset
        for length, writer in self._attribution.writers(item.client, item.clock, item.length):
            yield units[2 * at : 2 * (at + length)].decode("utf-16-le", "replace"), writer
            at += length

    def _writer(self, item: Item, offset: int = 0) -> Writer | None:
        return next(writer for _, writer in self._attribution.writers(item.client, item.clock + offset, 1))

    # Rich text

    def _blocks(self, parent: Parent, path: Path, depth: int) -> Iterator[Span]:
        if depth == 0:
            raise EditError("too_deep", "the document is nested too deep to be read")
        for index, item in enumerate(self._nodes(parent)):
            here = (*path, index)
            node = (item.client, item.clock)
            if self._type(item) == _XML_TEXT:
                yield from _spans(here, self._text(node))
            elif self._is_innermost(node):
                pieces = list(self._inline(node, depth - 1))
                yield from (
                    _spans(here, pieces) if any(text for text, _ in pieces) else [_mark(here, self._writer(item))]
                )
            else:
                yield from self._blocks(node, here, depth - 1)

    def _nodes(self, parent: Parent) -> list[Item]:
        return [item for item in self._order.sequence(parent) if item.struct.kind == item_content.TYPE]

    def _is_innermost(self, node: Parent) -> bool:
        children = self._nodes(node)
        return not children or any(self._type(child) == _XML_TEXT or self._is_break(child) for child in children)

    def _inline(self, node: Parent, depth: int) -> Iterator[Piece]:
        if depth == 0:
            raise EditError("too_deep", "the document is nested too deep to be read")
        for child in self._nodes(node):
            inner = (child.client, child.clock)
            if self._type(child) == _XML_TEXT:
                yield from self._text(inner)
            elif self._is_break(child):
                yield "\n", self._writer(child)
            else:
                yield from self._inline(inner, depth - 1)

    def _type(self, item: Item) -> int:
        return self._order.state[item.struct.content]

    def _is_break(self, item: Item) -> bool:
        if self._type(item) != _XML_ELEMENT:
            return False
        tag, _ = read_var_string(self._order.state, item.struct.content + 1)
        return tag in LINE_BREAKS

    # Maps

    def _map(self, parent: Parent, path: Path, depth: int) -> Iterator[Span]:
        if depth == 0:
            raise EditError("too_deep", "the document is nested too deep to be read")
        for key, item in self._order.entries(parent):
            yield from self._value(item, (*path, key), depth, item.length - 1)

    def _array(self, parent: Parent, path: Path, depth: int) -> Iterator[Span]:
        index = 0
        for item in self._order.sequence(parent):
            if item.struct.kind not in (item_content.FORMAT, item_content.STRING):
                for offset in range(item.length):
                    yield from self._value(item, (*path, index), depth, offset)
                    index += 1

    def _value(self, item: Item, path: Path, depth: int, offset: int) -> Iterator[Span]:
        """The spans of one value; an empty container, and what is no container, is one span."""
        inner: list[Span] = []
        if item.struct.kind == item_content.TYPE:
            node, type_ref = (item.client, item.clock), self._type(item)
            if type_ref == _MAP:
                inner = list(self._map(node, path, depth - 1))
            elif type_ref == _ARRAY:
                inner = list(self._array(node, path, depth - 1))
            elif type_ref == _TEXT:
                inner = list(_spans(path, self._text(node)))
        yield from inner or [_mark(path, self._writer(item, offset))]


def _spans(path: Path, pieces: Iterable[Piece]) -> Iterator[Span]:
    """Pieces as spans, neighbours from one row joined."""
    pointer = join_pointer(path)
    start = 0
    text = ""
    current: Writer | None = None
    for piece, writer in pieces:
        if text and writer != current:
            yield _span(pointer, start, text, current)
            start += len(text)
            text = ""
        text += piece
        current = writer
    if text:
        yield _span(pointer, start, text, current)


def _mark(path: Path, writer: Writer | None) -> Span:
    """The span of something without characters."""
    return _span(join_pointer(path), 0, "", writer)


def _span(pointer: str, start: int, text: str, writer: Writer | None) -> Span:
    author, number, at, relayed_by = writer or (None, None, None, None)
    return Span(pointer, start, start + len(text), text, author, number, at, relayed_by)

"""Who wrote which characters, against what an observer of the same edits saw."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText
from random_documents import Session
from raw_updates import text, update
from whole_documents import document

from benchmarks.document import Replica, read_trace
from crdt.blame import Span, blame, by_author
from crdt.content import read_text
from crdt.edits import EditError
from crdt.json_pointer import parse_pointer
from crdt.json_values import read_shared
from crdt.replay import compact

LIVE, SYNCED = 0, 1
START = datetime(2024, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    author: str
    origin: int
    created_at: datetime
    data: bytes


def log(updates: Iterable[tuple[str, bytes]], origin: int = LIVE) -> list[Row]:
    return [
        Row(number, author, origin, START + timedelta(seconds=number), data)
        for number, (author, data) in enumerate(updates, 1)
    ]


def writers_seen(rows: Iterable[Row], root: str) -> list[tuple[str, int]]:
    """The author and row of each character, from the deltas that the engine tells an observer, row by row."""
    doc: Doc[Any] = Doc()
    shared: Text = doc.get(root, type=Text)
    seen: list[tuple[str, int]] = []
    # The engine's deltas count bytes: one entry for each byte, those of a character alike.
    row: Row | None = None

    def note(event: Any) -> None:
        at = 0
        assert row is not None
        for operation in event.delta:
            if "retain" in operation:
                at += int(operation["retain"])
            elif "insert" in operation:
                length = len(operation["insert"].encode()) if isinstance(operation["insert"], str) else 1
                seen[at:at] = [(row.author, row.number)] * length
                at += length
            else:
                del seen[at : at + int(operation["delete"])]

    subscription = shared.observe(note)
    for row in rows:
        doc.apply_update(row.data)
    shared.unobserve(subscription)
    starts = itertools.accumulate((len(character.encode()) for character in str(shared)), initial=0)
    return [seen[start] for start, _ in zip(starts, str(shared), strict=False)]


def writers_blamed(spans: Iterable[Span]) -> list[tuple[str | None, int | None]]:
    return [(span.author, span.number) for span in spans for _ in span.text]


def check_cover(spans: list[Span], whole: str) -> None:
    assert "".join(span.text for span in spans) == whole
    at = 0
    for span in spans:
        assert (span.start, span.end) == (at, at + len(span.text))
        at = span.end


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_text_is_attributed_as_an_observer_sees_it_come(seed: int, until: int) -> None:
    rows = log((f"user {at % 3}", data) for at, data in enumerate(Session(seed, edits=60).updates))
    spans = blame(rows, "text", "text", until)
    check_cover(spans, read_text(document(*(row.data for row in rows[:until])), "text", "text"))
    assert writers_blamed(spans) == writers_seen(rows[:until], "text")


def recorded() -> Iterator[tuple[str, bytes]]:
    """The updates of two people who typed at the same time, in the order in which they were recorded."""
    trace = read_trace()
    replicas = [Replica(3_000_000_000 + agent, trace.agents, b"\x00\x00") for agent in range(trace.agents)]
    versions: list[list[int]] = []
    updates: list[bytes] = []
    for index, transaction in enumerate(trace.transactions):
        version = [
            max(held) for held in zip([-1] * trace.agents, *(versions[p] for p in transaction.parents), strict=True)
        ]
        replica = replicas[transaction.agent]
        replica.catch_up(version, trace.transactions, updates)
        updates.append(replica.type(transaction.patches))
        version[transaction.agent] = index
        versions.append(version)
        yield f"agent {transaction.agent}", updates[-1]
    for replica in replicas:
        replica.close()


def test_a_recorded_session_of_two_people() -> None:
    rows = log(recorded())
    spans = blame(rows, "text", "content", len(rows))
    check_cover(spans, read_trace().end_content)
    assert writers_blamed(spans) == writers_seen(rows, "content")
    joined = by_author(spans)
    check_cover(joined, read_trace().end_content)
    assert len(joined) < 200
    assert {span.author for span in joined} == {"agent 0", "agent 1"}
    earlier = blame(rows, "text", "content", 5_000)
    check_cover(earlier, read_text(document(*(row.data for row in rows[:5_000])), "text", "content"))


def test_what_another_user_relays_is_still_the_writers() -> None:
    rows = [
        Row(1, "ann", LIVE, START, update((5, 0, [text("hello")]))),
        Row(2, "bob", SYNCED, START, update((5, 5, [text(" world", origin=(5, 4))]))),
    ]
    first, second = blame(rows, "text", "content", 2)
    assert first == Span("", 0, 5, "hello", "ann", 1, START, None)
    assert second == Span("", 5, 11, " world", "ann", 2, START, "bob")
    assert len(by_author([first, second])) == 2


def test_what_was_there_before_the_log_has_no_author() -> None:
    rows = log([("ann", update((5, 0, [text("old ")]))), ("bob", update((6, 0, [text("new", origin=(5, 3))])))])
    snapshot = compact(None, [rows[0].data])
    assert [(span.text, span.author) for span in blame(rows[1:], "text", "content", 2, snapshot)] == [
        ("old ", None),
        ("new", "bob"),
    ]


def test_characters_of_two_units_are_counted_once() -> None:
    rows = log([("ann", update((5, 0, [text("a😀")]))), ("bob", update((6, 0, [text("é😀b", origin=(5, 2))])))])
    assert [(span.start, span.end, span.text, span.author) for span in blame(rows, "text", "content", 2)] == [
        (0, 2, "a😀", "ann"),
        (2, 5, "é😀b", "bob"),
    ]


class Editors:
    """People who edit one document in turn; each edit is a row."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def edit(self, author: str, change: Any) -> None:
        doc: Doc[Any] = document(*(row.data for row in self.rows))
        made: list[bytes] = []
        subscription = doc.observe(lambda event: made.append(event.update))
        with doc.transaction():
            change(doc)
        doc.unobserve(subscription)
        self.rows += [Row(len(self.rows) + 1, author, LIVE, START, data) for data in made]

    def blame(self, kind: str, root: str) -> list[tuple[str, str, str | None]]:
        return [(span.path, span.text, span.author) for span in blame(self.rows, kind, root, len(self.rows))]


def test_rich_text_is_attributed_block_by_block() -> None:
    def first(doc: Doc[Any]) -> None:
        root = doc.get("default", type=XmlFragment)
        root.children.append(XmlElement("paragraph", contents=[XmlText("one")]))
        item = XmlElement("listItem", contents=[XmlElement("paragraph", contents=[XmlText("two")])])
        root.children.append(XmlElement("bulletList", contents=[item]))

    def second(doc: Doc[Any]) -> None:
        root = doc.get("default", type=XmlFragment)
        paragraph = root.children[0]
        assert isinstance(paragraph, XmlElement)
        line = paragraph.children[0]
        assert isinstance(line, XmlText)
        line.insert(1, "é😀")
        line.format(0, 3, {"bold": {}})
        paragraph.children.append(XmlElement("hardBreak"))
        root.children.insert(1, XmlElement("paragraph"))

    editors = Editors()
    editors.edit("ann", first)
    editors.edit("bob", second)
    assert editors.blame("richtext", "default") == [
        ("/0", "o", "ann"),
        ("/0", "é😀", "bob"),
        ("/0", "ne", "ann"),
        ("/0", "\n", "bob"),
        ("/1", "", "bob"),
        ("/2/0/0", "two", "ann"),
    ]


def test_maps_are_attributed_key_by_key() -> None:
    def first(doc: Doc[Any]) -> None:
        shared: Map[Any] = doc.get("content", type=Map)
        shared["a"] = 1
        shared["b"] = Map({"x": 1, "y": Array([1, 2]), "empty": Map()})
        shared["name"] = Text("hello")
        shared["gone"] = 1

    def second(doc: Doc[Any]) -> None:
        shared: Map[Any] = doc.get("content", type=Map)
        shared["a"] = {"plain": True}
        shared["b"]["y"].insert(1, 9)
        shared["name"].insert(5, "!")
        del shared["gone"]

    editors = Editors()
    editors.edit("ann", first)
    editors.edit("bob", second)
    assert editors.blame("map", "content") == [
        ("/a", "", "bob"),
        ("/b/empty", "", "ann"),
        ("/b/x", "", "ann"),
        ("/b/y/0", "", "ann"),
        ("/b/y/1", "", "bob"),
        ("/b/y/2", "", "ann"),
        ("/name", "hello", "ann"),
        ("/name", "!", "bob"),
    ]


def test_diagrams_are_attributed_by_their_maps() -> None:
    def first(doc: Doc[Any]) -> None:
        doc["nodes"] = Map({"n": Map({"type": "t", "position": {"x": 1, "y": 2}})})

    def second(doc: Doc[Any]) -> None:
        doc.get("nodes", type=Map)["n"]["position"] = {"x": 3, "y": 2}

    editors = Editors()
    editors.edit("ann", first)
    editors.edit("bob", second)
    assert editors.blame("diagram", "") == [("/nodes/n/position", "", "bob"), ("/nodes/n/type", "", "ann")]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_every_block_and_key_of_a_document_is_attributed(seed: int) -> None:
    session = Session(seed, edits=60)
    rows = log(("ann", data) for data in session.updates)
    doc = document(*session.updates)
    blocks: dict[str, str] = {}
    for span in blame(rows, "richtext", "xml", len(rows)):
        assert span.author == "ann"
        blocks[span.path] = blocks.get(span.path, "") + span.text
    lines = read_text(doc, "richtext", "xml")
    # Loose text that is empty is a line without anything to attribute.
    assert [line for line in "\n".join(blocks.values()).split("\n") if line] == [
        line for line in lines.split("\n") if line
    ]
    value = read_shared(doc.get("map", type=Map))
    for span in blame(rows, "map", "map", len(rows)):
        at: Any = value
        for token in parse_pointer(span.path):
            at = at[int(token)] if isinstance(at, list) else at[token]
        assert not isinstance(at, str) or not span.text or at[span.start : span.end] == span.text


def test_other_kinds_are_refused() -> None:
    with pytest.raises(EditError):
        blame([], "sheet", "content", 0)

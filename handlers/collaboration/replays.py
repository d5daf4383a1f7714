"""What is asked of a document's bytes: functions without any state, so that a worker process can run them as well.

They take a snapshot and the updates after it, as the log holds them. A state alone is one update after no snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from pycrdt import Doc

from crdt.blame import Span, blame, by_author
from crdt.content import DEFAULT_ROOTS, EditError, infer_shape, read_json, read_text
from crdt.diff import Hunk, diff_json, diff_text
from crdt.replay import replay
from storage.update_log import UpdateRow

Form = Literal["text", "json"]


class Shape(NamedTuple):
    """What a document's content is, and the name of the shared type that holds it.

    `is_certain` is False for a guess at an empty document: an editor may come and use another root.
    """

    kind: str
    root: str
    is_certain: bool = True


class Question(NamedTuple):
    """What to read: in which form, None for the one that suits the kind; of which kind and root, None for unknown."""

    kind: str | None
    root: str | None
    form: Form | None = None


class Reading(NamedTuple):
    """What was read. Without a shape there is nothing in the document yet."""

    shape: Shape | None
    form: Form
    value: Any


def shape_of(doc: Doc[Any], kind: str | None, root: str | None) -> Shape | None:
    """The kind and root, told from what the document holds as far as they are not given; None for an empty one."""
    if kind is not None and root is not None:
        return Shape(kind, root)
    told = infer_shape(doc)
    if told is not None and kind in (None, told[0]):
        return Shape(*told)
    return None if kind is None else Shape(kind, DEFAULT_ROOTS[kind], is_certain=False)


def shape_of_state(state: bytes, kind: str | None, root: str | None) -> Shape | None:
    return shape_of(replay(None, [state]), kind, root)


def read(doc: Doc[Any], question: Question) -> Reading:
    """The content of a document."""
    shape = shape_of(doc, question.kind, question.root)
    if shape is None:
        form = question.form or "text"
        return Reading(None, form, "" if form == "text" else None)
    form = question.form or ("text" if shape.kind == "text" else "json")
    reader = read_text if form == "text" else read_json
    return Reading(shape, form, reader(doc, shape.kind, shape.root))


def read_replayed(snapshot: bytes | None, updates: Iterable[bytes], question: Question) -> Reading:
    return read(replay(snapshot, updates), question)


def compared(old: Reading, new: Reading) -> list[Hunk] | list[dict[str, Any]]:
    """What changed from one reading to another of the same form. Raises EditError for what cannot be compared."""
    return diff_text(old.value, new.value) if old.form == "text" else diff_json(old.value, new.value)


class LogColumns(NamedTuple):
    """Rows of the log by column: a hundred times quicker on their way to a worker than as objects."""

    numbers: list[int]
    authors: list[str]
    origins: list[int]
    times: list[float]
    data: list[bytes]

    @classmethod
    def empty(cls) -> LogColumns:
        return cls([], [], [], [], [])

    def extend(self, rows: Sequence[UpdateRow]) -> None:
        self.numbers.extend(row.number for row in rows)
        self.authors.extend(row.author for row in rows)
        self.origins.extend(row.origin for row in rows)
        self.times.extend(row.created_at.timestamp() for row in rows)
        self.data.extend(row.data for row in rows)

    def rows(self) -> list[UpdateRow]:
        """Seconds since 1970 as floats hold the microseconds of this millennium exactly."""
        return [
            UpdateRow(number, author, origin, datetime.fromtimestamp(at, UTC), data)
            for number, author, origin, at, data in zip(*self, strict=True)
        ]


class BlameQuestion(NamedTuple):
    """Who wrote what of the document at a number; neighbours of one author as one if `grouped`."""

    number: int
    kind: str | None
    root: str | None
    grouped: bool


def blamed(log: LogColumns, snapshot: bytes | None, question: BlameQuestion) -> tuple[Shape | None, list[Span]]:
    """The answer, and what the document is. `snapshot` is what is before the log."""
    rows, number = log.rows(), question.number
    if question.kind is None or question.root is None:
        until = (row.data for row in rows if row.number <= number)
        shape = shape_of(replay(snapshot, until), question.kind, question.root)
    else:
        shape = Shape(question.kind, question.root)
    if shape is None:
        return None, []
    spans = blame(rows, shape.kind, shape.root, number, snapshot)
    return shape, by_author(spans) if question.grouped else spans


class Words(NamedTuple):
    """What a document is to be found by, and what kind of document it is."""

    text: str
    shape: Shape | None


def searchable(doc: Doc[Any], kind: str | None, root: str | None) -> Words:
    """The words of a document: its text, or the strings in its JSON, of a map with their keys."""
    shape = shape_of(doc, kind, root)
    if shape is None:
        return Words("", None)
    if shape.kind in ("text", "richtext"):
        return Words(read_text(doc, shape.kind, shape.root), shape)
    try:
        value = read_json(doc, shape.kind, shape.root)
    except EditError:  # nested too deep to be read
        value = None
    return Words("\n".join(_strings(value, with_keys=shape.kind == "map")), shape)


def searchable_replayed(snapshot: bytes | None, updates: Iterable[bytes], kind: str | None, root: str | None) -> Words:
    return searchable(replay(snapshot, updates), kind, root)


def _strings(value: Any, *, with_keys: bool) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, with_keys=with_keys)
    elif isinstance(value, dict):
        for key, item in value.items():
            if with_keys:
                yield key
            yield from _strings(item, with_keys=with_keys)

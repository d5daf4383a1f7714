"""What is asked of a document's bytes: functions without any state, so that a worker process can run them as well.

Each takes a snapshot and the updates after it, as the log holds them; a state alone is updates of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from pycrdt import Doc, merge_updates

from crdt.content import DEFAULT_ROOTS, infer_shape, read_json, read_text
from crdt.replay import replay
from crdt.sync import EMPTY_UPDATE

Form = Literal["text", "json"]
Edit = Callable[[Doc[Any]], None]


class Shape(NamedTuple):
    """What a document's content is, and the name of the shared type that holds it."""

    kind: str
    root: str


class Question(NamedTuple):
    """What to read: the form, None for that which suits the kind, of the kind and root if they are known."""

    form: Form | None
    kind: str | None
    root: str | None


class Reading(NamedTuple):
    """What was read. Without a shape there is nothing in the document yet."""

    shape: Shape | None
    form: Form
    value: Any


def shape_of(doc: Doc[Any], kind: str | None, root: str | None) -> Shape | None:
    """The kind and root, as far as they are not given told from what the document holds; None for an empty one."""
    if kind is not None and root is not None:
        return Shape(kind, root)
    inferred = infer_shape(doc)
    if inferred is not None and kind in (None, inferred[0]) and root in (None, inferred[1]):
        return Shape(*inferred)
    return None if kind is None else Shape(kind, DEFAULT_ROOTS[kind])


def read(doc: Doc[Any], question: Question) -> Reading:
    """The content of a document. Raises EditError where a form does not suit the kind."""
    shape = shape_of(doc, question.kind, question.root)
    if shape is None:
        form = question.form or "text"
        return Reading(None, form, "" if form == "text" else None)
    form = question.form or ("text" if shape.kind == "text" else "json")
    value = read_text(doc, *shape) if form == "text" else read_json(doc, *shape)
    return Reading(shape, form, value)


def read_replayed(snapshot: bytes | None, updates: Iterable[bytes], question: Question) -> Reading:
    return read(replay(snapshot, updates), question)


def draft(state: bytes, edit: Edit) -> bytes:
    """The update that an edit makes on a document in this state. Raises what the edit raises."""
    doc: Doc[Any] = Doc()
    doc.apply_update(state)
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    try:
        with doc.transaction():
            edit(doc)
    finally:
        doc.unobserve(subscription)
    return merge_updates(*updates) if len(updates) > 1 else updates[0] if updates else EMPTY_UPDATE

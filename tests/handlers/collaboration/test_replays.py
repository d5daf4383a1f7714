"""Questions about a document's bytes: answered, and able to go to a worker and back."""

import pickle
from functools import partial
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from crdt.content import DEFAULT_ROOTS, KINDS, EditError
from crdt.edits import Splice
from crdt.replay import replay
from crdt.sync import EMPTY_UPDATE
from handlers.collaboration import replays
from handlers.collaboration.replays import Question, Reading, Shape
from handlers.collaboration.writing import NewJson, NewText, PointerEdits, Splices
from handlers.document_edits import draft


def text_state(text: str, root: str = "content") -> bytes:
    doc: Doc[Any] = Doc(client_id=7)
    doc.get(root, type=Text).insert(0, text)
    return doc.get_update()


def map_state(**values: Any) -> bytes:
    doc: Doc[Any] = Doc(client_id=7)
    doc.get("content", type=Map).update(values)
    return doc.get_update()


@pytest.mark.parametrize(
    ("state", "kind", "root", "shape"),
    [
        (EMPTY_UPDATE, None, None, None),
        (EMPTY_UPDATE, "map", None, Shape("map", "content", is_certain=False)),
        (EMPTY_UPDATE, "map", "rows", Shape("map", "rows")),
        (text_state("x", "monaco"), None, None, Shape("text", "monaco")),
        (text_state("x", "monaco"), "text", None, Shape("text", "monaco")),
        (text_state("x", "monaco"), "text", "content", Shape("text", "content")),
        (text_state("x"), "richtext", None, Shape("richtext", "default", is_certain=False)),
    ],
)
def test_what_was_said_goes_before_what_can_be_told(
    state: bytes, kind: str | None, root: str | None, shape: Shape | None
) -> None:
    assert replays.shape_of_state(state, kind, root) == shape
    assert replays.shape_of(replay(None, [state]), kind, root) == shape


def test_every_kind_has_a_usual_root_and_reads_empty() -> None:
    assert set(DEFAULT_ROOTS) == set(KINDS)
    for kind in KINDS:
        for form in ("text", "json", None):
            reading = replays.read(Doc(), Question(kind, None, form))
            assert reading.shape is not None
            assert reading.shape.kind == kind
            assert reading.form == form or form is None


def test_a_text_is_read_as_text_and_the_rest_as_json_unless_asked() -> None:
    assert replays.read_replayed(None, [text_state("x")], Question(None, None)) == Reading(
        Shape("text", "content"), "text", "x"
    )
    assert replays.read_replayed(None, [map_state(a=1)], Question(None, None)) == Reading(
        Shape("map", "content"), "json", {"a": 1}
    )


def test_words_are_strings_wherever_they_are() -> None:
    found = replays.searchable_replayed(
        None, [map_state(term={"means": ["this", 1, None, {"or": "that"}]})], None, None
    )
    assert found.shape == Shape("map", "content")
    assert found.text.split("\n") == ["term", "means", "this", "or", "that"]
    assert replays.searchable(Doc(), None, None) == ("", None)


def test_a_draft_is_the_edit_alone_and_an_edit_that_fails_leaves_nothing() -> None:
    state = text_state("hello")
    edit = partial(Splices([Splice(5, 0, "!")]).apply, Shape("text", "content"))
    update = draft(state, edit)
    assert len(update) < len(state) + 20
    assert str(replay(None, [state, update]).get("content", type=Text)) == "hello!"
    assert draft(state, partial(NewText("hello").apply, Shape("text", "content"))) == EMPTY_UPDATE
    with pytest.raises(EditError):
        draft(state, partial(Splices([Splice(9, 0, "!")]).apply, Shape("text", "content")))


@pytest.mark.parametrize("change", [Splices([]), PointerEdits([]), NewText("x"), NewJson({"a": [1]})])
def test_edits_can_be_sent_to_a_worker(change: Splices | PointerEdits | NewText | NewJson) -> None:
    edit = partial(change.apply, Shape("text", "content"))
    again = pickle.loads(pickle.dumps(edit))
    assert (again.func.__self__, again.args) == (change, edit.args)


def test_an_edit_error_comes_back_from_a_worker_as_it_was() -> None:
    error = pickle.loads(pickle.dumps(EditError("wrong_kind", "not a text")))
    assert (error.code, error.message, str(error)) == ("wrong_kind", "not a text", "not a text")

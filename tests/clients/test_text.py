"""Positions count code points, whatever the engine counts."""

from typing import Any

import pycrdt
import pytest
from collab_studio.text import Text
from hypothesis import given
from hypothesis import strategies as st


def text_of(content: str) -> Text:
    text = Text(pycrdt.Doc(), "content")
    text.append(content)
    return text


def test_positions_beyond_ascii() -> None:
    text = text_of("aé😀e\u0301z")
    assert len(text) == 6
    text.insert(3, "|")
    assert str(text) == "aé😀|e\u0301z"
    text.delete(1, 2)
    assert str(text) == "a|e\u0301z"
    text.splice(1, 1, "ü😀")
    assert str(text) == "aü😀e\u0301z"


@pytest.mark.parametrize(("position", "length"), [(-1, 0), (3, 1), (4, 0), (0, -1)])
def test_positions_outside_are_refused(position: int, length: int) -> None:
    text = text_of("abc")
    with pytest.raises(IndexError):
        text.splice(position, length, "x")
    assert str(text) == "abc"


def test_a_text_with_embedded_objects_is_left_alone() -> None:
    text = text_of("abc")
    text.shared.insert_embed(1, {"image": "x"})
    with pytest.raises(ValueError, match="embedded"):
        text.insert(2, "x")


def test_replace_touches_only_what_differs() -> None:
    ydoc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    text = Text(ydoc, "content")
    text.append("one two three")
    deltas: list[object] = []

    def note(event: Any) -> None:
        deltas.extend(event.delta)

    text.shared.observe(note)
    text.replace("one 2 three")
    text.replace("one 2 three")
    assert deltas == [{"retain": 4}, {"delete": 3}, {"insert": "2"}]


@given(st.text(max_size=30), st.text(max_size=30))
def test_replace_makes_it_equal(before: str, after: str) -> None:
    text = text_of(before)
    text.replace(after)
    assert str(text) == after


@given(st.text(max_size=20), st.data())
def test_splices_agree_with_strings(content: str, data: st.DataObject) -> None:
    text = text_of(content)
    for _ in range(5):
        position = data.draw(st.integers(0, len(content)))
        delete = data.draw(st.integers(0, len(content) - position))
        insert = data.draw(st.text(max_size=5))
        text.splice(position, delete, insert)
        content = content[:position] + insert + content[position + delete :]
        assert str(text) == content

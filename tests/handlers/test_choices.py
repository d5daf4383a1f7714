"""What a refused value could have been."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import msgspec
import pytest

from handlers.choices import choices_at, form_at


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Circle(msgspec.Struct, tag_field="kind", tag="circle"):
    colour: Colour | None = None


class Square(msgspec.Struct, tag_field="kind", tag="square"):
    sides: list[Literal["top", "left"]] = []


class Drawing(msgspec.Struct):
    shape: Circle | Square
    named: dict[str, Circle] = {}
    order: Annotated[Literal["up", "down"] | msgspec.UnsetType, msgspec.Meta(description="d")] = msgspec.UNSET
    title: str = ""
    size: Annotated[str, msgspec.Meta(pattern="^[0-9]+mm$", description="Millimetres.", examples=["12mm"])] = ""
    depth: Annotated[str, msgspec.Meta(pattern="^[0-9]+$")] = ""


@pytest.mark.parametrize(
    ("where", "choices"),
    [
        ("shape.kind", ["circle", "square"]),
        ("shape.colour", ["red", "blue"]),
        ("shape.sides[0]", ["left", "top"]),
        ("named[...].colour", ["red", "blue"]),
        ("order", ["down", "up"]),
        ("title", []),
        ("nothing", []),
        ("", []),
    ],
)
def test_the_words_that_may_stand_there(where: str, choices: list[str]) -> None:
    assert choices_at(Drawing, where) == choices


@pytest.mark.parametrize(
    ("where", "form"),
    [("size", "Millimetres; for example '12mm'"), ("depth", None), ("title", None), ("nothing", None)],
)
def test_how_it_has_to_look(where: str, form: str | None) -> None:
    assert form_at(Drawing, where) == form

"""What a refused value could have been."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import msgspec
import pytest

from handlers.choices import choices_at


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

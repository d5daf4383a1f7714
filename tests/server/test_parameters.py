"""Parameters from path, query and body become the plain values of one request."""

import enum
from datetime import datetime
from typing import Annotated, Any

import msgspec
import pytest

from handlers.registry import Context, InvalidRequest, Operation, Permission
from server.parameters import RequestShape
from server.representation import UnsupportedMediaType


class Colour(enum.StrEnum):
    RED = "red"


class Everything(msgspec.Struct, kw_only=True):
    number: int = 0
    ratio: float = 0.0
    flag: bool = False
    colour: Colour = Colour.RED
    at: datetime | int | None = None
    names: list[str] = []
    numbers: list[int] | msgspec.UnsetType = msgspec.UNSET
    limit: Annotated[int, msgspec.Meta(ge=1, le=5)] = 5
    text: str = ""


class Perhaps(msgspec.Struct, kw_only=True):
    number: int | None = None
    flag: bool | None = None
    text: str | None = None
    colours: list[Colour] | None = None


class Upload(msgspec.Struct, kw_only=True):
    text: str | None = None
    body: bytes | None = None
    content_type: str | None = None


class Patch(msgspec.Struct):
    body: list[dict[str, Any]]


async def nothing(context: Context, request: msgspec.Struct) -> None:
    """Does nothing."""


def shape(request: type[msgspec.Struct], method: str = "POST") -> RequestShape:
    return RequestShape(
        Operation("things", request, None, nothing, f"{method} /things", Permission.PUBLIC, "Things.", audited=False)
    )


def test_query_text_becomes_values() -> None:
    query = [
        ("number", "7"),
        ("ratio", "0.5"),
        ("flag", "true"),
        ("colour", "red"),
        ("names", "a"),
        ("names", "7"),
        ("numbers", "1"),
        ("text", "7"),
    ]
    values = shape(Everything, "GET").from_query(query)
    assert values == {
        "number": 7,
        "ratio": 0.5,
        "flag": True,
        "colour": "red",
        "names": ["a", "7"],
        "numbers": [1],
        "text": "7",
    }
    assert msgspec.convert(values, Everything).numbers == [1]


def test_a_union_keeps_its_meaning() -> None:
    values = shape(Everything, "GET")
    assert values.from_query([("at", "5")]) == {"at": 5}
    moment = msgspec.convert(values.from_query([("at", "2026-01-02T03:04:05Z")]), Everything).at
    assert isinstance(moment, datetime)
    assert moment.isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    "query", [[("number", "x")], [("limit", "6")], [("colour", "blue")], [("number", "1"), ("number", "1")]]
)
def test_bad_query_values_name_their_parameter(query: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        shape(Everything, "GET").from_query(query)
    assert refused.value.details == {"parameter": query[0][0]}
    assert query[0][0] in refused.value.message


def test_unknown_names_are_left_to_the_dispatcher() -> None:
    assert shape(Everything, "GET").from_query([("nonsense", "1")]) == {"nonsense": "1"}


def test_a_body_of_fields() -> None:
    upload = shape(Upload)
    assert upload.from_body(b'{"text": "a"}', "application/json") == {"text": "a"}
    assert upload.from_body(msgspec.msgpack.encode({"body": b"\0"}), "application/msgpack") == {"body": b"\0"}
    assert upload.from_body(b"", "application/json") == {}


def test_a_raw_body_comes_with_its_media_type() -> None:
    assert shape(Upload).from_body(b"\0\0", "application/octet-stream") == {
        "body": b"\0\0",
        "content_type": "application/octet-stream",
    }


def test_a_whole_body_is_one_parameter() -> None:
    assert shape(Patch).from_body(b'[{"op": "add"}]', "application/json-patch+json") == {"body": [{"op": "add"}]}


def test_a_body_of_fields_is_an_object() -> None:
    with pytest.raises(InvalidRequest):
        shape(Upload).from_body(b"[1]", "application/json")


def test_raw_bytes_need_somewhere_to_go() -> None:
    with pytest.raises(UnsupportedMediaType):
        shape(Patch).from_body(b"\0", "application/octet-stream")


@pytest.mark.parametrize("name", ["number", "flag", "colours"])
def test_the_word_null_in_an_address_is_no_absence(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        shape(Perhaps, "GET").from_query([(name, "null")])
    assert caught.value.details == {"parameter": name}


def test_the_word_null_is_a_text_like_any_other() -> None:
    assert shape(Perhaps, "GET").from_query([("text", "null")]) == {"text": "null"}
    assert shape(Perhaps, "GET").from_query([("number", "3"), ("colours", "red")]) == {"number": 3, "colours": ["red"]}

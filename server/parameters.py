"""Parameters out of an HTTP request: path over query over body, every one a field of the operation's request."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from msgspec import inspect, structs

from handlers.registry import InvalidRequest, Operation
from server.representation import (
    UnsupportedMediaType,
    decode,
    is_structured,
)

BODY = "body"
CONTENT_TYPE = "content_type"


@functools.cache
def field_types(request: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The type of each request field by its name on the wire."""
    return {field.encode_name: field.type for field in structs.fields(request)}


def has_list(annotation: Any) -> bool:
    """Whether a parameter of this type may be given more than once."""
    shape = _bare(inspect.type_info(annotation))
    members = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
    lists = (inspect.ListType, inspect.VarTupleType, inspect.SetType)
    return any(isinstance(_bare(member), lists) for member in members)


@functools.cache
def _lists(request: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(name for name, annotation in field_types(request).items() if has_list(annotation))


def _bare(shape: inspect.Type) -> inspect.Type:
    """Without what is only said of it, as a description."""
    while isinstance(shape, inspect.Metadata):
        shape = shape.type
    return shape


def takes_bytes(annotation: Any) -> bool:
    """Whether a body field of this type takes a raw body."""
    shape = inspect.type_info(annotation)
    members = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
    return any(isinstance(member, inspect.BytesType) for member in members)


def without(annotation: Any, *left_out: Any) -> Any:
    """A union without these of its members; what is no union of them is as it was."""
    members = get_args(annotation)
    if not set(left_out).intersection(member for member in members if isinstance(member, type)):
        return annotation
    return functools.reduce(operator.or_, (member for member in members if member not in left_out))


class RequestShape:
    """How one operation's request is put together; worked out once, when the routes are built."""

    def __init__(self, operation: Operation) -> None:
        self._name = operation.name
        self._types = field_types(operation.request)
        # In an address a parameter is there or not: the text "null" is no absence of it.
        self._types_in_address = {name: without(type_, type(None)) for name, type_ in self._types.items()}
        self._lists = _lists(operation.request)
        self._raw_body = BODY in self._types and takes_bytes(self._types[BODY])
        self._whole_body = BODY in self._types and not self._raw_body
        self.takes_body = operation.method not in ("GET", "DELETE")
        self.has_cursor = "cursor" in self._types
        self.has_limit = "limit" in self._types

    def from_query(self, items: list[tuple[str, str]]) -> dict[str, Any]:
        """Query parameters by name. Raises InvalidRequest for one given twice that is no list."""
        values: dict[str, Any] = {}
        for name, text in items:
            if name in self._lists:
                values.setdefault(name, []).append(text)
            elif name in values:
                raise InvalidRequest(f"{name} is given twice.", details={"parameter": name})
            else:
                values[name] = text
        return {name: self._convert(name, text) for name, text in values.items()}

    def from_path(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {name: self._convert(name, text) for name, text in values.items()}

    def from_body(self, body: bytes, media_type: str) -> dict[str, Any]:
        """Parameters of a body. Raises InvalidRequest or UnsupportedMediaType."""
        if not body:
            return {}
        if self._raw_body and not is_structured(media_type):
            described = {CONTENT_TYPE: media_type} if CONTENT_TYPE in self._types else {}
            return {BODY: body, **described}
        if not is_structured(media_type):
            raise UnsupportedMediaType(
                f"{self._name} takes JSON or MessagePack: say which in Content-Type.", details={"given": media_type}
            )
        value = decode(body, media_type)
        if self._whole_body:
            return {BODY: value}
        if not isinstance(value, dict):
            raise InvalidRequest("The body must be an object.", code="malformed_body")
        return value

    def _convert(self, name: str, text: str | list[str]) -> Any:
        """Text as the plain value that a body would hold, so that all are checked alike afterwards."""
        if name not in self._types:
            return text  # unknown: refused with the others of its kind by the dispatcher
        try:
            return msgspec.to_builtins(msgspec.convert(text, self._types_in_address[name], strict=False))
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"{name}: {error}.", details={"parameter": name}) from None

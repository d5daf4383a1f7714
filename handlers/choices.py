"""What a refused value could have been: the words of an enumeration, the tags of a union, where a request has one."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect

# More of them are looked up in the documentation.
MOST_CHOICES = 40
_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[[^\]]*\]")


def choices_at(request: type[msgspec.Struct], where: str) -> list[str]:
    """What may stand at `where`, written as in `spec.query[0].kind`; none if that is not one of some words."""
    found: list[inspect.Type] = [_type_of(request)]
    tags: list[str] = []
    for step in _STEP.finditer(where):
        name = step[1]
        inner = [each for outer in found for each in _alternatives(outer)]
        tags = [_tag_of(each) for each in inner if isinstance(each, inspect.StructType) and each.tag_field == name]
        found = [deeper for each in inner for deeper in _step_into(each, name)]
    words = dict.fromkeys(
        [*tags, *(word for each in found for leaf in _alternatives(each) for word in _words_of(leaf))]
    )
    return list(words) if len(words) <= MOST_CHOICES else []


def form_at(request: type[msgspec.Struct], where: str) -> str | None:
    """How what stands at `where` has to look, in words and an example, as far as its declaration says."""
    for found in _types_at(request, where):
        for each in _with_metadata(found):
            extra = each.extra_json_schema or {}
            example = next((f"for example {written!r}" for written in extra.get("examples", [])), None)
            said = [part for part in (extra.get("description"), example) if part]
            if said:
                return "; ".join(part.rstrip(".") for part in said)
    return None


def _types_at(request: type[msgspec.Struct], where: str) -> list[inspect.Type]:
    found: list[inspect.Type] = [_type_of(request)]
    for step in _STEP.finditer(where):
        found = [deeper for outer in found for each in _alternatives(outer) for deeper in _step_into(each, step[1])]
    return found


def _with_metadata(outer: inspect.Type) -> Iterable[inspect.Metadata]:
    if isinstance(outer, inspect.UnionType):
        for each in outer.types:
            yield from _with_metadata(each)
    elif isinstance(outer, inspect.Metadata):
        yield outer
        yield from _with_metadata(outer.type)


@functools.cache
def _type_of(request: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(request)


def _alternatives(outer: inspect.Type) -> Iterable[inspect.Type]:
    if isinstance(outer, inspect.UnionType):
        for each in outer.types:
            yield from _alternatives(each)
    elif isinstance(outer, inspect.Metadata):
        yield from _alternatives(outer.type)
    else:
        yield outer


def _step_into(outer: inspect.Type, name: str | None) -> list[inspect.Type]:
    match outer:
        case inspect.StructType() if name is not None:
            return [field.type for field in outer.fields if field.encode_name == name]
        case inspect.ListType() | inspect.SetType() | inspect.VarTupleType() if name is None:
            return [outer.item_type]
        case inspect.DictType() if name is None:
            return [outer.value_type]
        case _:
            return []


def _words_of(leaf: inspect.Type) -> list[Any]:
    match leaf:
        case inspect.EnumType():
            return [each.value for each in leaf.cls]
        case inspect.LiteralType():
            return list(leaf.values)
        case _:
            return []


def _tag_of(struct: inspect.StructType) -> str:
    return str(struct.tag)

"""Whether every value of one column type is a value of another."""

from __future__ import annotations

import re

_TYPE = re.compile(r"^\s*([a-z0-9_ ]+?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*(unsigned)?\s*$")
_ALIASES = {
    "int": "integer",
    "int4": "integer",
    "int2": "smallint",
    "int8": "bigint",
    "float4": "real",
    "float8": "double",
    "double precision": "double",
    "float": "double",
    "decimal": "numeric",
    "character varying": "varchar",
    "string": "text",
    "clob": "text",
    "character": "char",
    "bpchar": "char",
    "bool": "boolean",
    "timestamp without time zone": "timestamp",
    "datetime": "timestamp",
    "timestamp with time zone": "timestamptz",
    "bytea": "blob",
}
# Each is wide enough for all before it.
_INTEGERS = ("tinyint", "smallint", "integer", "bigint", "hugeint")
_INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "hugeint": 39}
# Whole numbers that a floating-point type holds without loss.
_EXACT_IN = {"real": ("tinyint", "smallint"), "double": ("tinyint", "smallint", "integer")}
_TEXTS = ("char", "varchar", "text")


def parsed(written: str) -> tuple[str, int | None, int | None]:
    """Name, length or precision, and scale of a type, under one name for each type. Others come back as they are."""
    lowered = written.strip().lower()
    match = _TYPE.match(lowered)
    if match is None or match[4]:
        return lowered, None, None
    name = _ALIASES.get(match[1], match[1])
    return name, int(match[2]) if match[2] else None, int(match[3]) if match[3] else None


def is_same(before: str, after: str) -> bool:
    """Whether two spellings mean one type."""
    return parsed(before) == parsed(after)


def is_wider(before: str, after: str) -> bool:
    """Whether the type after takes every value of the one before, unchanged."""
    old, old_size, old_scale = parsed(before)
    new, new_size, new_scale = parsed(after)
    if old in _TEXTS and new in _TEXTS:
        return _TEXTS.index(new) >= _TEXTS.index(old) and _at_least(new_size, old_size)
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(new) >= _INTEGERS.index(old)
    if new == "numeric":
        return _fits_numeric(old, old_size, old_scale, new_size, new_scale)
    if new in _EXACT_IN:
        return old in _EXACT_IN[new] or (old, new) == ("real", "double")
    return (old, new) == ("date", "timestamp") or is_same(before, after)


def _at_least(size: int | None, needed: int | None) -> bool:
    """None is without a limit."""
    return size is None or (needed is not None and size >= needed)


def _fits_numeric(old: str, old_size: int | None, old_scale: int | None, size: int | None, scale: int | None) -> bool:
    if old in _INTEGERS:
        return size is None or size - (scale or 0) >= _INTEGER_DIGITS[old]
    if old != "numeric":
        return False
    if size is None:
        return True
    if old_size is None:
        return False
    whole, old_whole = size - (scale or 0), old_size - (old_scale or 0)
    return whole >= old_whole and (scale or 0) >= (old_scale or 0)

"""PostgreSQL's types: what they mean, and how a column is asked for so that numbers come as numbers."""

from __future__ import annotations

from connectors.datasets import Column, LogicalType
from connectors.sql_text import quoted

# By the name of the type without its length, arrays excluded.
_MEANINGS = {
    **dict.fromkeys(("smallint", "integer", "bigint", "oid"), LogicalType.INTEGER),
    **dict.fromkeys(("real", "double precision"), LogicalType.NUMBER),
    **dict.fromkeys(("numeric", "money"), LogicalType.DECIMAL),
    "boolean": LogicalType.BOOLEAN,
    **dict.fromkeys(
        ("text", "character varying", "character", "name", "citext", "uuid", '"char"', "xml"), LogicalType.TEXT
    ),
    "date": LogicalType.DATE,
    **dict.fromkeys(("timestamp without time zone", "timestamp with time zone"), LogicalType.TIMESTAMP),
    **dict.fromkeys(("json", "jsonb"), LogicalType.JSON),
    "bytea": LogicalType.BINARY,
}
_EPOCH_DAY = "DATE '1970-01-01'"


def meaning_of(native: str, *, is_enum: bool = False) -> LogicalType:
    """The logical type of a type as `format_type` writes it."""
    if is_enum:
        return LogicalType.TEXT
    if native.endswith("[]"):
        return LogicalType.OTHER
    return _MEANINGS.get(_without_length(native), LogicalType.OTHER)


def native_of(column: Column) -> str:
    """The type to cast a text to, for comparing it with the column. It comes from the server's own catalog."""
    return column.native_type


def expression_of(column: Column, text_limit: int | None) -> str:
    """The column as the driver shall bring it: dates as days and times as microseconds since 1970.

    Infinite and unreadable dates have no such number and come as null.
    """
    name = quoted(column.name)
    match column.logical_type:
        case LogicalType.INTEGER:
            return f"{name}::int8"
        case LogicalType.NUMBER:
            return f"{name}::float8"
        case LogicalType.DECIMAL:
            return f"{name}::numeric::float8"
        case LogicalType.BOOLEAN:
            return name
        case LogicalType.DATE:
            return f"CASE WHEN isfinite({name}) THEN ({name} - {_EPOCH_DAY})::int8 END"
        case LogicalType.TIMESTAMP:
            return f"CASE WHEN isfinite({name}) THEN (extract(epoch FROM {name}) * 1000000)::int8 END"
        case LogicalType.BINARY:
            return name if text_limit is None else f"substring({name} FROM 1 FOR {text_limit + 1})"
        case _:
            return f"{name}::text" if text_limit is None else f"left({name}::text, {text_limit + 1})"


def _without_length(native: str) -> str:
    before, opened, rest = native.partition("(")
    return (before + rest.partition(")")[2]) if opened else native

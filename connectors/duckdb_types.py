"""DuckDB's types: what they mean, and how a column is asked for so that its stream is of few formats."""

from __future__ import annotations

from connectors.datasets import Column, LogicalType
from connectors.sql_text import quoted

_MEANINGS = {
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), LogicalType.INTEGER
    ),
    **dict.fromkeys(("FLOAT", "DOUBLE", "REAL"), LogicalType.NUMBER),
    # Whole numbers beyond 64 bits are as near as floats are.
    **dict.fromkeys(("DECIMAL", "HUGEINT", "UHUGEINT", "UBIGINT", "BIGNUM"), LogicalType.DECIMAL),
    "BOOLEAN": LogicalType.BOOLEAN,
    **dict.fromkeys(("VARCHAR", "UUID", "ENUM"), LogicalType.TEXT),
    "DATE": LogicalType.DATE,
    **dict.fromkeys(
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"), LogicalType.TIMESTAMP
    ),
    "JSON": LogicalType.JSON,
    "BLOB": LogicalType.BINARY,
}


def meaning_of(native: str) -> LogicalType:
    """The logical type of a type as DESCRIBE writes it."""
    if native.endswith("]"):
        return LogicalType.OTHER
    return _MEANINGS.get(native.partition("(")[0].strip(), LogicalType.OTHER)


def expression_of(column: Column, text_limit: int | None) -> str:
    """Infinite dates and times come as null."""
    name = quoted(column.name)
    match column.logical_type:
        case LogicalType.INTEGER:
            return f"{name}::BIGINT"
        case LogicalType.NUMBER | LogicalType.DECIMAL:
            return f"{name}::DOUBLE"
        case LogicalType.BOOLEAN:
            return name
        case LogicalType.DATE:
            return f"CASE WHEN isfinite({name}) THEN {name} END"
        case LogicalType.TIMESTAMP:
            at = f"{name} AT TIME ZONE 'UTC'" if "TIME ZONE" in column.native_type else f"{name}::TIMESTAMP"
            return f"CASE WHEN isfinite({name}) THEN {at} END"
        case LogicalType.BINARY:
            return name if text_limit is None else f"{name}[:{text_limit + 1}]"
        case _:
            return f"{name}::VARCHAR" if text_limit is None else f"left({name}::VARCHAR, {text_limit + 1})"

"""SQLite's types: declared ones only hint, so what a column holds is asked of its values before they are fetched."""

from __future__ import annotations

from connectors.datasets import Column, LogicalType
from connectors.sql_text import quoted

# What `typeof` says of values, as bits that add up over a column.
INTEGER, REAL, TEXT, BLOB = 1, 2, 4, 8
_DATES = {"DATE": LogicalType.DATE, "DATETIME": LogicalType.TIMESTAMP, "TIMESTAMP": LogicalType.TIMESTAMP}


def meaning_of(declared: str) -> LogicalType:
    """By SQLite's own rules of affinity, and the names that everybody uses for the rest."""
    name = declared.upper().partition("(")[0].strip()
    if name in _DATES:
        return _DATES[name]
    if name.startswith("BOOL"):
        return LogicalType.BOOLEAN
    if "JSON" in name:
        return LogicalType.JSON
    if "INT" in name:
        return LogicalType.INTEGER
    if any(part in name for part in ("CHAR", "CLOB", "TEXT", "UUID")):
        return LogicalType.TEXT
    if "BLOB" in name or name == "BINARY":
        return LogicalType.BINARY
    if any(part in name for part in ("REAL", "FLOA", "DOUB")):
        return LogicalType.NUMBER
    if name in ("NUMERIC", "DECIMAL"):
        return LogicalType.DECIMAL
    return LogicalType.OTHER


def held_type(declared: LogicalType, kinds: int) -> LogicalType:
    """The logical type that fits every value of a column, whose values are of these kinds."""
    if kinds == 0:
        return declared
    if declared is LogicalType.BOOLEAN and kinds == INTEGER:
        return declared
    if declared in (LogicalType.DATE, LogicalType.TIMESTAMP) and kinds == TEXT:
        return declared
    if kinds == INTEGER:
        return LogicalType.DECIMAL if declared is LogicalType.DECIMAL else LogicalType.INTEGER
    if kinds <= (INTEGER | REAL):
        return LogicalType.DECIMAL if declared is LogicalType.DECIMAL else LogicalType.NUMBER
    if kinds == BLOB:
        return LogicalType.BINARY
    if kinds == TEXT and declared is LogicalType.JSON:
        return declared
    return LogicalType.TEXT


def kinds_expression(column: Column) -> str:
    """Which kinds of values a column holds, in one pass: the sum of the bits."""
    name = quoted(column.name)
    tests = (("integer", INTEGER), ("real", REAL), ("text", TEXT), ("blob", BLOB))
    return " + ".join(f"coalesce(max(typeof({name}) = '{kind}'), 0) * {bit}" for kind, bit in tests)


def odd_date(column: Column) -> str:
    """How many texts of a column of dates are none that SQLite can read."""
    name = quoted(column.name)
    return f"sum(typeof({name}) = 'text' AND julianday({name}) IS NULL)"


def expression_of(column: Column, text_limit: int | None) -> str:
    """Dates as days, times as microseconds since 1970; a text without a zone is taken for UTC."""
    name = quoted(column.name)
    match column.logical_type:
        case LogicalType.INTEGER:
            return name
        case LogicalType.BOOLEAN:
            return f"{name} <> 0"
        case LogicalType.NUMBER | LogicalType.DECIMAL:
            return f"CAST({name} AS REAL)"
        case LogicalType.DATE:
            return f"CAST(julianday(date({name})) - 2440587.5 AS INTEGER)"
        case LogicalType.TIMESTAMP:
            return f"CAST(round((julianday({name}) - 2440587.5) * 86400000.0) AS INTEGER) * 1000"
        case LogicalType.BINARY:
            return name if text_limit is None else f"substr({name}, 1, {text_limit + 1})"
        case _:
            return (
                f"CAST({name} AS TEXT)" if text_limit is None else f"substr(CAST({name} AS TEXT), 1, {text_limit + 1})"
            )

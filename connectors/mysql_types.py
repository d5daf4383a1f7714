"""MySQL's types: what they mean, and how a column is asked for so that numbers come as numbers."""

from __future__ import annotations

from connectors.datasets import Column, LogicalType
from connectors.sql_text import quoted

_MEANINGS = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), LogicalType.INTEGER),
    **dict.fromkeys(("float", "double"), LogicalType.NUMBER),
    "decimal": LogicalType.DECIMAL,
    **dict.fromkeys(
        ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "uuid", "inet4", "inet6"),
        LogicalType.TEXT,
    ),
    "date": LogicalType.DATE,
    **dict.fromkeys(("datetime", "timestamp"), LogicalType.TIMESTAMP),
    "json": LogicalType.JSON,
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), LogicalType.BINARY),
}
_GEOMETRIES = (
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection",
)  # fmt: skip
_EPOCH = "'1970-01-01'"


def meaning_of(native: str) -> LogicalType:
    """The logical type of a COLUMN_TYPE, such as `int(10) unsigned`."""
    if native == "bit(1)":
        return LogicalType.BOOLEAN
    name = native.partition("(")[0].split(" ")[0]
    if name == "bit" or (name == "bigint" and "unsigned" in native):
        return LogicalType.DECIMAL  # beyond 64 bits with a sign
    return _MEANINGS.get(name, LogicalType.OTHER)


def expression_of(column: Column, text_limit: int | None) -> str:
    """The column as the driver shall bring it: dates as days and times as microseconds since 1970.

    Dates that are none, as 0000-00-00, come as null.
    """
    name = quoted(column.name, "`")
    match column.logical_type:
        case LogicalType.INTEGER | LogicalType.BOOLEAN:
            return f"{name} + 0"
        case LogicalType.DECIMAL if column.native_type.startswith("bit"):
            return f"CAST({name} AS UNSIGNED) + 0e0"  # taken for signed otherwise
        case LogicalType.NUMBER | LogicalType.DECIMAL:
            return f"{name} + 0e0"
        case LogicalType.DATE:
            return f"DATEDIFF({name}, {_EPOCH})"
        case LogicalType.TIMESTAMP:
            return f"TIMESTAMPDIFF(MICROSECOND, {_EPOCH}, {name})"
        case LogicalType.BINARY:
            return name if text_limit is None else f"SUBSTRING({name}, 1, {text_limit + 1})"
        case _:
            text = f"ST_AsText({name})" if column.native_type in _GEOMETRIES else f"CONVERT({name} USING utf8mb4)"
            return text if text_limit is None else f"LEFT({text}, {text_limit + 1})"


def cast_of(column: Column) -> str:
    """A placeholder for a text, as a value that compares with the column without loss."""
    match column.logical_type:
        case LogicalType.INTEGER | LogicalType.DECIMAL | LogicalType.BOOLEAN:
            return "CAST(%s AS DECIMAL(65,30))"
        case LogicalType.NUMBER:
            return "(%s + 0e0)"
        case LogicalType.DATE:
            return "CAST(%s AS DATE)"
        case LogicalType.TIMESTAMP:
            return "CAST(%s AS DATETIME(6))"
        case _:
            return "%s"

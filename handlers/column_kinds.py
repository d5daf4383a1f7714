"""What a column of a source is for those that compute over it."""

from __future__ import annotations

from analysis.columns import Kind
from connectors.datasets import LogicalType

KIND_OF = {
    LogicalType.INTEGER: Kind.INTEGER,
    LogicalType.NUMBER: Kind.FLOAT,
    LogicalType.DECIMAL: Kind.FLOAT,
    LogicalType.BOOLEAN: Kind.BOOLEAN,
    LogicalType.TEXT: Kind.TEXT,
    LogicalType.DATE: Kind.DATE,
    LogicalType.TIMESTAMP: Kind.TIMESTAMP,
    LogicalType.JSON: Kind.JSON,
    LogicalType.BINARY: Kind.BINARY,
    LogicalType.OTHER: Kind.OTHER,
}


def is_aware(native_type: str) -> bool:
    """Whether times of this type, named as the source names it, have a zone."""
    native = native_type.lower()
    return "with time zone" in native or native.startswith("timestamptz")

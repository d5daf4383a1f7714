"""What a source holds, the same for every kind: datasets with columns and keys, batches of their values, changes."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Kind(enum.StrEnum):
    """The kinds of sources there are. `mysql` is MariaDB as well; `metrics` only has samples pushed to it."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    SQLITE = "sqlite"
    DUCKDB = "duckdb"
    FILES = "files"
    METRICS = "metrics"


class DatasetKind(enum.StrEnum):
    TABLE = "table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized_view"
    FOREIGN_TABLE = "foreign_table"
    FILE = "file"


class LogicalType(enum.StrEnum):
    """What a column holds, whatever its source calls it."""

    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    JSON = "json"
    BINARY = "binary"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """Names a dataset in its source. Files have no schema; a sheet is `folder/book.xlsx#Sheet 1`."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table, view or file. Rows are an estimate of the source itself, None where it has none."""

    ref: DatasetRef
    kind: DatasetKind
    estimated_rows: int | None = None
    bytes: int | None = None
    comment: str | None = None
    modified_at: datetime | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """`ordinal` counts from 1 without gaps."""

    name: str
    native_type: str
    logical_type: LogicalType
    nullable: bool
    ordinal: int
    default: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    name: str | None
    columns: tuple[str, ...]
    target: DatasetRef
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UniqueKey:
    name: str | None
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceIndex:
    """An index; `columns` hold expressions as the source writes them."""

    name: str
    columns: tuple[str, ...]
    unique: bool


@dataclass(frozen=True, slots=True)
class Description:
    """All about a dataset but its values. `definition` is the SQL of a view."""

    dataset: Dataset
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    unique_keys: tuple[UniqueKey, ...] = ()
    indexes: tuple[SourceIndex, ...] = ()
    definition: str | None = None

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """A stretch of one column.

    `values` by `logical_type`: int64 (integer), float64 (number, decimal), bool (boolean), datetime64[us] in UTC
    (timestamp), datetime64[D] (date), bytes in an object array (binary), str in an object array (all others). What
    stands at a null is of no meaning; `nulls` is None where there are none. `cut` counts the texts and bytes of this
    stretch that were longer than the limit asked for, of which only the beginning is here.
    """

    logical_type: LogicalType
    values: NDArray[Any]
    nulls: NDArray[np.bool_] | None = None
    cut: int = 0

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Some rows of a dataset, column by column. `truncated`: the row cap left out rows after these."""

    columns: Mapping[str, ColumnValues]
    rows: int
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of plain values: None, bool, int, float, str. `truncated`: there were more than asked for."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Watermark:
    """Rows with more than `value` in a column; `value` is that of an earlier `ChangeMarker.watermark`."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Sample:
    """About `rows` rows at random; the same of unchanged data for the same seed, where the source can do that."""

    rows: int
    seed: int = 0


class ChangeMethod(enum.StrEnum):
    """How it was found out whether a dataset changed."""

    WATERMARK = "watermark"  # the greatest value of a column
    STATISTICS = "statistics"  # the source's own counters of inserted, updated and deleted rows
    ROW_VERSIONS = "row_versions"  # PostgreSQL's xmin of all rows, and their number
    UPDATE_TIME = "update_time"  # the source's own note of the last write
    CHECKSUM = "checksum"  # the source's checksum over all rows
    FILE = "file"  # time, size and identity of the file
    NONE = "none"  # nothing is known: take it for changed


@dataclass(frozen=True, slots=True)
class ChangeMarker:
    """Equal `method` and `value` of two of one dataset mean that it did not change, as far as the method sees.

    Take it before reading the data, so that what changes meanwhile shows next time. `value` is None with the method
    NONE, which equals nothing. `watermark` is what to continue after. `blind_to` says in words what the method does
    not see.
    """

    method: ChangeMethod
    value: str | None
    watermark: str | None = None
    blind_to: str | None = None

    def same_as(self, earlier: ChangeMarker | None) -> bool:
        """Whether nothing changed since."""
        if earlier is None or self.value is None:
            return False
        return (self.method, self.value) == (earlier.method, earlier.value)


@dataclass(frozen=True, slots=True)
class Health:
    """A source that answered. `rights` are words such as `read` and `superuser`; warnings are sentences."""

    server: str
    latency_ms: float
    rights: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())

"""A source that only has samples pushed to it: nothing is reached, and there are no datasets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from connectors.connector import BATCH_ROWS, QUERY_ROWS, TEXT_LIMIT, Connector
from connectors.datasets import (
    ChangeMarker,
    ColumnBatch,
    Dataset,
    DatasetRef,
    Description,
    Health,
    Kind,
    QueryResult,
    Sample,
    Watermark,
)
from connectors.errors import DatasetNotFound, NotReadOnly
from connectors.settings import SourceSettings


async def connect(settings: SourceSettings) -> PushedMetrics:  # noqa: ARG001 - there is nothing to be set
    return PushedMetrics()


class PushedMetrics(Connector):
    kind = Kind.METRICS

    async def aclose(self) -> None:
        return

    async def test(self) -> Health:
        """Whether samples come is known where they are stored."""
        return Health("samples are pushed here", 0.0, (), ())

    async def list_datasets(self) -> list[Dataset]:
        return []

    async def describe(self, ref: DatasetRef) -> Description:
        raise _no_dataset(ref)

    async def count_rows(self, ref: DatasetRef, *, after: Watermark | None = None) -> int:  # noqa: ARG002
        raise _no_dataset(ref)

    def fetch(
        self,
        ref: DatasetRef,
        columns: Sequence[str] | None = None,  # noqa: ARG002
        *,
        batch_rows: int = BATCH_ROWS,  # noqa: ARG002
        row_cap: int | None = None,  # noqa: ARG002
        after: Watermark | None = None,  # noqa: ARG002
        sample: Sample | None = None,  # noqa: ARG002
        text_limit: int | None = TEXT_LIMIT,  # noqa: ARG002
    ) -> AsyncGenerator[ColumnBatch, None]:
        raise _no_dataset(ref)

    async def query(self, sql: str, *, max_rows: int = QUERY_ROWS) -> QueryResult:  # noqa: ARG002
        raise NotReadOnly("a source of pushed samples has no tables to ask")

    async def change_marker(self, ref: DatasetRef, watermark_column: str | None = None) -> ChangeMarker:  # noqa: ARG002
        raise _no_dataset(ref)


def _no_dataset(ref: DatasetRef) -> DatasetNotFound:
    return DatasetNotFound(f"there is no dataset {str(ref)!r}: samples are pushed to this source, and it has no tables")

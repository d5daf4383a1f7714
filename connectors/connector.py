"""What can be asked of a source of any kind. All of it only reads, under a timeout and a bound of rows."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from connectors.datasets import (
    ChangeMarker,
    Column,
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
from connectors.errors import ConnectorError, DatasetNotFound, PathError, StatementFailed

# Some megabytes a batch for the usual table: enough to be quick, little enough to hold several.
BATCH_ROWS = 65_536
# Longer texts are documents; their beginning tells what they are.
TEXT_LIMIT = 1_000
QUERY_ROWS = 1_000
# More would only wait for the source's connections.
_DESCRIBED_AT_ONCE = 4
# What is wrong with one dataset and says nothing of the others.
OF_A_DATASET = (DatasetNotFound, PathError, StatementFailed)


@dataclass(frozen=True, slots=True)
class Undescribed:
    """A dataset that could not be described, and why. `definition` is the SQL of a view, where that is known."""

    dataset: Dataset
    error: ConnectorError
    definition: str | None = None


class Connector(abc.ABC):
    """An open source. Methods raise ConnectorError; a cancelled one interrupts what the source was doing for it.

    Several may run at once, as many as the source's limit of connections; others wait for their turn.
    """

    kind: ClassVar[Kind]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Ends what runs and closes every connection. May be called again."""

    @abc.abstractmethod
    async def test(self) -> Health:
        """Who answers, how fast, and what this account may do."""

    @abc.abstractmethod
    async def list_datasets(self) -> list[Dataset]:
        """Everything that may be read, by schema and name; no system tables."""

    @abc.abstractmethod
    async def describe(self, ref: DatasetRef) -> Description:
        """Columns and keys. Raises DatasetNotFound, WrongFormat."""

    async def describe_all(self) -> Sequence[Description | Undescribed]:
        """`list_datasets` and `describe` at once: what is wrong with a dataset stands in its place.

        Raises ConnectorError for what is wrong with the source as a whole.
        """
        room = asyncio.Semaphore(_DESCRIBED_AT_ONCE)

        async def one(dataset: Dataset) -> Description | Undescribed:
            async with room:
                try:
                    return await self.describe(dataset.ref)
                except OF_A_DATASET as error:
                    return Undescribed(dataset, error)

        tasks = [asyncio.ensure_future(one(dataset)) for dataset in await self.list_datasets()]
        try:
            return await asyncio.gather(*tasks)
        finally:
            # What is wrong with the source as a whole ends all of it.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @abc.abstractmethod
    async def count_rows(self, ref: DatasetRef, *, after: Watermark | None = None) -> int:
        """The exact number of rows, counted by the source."""

    @abc.abstractmethod
    def fetch(
        self,
        ref: DatasetRef,
        columns: Sequence[str] | None = None,
        *,
        batch_rows: int = BATCH_ROWS,
        row_cap: int | None = None,
        after: Watermark | None = None,
        sample: Sample | None = None,
        text_limit: int | None = TEXT_LIMIT,
    ) -> AsyncGenerator[ColumnBatch, None]:
        """The values of columns (default: all), some rows at a time, of one moment where the source can do that.

        `row_cap` is at most that of the source's limits; the last batch is `truncated` where it left out rows. Close
        the generator when leaving it early (`contextlib.aclosing`), or it keeps its connection.
        """

    @abc.abstractmethod
    async def query(self, sql: str, *, max_rows: int = QUERY_ROWS) -> QueryResult:
        """The rows of one SELECT in the source's own SQL. Raises NotReadOnly for anything else."""

    @abc.abstractmethod
    async def change_marker(self, ref: DatasetRef, watermark_column: str | None = None) -> ChangeMarker:
        """What tells later whether the dataset changed, by the best method that the source has."""


def chosen_columns(description: Description, names: Sequence[str] | None) -> list[Column]:
    """The columns of these names, in this order; all for None. Raises DatasetNotFound."""
    if names is None:
        return list(description.columns)
    known = {column.name: column for column in description.columns}
    missing = [name for name in names if name not in known]
    if missing:
        raise DatasetNotFound(f"{str(description.dataset.ref)!r} has no column {missing[0]!r}")
    return [known[name] for name in names]

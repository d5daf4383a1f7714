"""One dataset, read once: what it is made of, profiled, classified and checked against rules. Runs in a reader."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import numpy as np
from msgspec import structs

from analysis.columns import Column, Kind, column_of_stretch
from analysis.profile.accumulator import TableAccumulator
from analysis.profile.figures import TableProfile
from analysis.sensitive.classify import classify_column
from analysis.sensitive.findings import Finding
from connectors.connector import Connector
from connectors.datasets import (
    ColumnBatch,
    DatasetKind,
    Description,
    LogicalType,
    Sample,
    Watermark,
)
from connectors.errors import ConnectorError
from handlers.column_kinds import KIND_OF, is_aware
from handlers.scans.comparing import compare
from handlers.scans.concealing import concealed, marked, told_after
from handlers.scans.cut_values import told_as_cut
from handlers.scans.rule_reading import RuleReading, columns_needed
from handlers.scans.samples import Samples
from handlers.scans.tasks import Answer, Body, Marker, Part, Progress, Task, body_of
from handlers.source_readers import Tell

# Of all figures of a table; with two batches and what the source's library takes, a reader stays below a gibibyte.
BUDGET_BYTES = 192 * 2**20
BATCH_BYTES = 100 * 2**20
TEXT_LIMIT = 1_000
# A document that is cut cannot be parsed any more.
DOCUMENT_LIMIT = 10_000
FEWEST_BATCH_ROWS, MOST_BATCH_ROWS = 500, 65_536
TELL_SECONDS = 0.5

_NOT_TEXT = frozenset(LogicalType) - {LogicalType.TEXT, LogicalType.JSON, LogicalType.BINARY, LogicalType.OTHER}


async def read_dataset(connector: Connector, tell: Tell, task: Task) -> Answer:
    """Raises ConnectorError."""
    standing = await compare(connector, task)
    description = standing.description
    if description is None:
        return Answer(marker=standing.marker, is_unchanged=True)
    reading = Reading(task, description, standing.after)
    bodies = [_discovered(description)] if Part.DISCOVERY in task.parts else []
    columns = reading.columns
    if columns is None or columns:
        await reading.read(connector, tell, columns)
    await reading.rules.ask(connector, reading.profile, task.expected_rows)
    return structs.replace(reading.answer(standing.marker, bodies), is_reshaped=standing.is_reshaped)


class Reading:
    """What is gathered while the rows of a dataset go by, and what is made of it."""

    def __init__(self, task: Task, description: Description, after: Watermark | None) -> None:
        self._task = task
        self._description = description
        self._after = after
        self._figures = TableAccumulator(BUDGET_BYTES)
        self._samples = Samples()
        self._cut: dict[str, int] = {}
        self._rows = 0
        self._is_cut = False
        self._expected: int | None = None
        self._profile: TableProfile | None = None
        self._aware = {column.name for column in description.columns if is_aware(column.native_type)}
        rules = task.rules if Part.QUALITY in task.parts else ()
        self.rules = RuleReading(rules, is_partial=after is not None)
        # Values of columns that turn out to be sensitive are not shown: profiles are classified in any case.
        self._profiles = Part.PROFILE in task.parts or self.rules.need_profile
        self._classifies = Part.CLASSIFICATION in task.parts or self._profiles

    @property
    def columns(self) -> list[str] | None:
        """Which columns have to be read: None for all, none at all where nothing looks at rows."""
        if self._profiles or self._classifies:
            return None
        return columns_needed(self.rules, [column.name for column in self._description.columns])

    @property
    def profile(self) -> TableProfile:
        if self._profile is None:
            self._profile = self._figures.profile()
        return self._profile

    async def read(self, connector: Connector, tell: Tell, columns: Sequence[str] | None) -> None:
        task, (rows, limit) = self._task, _measures(self._description)
        await self.rules.prepare(connector)
        self._expected = await self._expected_rows(connector)
        self._began = self._told = time.monotonic()
        batches = connector.fetch(
            self._description.dataset.ref,
            columns,
            batch_rows=rows,
            after=self._after,
            sample=Sample(task.sample_rows) if task.sample_rows is not None else None,
            text_limit=limit,
        )
        # While one batch is computed, the source brings the next.
        under_way: asyncio.Future[None] | None = None
        async with contextlib.aclosing(batches):
            async for batch in batches:
                if under_way is not None:
                    await under_way
                    self._say(tell)
                under_way = asyncio.ensure_future(asyncio.to_thread(self._take, batch))
                if task.pause_seconds:
                    await asyncio.sleep(task.pause_seconds)
            if under_way is not None:
                await under_way

    async def _expected_rows(self, connector: Connector) -> int | None:
        """About how many rows there are to read, None if that is not known: for the percents that are told.

        Where the source has no estimate they are counted, next to nothing beside reading them; but not those of a view,
        which would be worked out twice.
        """
        dataset, task = self._description.dataset, self._task
        known = task.sample_rows or task.expected_rows or dataset.estimated_rows
        if known or dataset.kind not in (DatasetKind.TABLE, DatasetKind.FILE):
            return known
        try:
            return await connector.count_rows(dataset.ref, after=self._after)
        except ConnectorError:
            return None

    def answer(self, marker: Marker, bodies: list[Body]) -> Answer:
        findings = self._findings() if self._classifies else {}
        if Part.PROFILE in self._task.parts:
            bodies += self._profiled(findings)
        if Part.CLASSIFICATION in self._task.parts:
            bodies += [
                body_of(Part.CLASSIFICATION, name, finding) for name, found in findings.items() for finding in found
            ]
        kinds = {column.name: KIND_OF[column.logical_type] for column in self._description.columns}
        marker = marked(marker, kinds, findings)
        results = self.rules.results()
        bodies += [body_of(Part.QUALITY, column, result) for column, result in results]
        return Answer(
            marker=marker,
            rows=self._rows,
            columns=len(self._description.columns),
            after=told_after(self._after, marker),
            is_sample=self._task.sample_rows is not None,
            is_cut=self._is_cut,
            sensitive_columns=sum(bool(found) for found in findings.values()),
            failed_rules=sum(result.verdict == "fail" for _, result in results),
            bodies=tuple(bodies),
        )

    def _take(self, batch: ColumnBatch) -> None:
        """On a thread."""
        if self._profiles or self._classifies:
            columns = [self._column(name, batch) for name in batch.columns]
            if self._profiles:
                self._figures.add(columns)
            if self._classifies:
                self._samples.add(columns)
        self.rules.add(batch, first_row=self._rows + 1)
        self._rows += batch.rows
        self._is_cut = self._is_cut or batch.truncated

    def _column(self, name: str, batch: ColumnBatch) -> Column:
        stretch = batch.columns[name]
        self._cut[name] = self._cut.get(name, 0) + stretch.cut
        kind = KIND_OF[stretch.logical_type]
        values = stretch.values
        if kind in (Kind.DATE, Kind.TIMESTAMP):
            values = values.astype("datetime64[us]")
        return column_of_stretch(name, kind, values, stretch.nulls, aware=name in self._aware)

    def _say(self, tell: Tell) -> None:
        now = time.monotonic()
        if now - self._told < TELL_SECONDS:
            return
        self._told = now
        percent = round(min(99.0, 100.0 * self._rows / self._expected), 1) if self._expected else None
        speed = round(self._rows / (now - self._began), 1)
        tell(Progress(rows=self._rows, rows_per_second=speed, percent=percent))

    def _findings(self) -> dict[str, list[Finding]]:
        around = (self._description.dataset.ref.name, *(column.name for column in self._description.columns))
        return {column.name: classify_column(column, beside=around) for column in self._samples.columns()}

    def _profiled(self, findings: dict[str, list[Finding]]) -> list[Body]:
        table, limit = self.profile, _measures(self._description)[1]
        whole = {
            "rows": table.rows,
            "completeness": table.completeness,
            "candidate_keys": table.candidate_keys,
            "constant_columns": table.constant_columns,
            "identifiers": table.identifiers,
        }
        columns = [
            body_of(
                Part.PROFILE,
                column.name,
                concealed(told_as_cut(column, self._cut.get(column.name, 0), limit), findings.get(column.name, [])),
            )
            for column in table.columns
        ]
        return [body_of(Part.PROFILE, None, whole), *columns]


def _measures(description: Description) -> tuple[int, int]:
    """How many rows a batch has, and after how many characters texts are cut: such that a batch stays small."""
    texts = sum(column.logical_type not in _NOT_TEXT for column in description.columns)
    has_documents = any(column.logical_type is LogicalType.JSON for column in description.columns)
    limit = DOCUMENT_LIMIT if has_documents else TEXT_LIMIT
    widest = texts * limit + 8 * len(description.columns) or 1
    return int(np.clip(BATCH_BYTES // widest, FEWEST_BATCH_ROWS, MOST_BATCH_ROWS)), limit


def _discovered(description: Description) -> Body:
    dataset = description.dataset
    return body_of(
        Part.DISCOVERY,
        None,
        {
            "kind": dataset.kind,
            "estimated_rows": dataset.estimated_rows,
            "bytes": dataset.bytes,
            "comment": dataset.comment,
            "columns": description.columns,
            "primary_key": description.primary_key,
            "foreign_keys": description.foreign_keys,
            "unique_keys": description.unique_keys,
            "definition": description.definition,
        },
    )

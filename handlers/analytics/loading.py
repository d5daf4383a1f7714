"""The rows of a dataset as a frame, as many as memory and time allow. Runs in a reader."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.frames import Frame, FrameBuilder, FrameSpec
from connectors.connector import Connector, chosen_columns
from connectors.datasets import Column, ColumnBatch, Description, LogicalType, Sample
from connectors.datasets import Kind as SourceKind
from connectors.errors import ConnectorError, OutOfMemory, StatementTimeout
from handlers.analytics.sample_bounds import bound_of
from handlers.analytics.stopping import OutOfTime
from handlers.analytics.tasks import Ran, RowsRead, Task
from handlers.analytics.visible_rows import ROWS_KEPT_BACK, VisibleRows, visible_description
from handlers.column_kinds import KIND_OF, is_aware

# 8 bytes a cell: 400 MB of numbers at the most. Analyses hold up to as much again while they compute.
MOST_CELLS = 48_000_000
# Columnar sources deliver a million rows in the time in which a server sends a tenth of it.
USUAL_ROWS = {SourceKind.FILES: 1_000_000, SourceKind.DUCKDB: 1_000_000}
USUAL_ROWS_ELSEWHERE = 200_000
# A category is told by its beginning; a longer text is a document.
TEXT_LIMIT = 200
BATCH_BYTES = 64 * 2**20
FEWEST_BATCH_ROWS, MOST_BATCH_ROWS = 256, 65_536
# Engines hold a stretch of every column at once: of thousands, more than memory allows.
FEWEST_COLUMNS = 100
# What is left is for computing.
LOADING_SHARE = 0.6
COUNTING_SHARE = 0.2
# PostgreSQL takes whole pages of larger tables: rows that lie together come together.
_BY_PAGES = 1_000_000

_WIDTHS = {LogicalType.TEXT, LogicalType.JSON, LogicalType.BINARY, LogicalType.OTHER}


@dataclass(slots=True)
class Loaded:
    """A frame and how it came about.

    `left_out` are columns that were asked for and not read. `is_broken`: another time, more might be read.
    """

    frame: Frame
    rows: RowsRead
    description: Description
    ran: list[Ran] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[Column] = field(default_factory=list)
    is_broken: bool = False


Check = Callable[[], None]
TellRows = Callable[[int, int | None], None]


async def load(
    connector: Connector,
    task: Task,
    description: Description,
    *,
    check: Check = lambda: None,
    tell: TellRows = lambda _, __: None,
) -> Loaded:
    """The dataset's rows that may be seen: all, or a seeded sample of as many as the task and the bound of cells allow.

    What breaks in the middle leaves what was read, and a note that says so. Where nothing was read, raises
    ConnectorError, OutOfTime.
    """
    visible = VisibleRows(task.view, description, TEXT_LIMIT)
    asked = chosen = chosen_columns(visible_description(description, task.view), task.columns)
    deadline = time.monotonic() + LOADING_SHARE * task.seconds
    total, is_estimate = await rows_of(connector, description, COUNTING_SHARE * task.seconds)
    while True:
        most = most_rows(task.rows, len(chosen), connector.kind)
        sampled = total is not None and total > most
        reading = _Reading(chosen, deadline, visible)
        try:
            await reading.read(
                connector,
                description,
                sample=Sample(most, task.seed) if sampled else None,
                # A sample by chance may have some more; the first of them would be no sample.
                cap=round(most * 1.1) + 1_000 if sampled else most,
                total=most if sampled else total,
                check=check,
                tell=tell,
            )
            break
        except OutOfMemory:
            if len(chosen) <= FEWEST_COLUMNS:
                raise
            chosen = chosen[: max(FEWEST_COLUMNS, len(chosen) // 4)]
    loaded = reading.loaded(description, task, connector.kind, total, is_estimate=is_estimate, sampled=sampled)
    loaded.left_out = asked[len(chosen) :]
    if task.view.rows:
        loaded.notes.append(ROWS_KEPT_BACK)
    if loaded.left_out:
        loaded.notes.append(
            f"Only the first {len(chosen)} of {len(asked)} columns were read, as more of them need more memory than a "
            "statement may have; name the columns that matter."
        )
    return loaded


def most_rows(asked: int | None, columns: int, kind: SourceKind) -> int:
    """How many rows of so many columns are read at most."""
    wanted = asked or USUAL_ROWS.get(kind, USUAL_ROWS_ELSEWHERE)
    return max(1, min(wanted, MOST_CELLS // max(columns, 1)))


async def rows_of(connector: Connector, description: Description, seconds: float) -> tuple[int | None, bool]:
    """How many rows the dataset has, and whether that is only estimated, as it is where counting takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await connector.count_rows(description.dataset.ref), False
    except (StatementTimeout, TimeoutError):
        return description.dataset.estimated_rows, True


class _Reading:
    """A frame that grows batch by batch."""

    def __init__(self, columns: Sequence[Column], deadline: float, visible: VisibleRows) -> None:
        self._columns = columns
        self._visible = visible
        self._deadline = deadline
        self._began = time.monotonic()
        self._builder: FrameBuilder | None = None
        self._rows = 0
        self._ended: str | None = None
        self._is_cut = False

    async def read(
        self,
        connector: Connector,
        description: Description,
        *,
        sample: Sample | None,
        cap: int,
        total: int | None,
        check: Check,
        tell: TellRows,
    ) -> None:
        if not self._columns:
            return
        batches = connector.fetch(
            description.dataset.ref,
            self._visible.needed(self._columns),
            batch_rows=_batch_rows(self._columns),
            row_cap=cap,
            sample=sample,
            text_limit=TEXT_LIMIT,
        )
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())), contextlib.aclosing(batches):
                async for batch in batches:
                    # Whole, or not at all: time may run out at any await.
                    await asyncio.shield(asyncio.to_thread(self._take, batch))
                    check()
                    tell(self._rows, total)
        except TimeoutError:
            if not self._rows:
                raise OutOfTime from None
            self._ended = "there was no time to read more"
        except ConnectorError as error:
            if not self._rows:
                raise
            self._ended = f"reading ended early: {error}"

    def loaded(
        self,
        description: Description,
        task: Task,
        kind: SourceKind,
        total: int | None,
        *,
        is_estimate: bool,
        sampled: bool,
    ) -> Loaded:
        builder = self._builder or FrameBuilder([_spec(column, column.logical_type) for column in self._columns])
        is_partial = self._ended is not None or self._is_cut
        if not sampled and not is_partial:
            # Counted again by reading: what was counted before may have changed since.
            total, is_estimate = self._rows, False
        elif task.view.rows:
            # How many rows are kept back is nothing to tell, nor to reckon with.
            total, is_estimate = None, False
        frame = builder.build(None if total is None else max(total, self._rows))
        rows = RowsRead(
            read=self._rows,
            total=frame.total_rows,
            total_is_estimate=is_estimate,
            is_sample=sampled or is_partial,
            method=_method(kind, total, sampled=sampled, is_partial=is_partial),
            seed=task.seed if sampled else None,
            bound=bound_of(self._rows) if sampled else None,
        )
        seconds = round(time.monotonic() - self._began, 3)
        ran = Ran(what="rows were read", where="server", seconds=seconds, rows=self._rows, statements=1)
        notes = self._notes(is_partial=is_partial)
        return Loaded(frame, rows, description, [ran], notes, is_broken=self._ended is not None)

    def _notes(self, *, is_partial: bool) -> list[str]:
        if not is_partial:
            return []
        why = self._ended or "the source's limit of rows was reached"
        return [
            f"Only the first {self._rows} rows were looked at, as {why.rstrip('.')}: they need not be like the others."
        ]

    def _take(self, batch: ColumnBatch) -> None:
        """On a thread."""
        batch = self._visible.cut(batch)
        stretches = [batch.columns[column.name] for column in self._columns]
        if self._builder is None:
            specs = [_spec(*each) for each in zip(self._columns, (one.logical_type for one in stretches), strict=True)]
            self._builder = FrameBuilder(specs)
        self._builder.add([(one.values, one.nulls) for one in stretches], cut=[one.cut for one in stretches])
        self._rows += batch.rows
        self._is_cut |= batch.truncated


def _spec(column: Column, logical_type: LogicalType) -> FrameSpec:
    return FrameSpec(column.name, KIND_OF[logical_type], is_aware(column.native_type))


def _batch_rows(columns: Sequence[Column]) -> int:
    widest = sum(TEXT_LIMIT if column.logical_type in _WIDTHS else 8 for column in columns)
    return int(np.clip(BATCH_BYTES // widest, FEWEST_BATCH_ROWS, MOST_BATCH_ROWS))


def _method(kind: SourceKind, total: int | None, *, sampled: bool, is_partial: bool) -> str:
    if is_partial:
        return "first rows"
    if not sampled:
        return "all rows"
    if kind is SourceKind.POSTGRESQL and (total or 0) > _BY_PAGES:
        return "pages by chance"
    return "rows by chance"

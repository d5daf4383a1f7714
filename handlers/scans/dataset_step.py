"""One dataset of a scan: read away from here, and stored with its results, its mark and its event at once."""

from __future__ import annotations

import asyncio
import time

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.errors import ConnectorError, LoginRefused, Unreachable
from handlers.jobs import Run, StepFailed
from handlers.parts import Parts
from handlers.scans.events import ProgressTeller, add_dataset
from handlers.scans.options import Mode, ScanJob, matches
from handlers.scans.outcomes import Change, DatasetOutcome, DatasetState, ScanError
from handlers.scans.source_reading import read_dataset, reading
from handlers.scans.stored_rules import named_rule
from handlers.scans.tasks import Answer, Marker, NamedRule, Part, Task
from handlers.source_access import code_of, sentence
from handlers.source_readers import ReaderLostError
from storage import data_sources, scan_results, scan_rules, scans
from storage.data_sources import DataSource
from storage.scan_results import Found
from storage.scans import Mark, Scan, ScanDataset
from storage.sealing import WrongKey

DATASET = "dataset"
# A server that restarts is back by then.
ATTEMPTS, PAUSE_SECONDS = 3, 1.0
LONGEST_MESSAGE = 1_000

_FAILURES = (ConnectorError, WrongKey, ReaderLostError, RuntimeError, ValueError)


async def standing(parts: Parts, scan_id: int) -> tuple[Scan, ScanJob, DataSource]:
    """The scan, what it is asked, and its source. Raises StepFailed if one is gone."""
    async with parts.database.read() as connection:
        scan = await scans.get(connection, scan_id)
        source = await data_sources.get(connection, scan.source_id) if scan else None
    if scan is None or source is None:
        raise StepFailed("The data source was deleted while it was scanned.", code="not_found")
    return scan, msgspec.json.decode(scan.options, type=ScanJob), source


def code_of_failure(error: Exception) -> str:
    match error:
        case ConnectorError() | WrongKey():
            return code_of(error)
        case ReaderLostError():
            return "reader_lost"
        case _:
            return "scan_failed"


class DatasetScan:
    """What is done with one dataset; once it is done, it is not done again."""

    def __init__(self, run: Run, scan: Scan, options: ScanJob, source: DataSource, ordinal: int) -> None:
        self._run, self._parts = run, run.parts
        self._scan, self._options, self._source = scan, options, source
        self._ordinal = ordinal

    async def scan(self) -> DatasetState:
        async with self._parts.database.write() as connection:
            # What keeps one from being read may keep all of them: they are not tried one by one.
            is_lost = self._scan.error_code is not None
            dataset = None if is_lost else await scans.begin_dataset(connection, self._scan.id, self._ordinal)
            if dataset is None:
                there = await scans.dataset(connection, self._scan.id, self._ordinal)
                return _state_of(there)
            rules = await self._rules(connection, dataset)
            mark = await scans.mark_of(connection, self._source.id, _digest(dataset))
        asked = self._options.asked(rules)
        task = _task(self._options, dataset, rules, mark, asked)
        began = time.monotonic()
        try:
            answer = await self._read(dataset, task)
        except _FAILURES as error:
            outcome = _failed(dataset, error, time.monotonic() - began)
            await self._store(dataset, outcome, blames=isinstance(error, Unreachable | LoginRefused | WrongKey))
        else:
            outcome = _outcome(dataset, task, answer, mark, time.monotonic() - began)
            await self._store(dataset, outcome, answer, asked)
        return outcome.state

    async def _rules(self, connection: AsyncConnection, dataset: ScanDataset) -> tuple[NamedRule, ...]:
        if Part.QUALITY not in self._options.parts:
            return ()
        rows = await scan_rules.of_source(connection, self._source.id, self._options.rules)
        return tuple(named_rule(row) for row in rows if matches(dataset.full_name, row.dataset))

    async def _read(self, dataset: ScanDataset, task: Task) -> Answer:
        teller = ProgressTeller(self._parts, self._scan, dataset)
        try:
            for left in reversed(range(ATTEMPTS)):
                try:
                    async with reading(self._parts, self._source) as reader:
                        return await reader.run(read_dataset, task, tell=teller.tell)
                except Unreachable:
                    if not left:
                        raise
                await asyncio.sleep(PAUSE_SECONDS)
            raise AssertionError("it is tried at least once")
        finally:
            await teller.close()

    async def _store(
        self,
        dataset: ScanDataset,
        outcome: DatasetOutcome,
        answer: Answer | None = None,
        asked: str = "",
        *,
        blames: bool = False,
    ) -> None:
        scan_id, said = self._scan.id, msgspec.json.encode(outcome).decode()
        bodies = answer.bodies if answer else ()
        found = [Found(DATASET, None, said), *(Found(body.kind, body.column, body.json) for body in bodies)]
        async with self._parts.feeds.writing() as (connection, outbox):
            if blames and outcome.error is not None:
                await scans.blame(connection, scan_id, outcome.error.code, outcome.error.message)
            attempt = dataset.attempts
            if not await scans.end_dataset(connection, scan_id, self._ordinal, outcome.state, said, attempt=attempt):
                return
            await scan_results.put(connection, scan_id, self._ordinal, found)
            if answer is not None and not answer.is_unchanged:
                mark = Mark(scan_id, msgspec.json.encode(answer.marker).decode(), asked)
                await scans.set_mark(connection, self._source.id, _digest(dataset), mark)
            add_dataset(outbox, self._scan, dataset, outcome)
            counts = (await scans.counts(connection, [scan_id])).get(scan_id, {})
        done = sum(counts.get(state.value, 0) for state in DatasetState)
        self._run.tell(done, sum(counts.values()), dataset.full_name)


def _state_of(dataset: ScanDataset | None) -> DatasetState:
    """Of one that is not to be begun: it is done already, or the scan is over."""
    done = dataset is not None and dataset.state in set(DatasetState)
    return DatasetState(dataset.state) if dataset is not None and done else DatasetState.SKIPPED


def _digest(dataset: ScanDataset) -> str:
    return scans.digest_of(dataset.schema_name, dataset.name)


def _task(options: ScanJob, dataset: ScanDataset, rules: tuple[NamedRule, ...], mark: Mark | None, asked: str) -> Task:
    # What was looked for otherwise then has to be looked for again.
    comparable = options.mode is Mode.INCREMENTAL and mark is not None and mark.asked == asked
    return Task(
        schema_name=dataset.schema_name,
        name=dataset.name,
        parts=tuple(dict.fromkeys(options.parts)),
        rules=rules,
        earlier=msgspec.json.decode(mark.marker, type=Marker) if comparable and mark else None,
        watermark_column=options.watermark_of(dataset.full_name),
        count_rows=options.count_rows,
        sample_rows=options.sample_rows,
        expected_rows=dataset.estimated_rows,
        pause_seconds=options.pause_ms / 1000,
    )


def _outcome(dataset: ScanDataset, task: Task, answer: Answer, mark: Mark | None, seconds: float) -> DatasetOutcome:
    compared = mark.scan_id if task.earlier is not None and mark is not None else None
    state = DatasetState.UNCHANGED if answer.is_unchanged else DatasetState.SUCCEEDED
    return DatasetOutcome(
        state=state,
        kind=dataset.kind,
        said=_said(answer, compared),
        change=Change(method=answer.marker.method, blind_to=answer.marker.blind_to, compared_with=compared),
        rows=answer.rows,
        columns=answer.columns,
        seconds=round(seconds, 3),
        is_exact=not (answer.is_sample or answer.is_cut or answer.after is not None),
        is_sample=answer.is_sample,
        is_cut=answer.is_cut,
        after=answer.after,
        sensitive_columns=answer.sensitive_columns,
        failed_rules=answer.failed_rules,
        results_in=compared if answer.is_unchanged else None,
        attempt=dataset.attempts,
    )


def _said(answer: Answer, compared: int | None) -> str:
    how = answer.marker.method.replace("_", " ")
    if answer.is_unchanged:
        return f"Unchanged since scan {compared}, told by {how}; nothing was read."
    if answer.after is not None:
        return f"{answer.rows} rows came since scan {compared}, told by {how}; only they were read."
    which = "a sample of" if answer.is_sample else "the first" if answer.is_cut else "all"
    by = "told by its columns" if answer.is_reshaped else f"told by {how}"
    since = f"Changed since scan {compared}, {by}; " if compared is not None else ""
    said = f"{since}{which} {answer.rows} rows were read."
    return said[:1].upper() + said[1:]


def _failed(dataset: ScanDataset, error: Exception, seconds: float) -> DatasetOutcome:
    told = ScanError(code=code_of_failure(error), message=sentence(error)[:LONGEST_MESSAGE])
    return DatasetOutcome(
        state=DatasetState.FAILED,
        kind=dataset.kind,
        said=f"It was not scanned: {told.message}",
        seconds=round(seconds, 3),
        is_exact=False,
        attempt=dataset.attempts,
        error=told,
    )

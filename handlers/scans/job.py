"""The job `scan`: a step for each dataset, so that one that was done is not done again, whatever dies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from connectors.errors import ConnectorError
from handlers.jobs import Job, Run, StepFailed
from handlers.parts import Parts
from handlers.registry import Permission
from handlers.scans.dataset_step import DatasetScan, code_of_failure, standing
from handlers.scans.ending import end_abandoned, end_scan
from handlers.scans.events import add_started
from handlers.scans.options import ScanJob
from handlers.scans.outcomes import DatasetState, ScanError, ScanSummary
from handlers.scans.source_reading import full_name, list_datasets, reading
from handlers.scans.tasks import Part
from handlers.source_access import sentence
from handlers.source_readers import ReaderLostError
from storage import data_sources, runs, scans
from storage.data_sources import DataSource
from storage.errors import AlreadyExists
from storage.scans import Scan
from storage.sealing import WrongKey

JOB = "scan"
MOST_DATASETS = 20_000


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    scan_id: int
    concurrency: int


async def scan_source(run: Run, arguments: ScanJob) -> ScanSummary:
    opened = await run.step(open_scan, run, arguments)
    scanning = Scanning(run, opened.scan_id)
    try:
        count = await run.step(scanning.plan, name="plan")
        await run.each(scanning.dataset, range(count), at_once=opened.concurrency, name="dataset")
        return await run.step(scanning.finish, name="finish")
    except StepFailed as error:
        await run.step(scanning.fail, error.code, error.message, name="fail")
        raise


async def open_scan(run: Run, arguments: ScanJob) -> Opened:
    """The run's scan, made with the request already, or now if a schedule began the run."""
    parts, now = run.parts, datetime.now(UTC)
    await end_abandoned(parts, source_id=arguments.source_id)
    async with parts.database.write() as connection:
        scan = await scans.of_run(connection, run.id)
        scan_id = scan.id if scan else None
        if scan_id is None:
            source = await data_sources.get(connection, arguments.source_id)
            if source is None or source.workspace_id != run.workspace_id:
                raise StepFailed(f"The workspace has no data source {arguments.source_id}.", code="not_found")
            try:
                scan_id = await scans.create(
                    connection,
                    workspace_id=source.workspace_id,
                    source_id=source.id,
                    run_id=run.id,
                    mode=arguments.mode,
                    options=msgspec.json.encode(arguments).decode(),
                    created_by=run.created_by,
                    at=now,
                )
            except AlreadyExists:
                other = await scans.unfinished_of(connection, source.id)
                raise StepFailed(being_scanned(other), code="scan_running") from None
        await scans.begin(connection, scan_id, at=now)
    return Opened(scan_id=scan_id, concurrency=arguments.concurrency)


def being_scanned(other: Scan | None) -> str:
    which = f" by scan {other.id}" if other else ""
    return f"The source is being scanned{which}; wait until that has ended, or cancel it."


@dataclass(frozen=True)
class Scanning:
    """The steps of one scan."""

    run: Run
    scan_id: int

    async def plan(self) -> int:
        """How many datasets there are to go through. They are listed once: what comes later waits for the next scan."""
        parts = self.run.parts
        scan, options, source = await standing(self.run.parts, self.scan_id)
        async with parts.database.read() as connection:
            there = sum((await scans.counts(connection, [scan.id])).get(scan.id, {}).values())
        if there:
            return there
        try:
            if Part.DISCOVERY in options.parts:
                await _discovered(parts, source, scan.created_by)
            async with reading(parts, source) as reader:
                listed = await reader.run(list_datasets)
        except (ConnectorError, WrongKey, ReaderLostError) as error:
            raise StepFailed(sentence(error), code=code_of_failure(error)) from error
        chosen = [one for one in listed if options.includes(full_name(one))]
        _check_number(options, len(listed), len(chosen))
        async with parts.feeds.writing() as (connection, outbox):
            await scans.plan(connection, scan.id, chosen)
            add_started(outbox, scan, len(chosen))
        self.run.tell(0, len(chosen))
        return len(chosen)

    async def dataset(self, ordinal: int) -> DatasetState:
        """What became of a dataset; whatever is wrong with it stays with it."""
        scan, options, source = await standing(self.run.parts, self.scan_id)
        return await DatasetScan(self.run, scan, options, source, ordinal).scan()

    async def finish(self) -> ScanSummary:
        """What it came to. Raises StepFailed where the source was lost on the way."""
        scan, _, _ = await standing(self.run.parts, self.scan_id)
        if scan.error_code is not None:
            raise StepFailed(scan.error_message or "", code=scan.error_code)
        async with self.run.parts.feeds.writing() as (connection, outbox):
            return await end_scan(connection, outbox, scan, runs.SUCCEEDED, None, at=datetime.now(UTC))

    async def fail(self, code: str, message: str) -> None:
        async with self.run.parts.feeds.writing() as (connection, outbox):
            scan = await scans.get(connection, self.scan_id)
            if scan is not None:
                error = ScanError(code=code, message=message)
                await end_scan(connection, outbox, scan, runs.FAILED, error, at=datetime.now(UTC))


async def _discovered(parts: Parts, source: DataSource, by: str) -> None:
    from handlers.discovery import discover  # noqa: PLC0415 - it loads the parsers of SQL

    await discover(parts, source, by=by)
    # Its connections count, too: where nobody else uses them, they are closed before rows are read.
    parts.sources.forget(source.id)
    await parts.sources.close_idle()


def _check_number(options: ScanJob, there: int, chosen: int) -> None:
    if not chosen and options.datasets:
        patterns = ", ".join(map(repr, options.datasets))
        raise StepFailed(f"None of the source's {there} datasets matches {patterns}.", code="nothing_matches")
    if chosen > MOST_DATASETS:
        raise StepFailed(
            f"The source has {chosen} datasets; at most {MOST_DATASETS} are scanned at once. Choose some.",
            code="too_many_datasets",
        )


JOBS = (
    Job(
        JOB,
        ScanJob,
        scan_source,
        "Scan a data source: what it holds, profiles, sensitive columns, quality rules.",
        Permission.WRITE,
    ),
)

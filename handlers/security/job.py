"""The job `security.audit`: a step for each source. An audit says nothing until all of its checks were made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from connectors.errors import ConnectorError
from connectors.security.auditing import audit
from connectors.security.catalogue import catalogue, open_audit
from connectors.security.check import CheckResult, Server
from handlers.advisory_audit import audit_version, version_checks
from handlers.advisory_bundles import held
from handlers.jobs import Job, Run, StepFailed
from handlers.names import RowId
from handlers.parts import Parts
from handlers.registry import OperationError, Permission
from handlers.security.encryption_audit import audit_encryption, encryption_checks
from handlers.security.ending import end_abandoned, end_unfinished
from handlers.security.events import Progress, add_ended, add_started
from handlers.security.options import AuditJob, check_sources
from handlers.security.recording import end_audit
from handlers.security.sensitive_columns import Gathered, gathered
from handlers.security.shapes import AuditError, shown_scan
from handlers.security.sources import check_checks, check_kind, sources_asked
from handlers.source_access import code_of, no_source, sentence
from storage import data_sources, runs, security_scans
from storage.errors import AlreadyExists
from storage.sealing import WrongKey

JOB = "security.audit"
# No source may hold an audit for longer, whatever its statements wait for.
AUDIT_SECONDS = 600.0
AT_ONCE = 4
_NOTHING = Gathered([], is_cut=False)


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What a run audited: the ids of its audits, and of the sources that somebody else was auditing."""

    scan_ids: list[RowId]
    busy: list[RowId]
    failed: int


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    scan_ids: list[RowId]
    busy: list[RowId]


async def audit_sources(run: Run, arguments: AuditJob) -> Audited:
    opened = await run.step(open_audits, run, arguments, name="open")
    auditing = Auditing(run)
    states = await run.each(auditing.source, opened.scan_ids, at_once=AT_ONCE, name="source")
    failed = sum(state != runs.SUCCEEDED for state in states)
    if failed or (opened.busy and not opened.scan_ids):
        told = (
            f"{failed} of {len(opened.scan_ids)} audits failed" if failed else "All sources are being audited already"
        )
        raise StepFailed(f"{told}.", code="audit_failed" if failed else "audit_running")
    return Audited(scan_ids=opened.scan_ids, busy=opened.busy, failed=failed)


async def open_audits(run: Run, arguments: AuditJob) -> Opened:
    """The run's audits, made with the request already, or now if a schedule began the run."""
    parts = run.parts
    async with parts.database.read() as connection:
        there = await security_scans.of_run(connection, run.id)
        if there:
            return Opened(scan_ids=[scan.id for scan in there.values()], busy=[])
        check_sources(arguments)
        sources = await sources_asked(connection, run.workspace_id or "", arguments)
        # A schedule names checks that nobody has looked at yet, and an audit without any would succeed.
        check_checks(arguments, {source.kind for source in sources})
    await end_abandoned(parts)
    scan_ids, busy = [], []
    async with parts.database.write() as connection:
        for source in sources:
            try:
                scan_id = await security_scans.create(
                    connection,
                    workspace_id=source.workspace_id,
                    source_id=source.id,
                    run_id=run.id,
                    options=msgspec.json.encode(arguments).decode(),
                    created_by=run.created_by,
                    at=datetime.now(UTC),
                )
                scan_ids.append(scan_id)
            except AlreadyExists:
                busy.append(source.id)
    return Opened(scan_ids=scan_ids, busy=busy)


@dataclass(frozen=True)
class Auditing:
    """The steps of one run."""

    run: Run

    async def source(self, scan_id: int) -> str:
        """The state in which an audit ended; whatever is wrong with its source stays with it."""
        parts = self.run.parts
        async with parts.database.write() as connection:
            scan = await security_scans.get(connection, scan_id)
            if scan is None or scan.finished_at is not None:
                return scan.state if scan else runs.FAILED
            await security_scans.begin(connection, scan_id, at=datetime.now(UTC))
        try:
            async with asyncio.timeout(AUDIT_SECONDS):
                server, results = await _audited(parts, scan)
        except (ConnectorError, WrongKey, OperationError, TimeoutError) as error:
            return await self._fail(scan, _error_of(error))
        async with parts.feeds.writing() as (connection, outbox):
            summary = await end_audit(connection, outbox, scan, server, results, at=datetime.now(UTC))
            if summary is None:
                return runs.FAILED
            add_ended(outbox, scan, runs.SUCCEEDED, summary, None)
        return runs.SUCCEEDED

    async def _fail(self, scan: security_scans.SecurityScan, error: AuditError) -> str:
        async with self.run.parts.feeds.writing() as (connection, outbox):
            await end_unfinished(connection, outbox, scan, runs.FAILED, error, at=datetime.now(UTC))
        return runs.FAILED


async def _audited(parts: Parts, scan: security_scans.SecurityScan) -> tuple[Server, list[CheckResult]]:
    options = shown_scan(scan).options
    async with parts.database.read() as connection:
        source = await data_sources.get(connection, scan.source_id)
        advisories = await held(connection, parts.advisory_keys)
        if source is None:
            raise no_source(scan.source_id)
        check_kind(source)
        checks, versions, encryptions = (
            [check for check in of_kind(source.kind) if options.chooses(check)]
            for of_kind in (catalogue, version_checks, encryption_checks)
        )
        sensitive = await gathered(connection, source.workspace_id, source.id) if encryptions else _NOTHING
    total = len(checks) + len(versions) + len(encryptions)
    async with open_audit(source.kind, parts.sources.settings_of(source)) as session:
        async with parts.feeds.writing() as (_, outbox):
            add_started(outbox, scan, total)
        progress = Progress(parts, scan, total)
        results = await audit(session, checks, on_progress=progress.note)
        today = datetime.now(UTC).date()
        results += [await audit_version(session, check, advisories.read, today) for check in versions]
        results += [await audit_encryption(session, check, sensitive) for check in encryptions]
        return session.server, results


def _error_of(error: Exception) -> AuditError:
    match error:
        case TimeoutError():
            return AuditError(code="timeout", message=f"The audit did not end within {AUDIT_SECONDS:.0f} seconds.")
        case OperationError():
            return AuditError(code=error.code, message=error.message)
        case ConnectorError() | WrongKey():
            return AuditError(code=code_of(error), message=sentence(error))
        case _:
            return AuditError(code="audit_failed", message=sentence(error))


JOBS = (
    Job(
        JOB,
        AuditJob,
        audit_sources,
        "Audit the security of data sources.",
        Permission.WRITE,
    ),
)

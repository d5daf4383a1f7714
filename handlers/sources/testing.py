"""Whether a data source can be reached, and what its account may do there."""

from __future__ import annotations

import msgspec

from connectors.datasets import Kind
from connectors.errors import ConnectorError
from handlers.audit_trail import record
from handlers.names import RowId
from handlers.registry import Context, Forbidden, Operation, Permission
from handlers.source_access import code_of, require_source, sentence
from handlers.sources.registration import LastTest
from storage import data_sources
from storage.data_sources import DataSource
from storage.sealing import WrongKey
from storage.tables import from_microseconds


class TestSource(msgspec.Struct, frozen=True, kw_only=True):
    """Signs in there and asks one thing. A source that fails is an answer with `ok: false`, not an error."""

    source_id: RowId


async def test_source(context: Context, request: TestSource) -> LastTest:
    source = await require_source(context, request.source_id, Permission.WRITE)
    result = await _try(context, source)
    async with context.parts.database.write() as connection:
        stored = {name: value for name, value in msgspec.to_builtins(result).items() if name != "tested_at"}
        await data_sources.note_test(connection, source.id, stored, at=result.tested_at)
        details = {"ok": result.ok, "code": result.code}
        await record(connection, context, "data_sources.test", str(source.id), details)
    return result


async def _try(context: Context, source: DataSource) -> LastTest:
    if source.kind == Kind.METRICS:
        return await _look_at_samples(context, source.id)
    try:
        async with context.parts.sources.use(source.id) as connector:
            health = await connector.test()
    except (ConnectorError, WrongKey) as error:
        return LastTest(ok=False, tested_at=context.now(), code=code_of(error), message=sentence(error))
    return LastTest(
        ok=True,
        tested_at=context.now(),
        server=health.server,
        latency_ms=round(health.latency_ms, 3),
        rights=list(health.rights),
        warnings=list(health.warnings),
    )


async def _look_at_samples(context: Context, source_id: int) -> LastTest:
    """When samples came last to a source that they are pushed to; without any, nobody pushes yet, or not to here."""
    now = context.now()
    series = await context.parts.samples.series(source_id)
    if not series:
        message = "No sample was pushed to it yet."
        return LastTest(ok=False, tested_at=now, code="no_samples", message=message)
    last = from_microseconds(max(one.last_ms for one in series) * 1000)
    described = f"{len(series)} series, the last sample of {last.isoformat(timespec='seconds')}"
    return LastTest(ok=True, tested_at=now, server=described)


OPERATIONS = (
    Operation(
        "data_sources.test",
        TestSource,
        LastTest,
        test_source,
        "POST /data-sources/{source_id}/test",
        Permission.SIGNED_IN,
        "Test whether a data source can be reached.",
        errors=(Forbidden,),
    ),
)

"""Whether a data source can be reached, and what its account may do there."""

from __future__ import annotations

import msgspec

from connectors.errors import ConnectorError
from handlers.audit_trail import record
from handlers.names import RowId
from handlers.registry import Context, Forbidden, Operation, Permission
from handlers.source_access import code_of, require_source, sentence
from handlers.sources.registration import LastTest
from storage import data_sources
from storage.sealing import WrongKey


class TestSource(msgspec.Struct, frozen=True, kw_only=True):
    """Signs in there and asks one thing. A source that fails is an answer with `ok: false`, not an error."""

    source_id: RowId


async def test_source(context: Context, request: TestSource) -> LastTest:
    source = await require_source(context, request.source_id, Permission.WRITE)
    result = await _try(context, source.id)
    async with context.parts.database.write() as connection:
        stored = {name: value for name, value in msgspec.to_builtins(result).items() if name != "tested_at"}
        await data_sources.note_test(connection, source.id, stored, at=result.tested_at)
        details = {"ok": result.ok, "code": result.code}
        await record(connection, context, "data_sources.test", str(source.id), details)
    return result


async def _try(context: Context, source_id: int) -> LastTest:
    try:
        async with context.parts.sources.use(source_id) as connector:
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

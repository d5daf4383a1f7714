"""Row security hides rows without saying so: a test of the source does."""

from __future__ import annotations

import asyncio

from sources import Source, quoted

from connectors.datasets import Health


def health_of(source: Source) -> Health:
    async def run() -> Health:
        async with await source.open() as connector:
            return await connector.test()

    return asyncio.run(run())


def test_tables_that_may_hide_rows_from_the_account_are_told(postgresql_source: Source) -> None:
    assert health_of(postgresql_source).warnings == ()
    postgresql_source.write(f"ALTER TABLE {quoted(postgresql_source.ref.name)} ENABLE ROW LEVEL SECURITY")
    [warning] = health_of(postgresql_source).warnings
    assert warning == "row security may hide rows of 1 tables from the account; what it sees is taken for all"

"""What only MySQL and MariaDB have: bits, and views of what is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sources import Source

from connectors import errors
from connectors.connector import Connector
from connectors.datasets import DatasetRef


def asked(source: Source, question: Any) -> Any:
    async def run() -> Any:
        async with await source.open() as connector:
            return await question(connector)

    return asyncio.run(run())


def test_bits_are_numbers_without_a_sign(mysql_source: Source) -> None:
    for statement in (
        "CREATE TABLE flags (few bit(8), many bit(64))",
        f"INSERT INTO flags VALUES (b'11111111', b'{'1' * 64}'), (b'1', b'1{'0' * 63}'), (0, 0)",
    ):
        mysql_source.write(statement)

    async def question(connector: Connector) -> dict[str, list[float]]:
        [batch] = [batch async for batch in connector.fetch(DatasetRef(mysql_source.ref.schema, "flags"))]
        return {name: values.values.tolist() for name, values in batch.columns.items()}

    found = asked(mysql_source, question)
    assert found == {"few": [255.0, 1.0, 0.0], "many": [2.0**64, 2.0**63, 0.0]}


def test_a_view_of_what_is_gone_says_so(mysql_source: Source) -> None:
    for statement in (
        "CREATE TABLE gone (x int)",
        "CREATE VIEW bad AS SELECT x FROM gone",
        "DROP TABLE gone",
    ):
        mysql_source.write(statement)

    async def question(connector: Connector) -> None:
        await connector.describe(DatasetRef(mysql_source.ref.schema, "bad"))

    with pytest.raises(errors.ConnectorError, match="references invalid"):
        asked(mysql_source, question)

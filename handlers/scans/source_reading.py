"""Readers for scans and for trying rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connectors.connector import Connector
from handlers.parts import Parts
from handlers.scans.tasks import Answer, Task
from handlers.source_readers import Reader, Tell
from storage.data_sources import DataSource
from storage.scans import Listed


@asynccontextmanager
async def reading(parts: Parts, source: DataSource) -> AsyncIterator[Reader]:
    """A reader of the source. Raises WrongKey, ConnectorError."""
    settings = parts.sources.settings_of(source)
    async with parts.readers.reader(source.id, source.updated_at, source.kind, settings) as reader:
        yield reader


async def list_datasets(connector: Connector, _: Tell) -> list[Listed]:
    """All that the source has. Runs in a reader."""
    return [
        Listed(found.ref.schema, found.ref.name, found.kind.value, found.estimated_rows)
        for found in await connector.list_datasets()
    ]


async def read_dataset(connector: Connector, tell: Tell, task: Task) -> Answer:
    """All that a task asks. Runs in a reader, which alone loads what computes."""
    from handlers.scans import reading as computing  # noqa: PLC0415 - numpy, the checks of all types, CEL

    return await computing.read_dataset(connector, tell, task)


def full_name(listed: Listed) -> str:
    return f"{listed.schema_name}.{listed.name}" if listed.schema_name else listed.name

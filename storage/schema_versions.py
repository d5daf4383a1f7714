"""The version history of sources: numbered snapshots of their schemas, each content kept once."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import schema_contents, schema_versions
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Version:
    """A row of schema_versions. `changes` is JSON: the differences from the number before."""

    source_id: int
    number: int
    digest: str
    taken_at: datetime
    datasets: int
    change_count: int
    breaking_count: int
    summary: str
    changes: str


def digest_of(content: bytes) -> str:
    """What the content is kept under."""
    return hashlib.sha256(content).hexdigest()


async def add(
    connection: AsyncConnection,
    source_id: int,
    content: bytes,
    *,
    datasets: int,
    changes: Sequence[Mapping[str, Any]],
    summary: str,
    at: datetime,
) -> Version:
    """The next version. Lock the source first (catalog.py): numbers have no gaps."""
    latest = await last(connection, source_id)
    digest = digest_of(content)
    compressed = {"digest": digest, "content": zlib.compress(content)}
    await connection.execute(insert(connection, schema_contents).values(compressed).on_conflict_do_nothing())
    values: dict[str, Any] = {
        "source_id": source_id,
        "number": latest.number + 1 if latest else 1,
        "digest": digest,
        "taken_at": at,
        "datasets": datasets,
        "change_count": len(changes),
        "breaking_count": sum(bool(change.get("breaks")) for change in changes),
        "summary": summary,
        "changes": msgspec.json.encode(list(changes)).decode(),
    }
    await connection.execute(schema_versions.insert().values(values))
    return Version(**values)


async def last(connection: AsyncConnection, source_id: int) -> Version | None:
    """The newest version of the source, None if it has none."""
    found = await list_of(connection, source_id, limit=1)
    return found[0] if found else None


async def get(connection: AsyncConnection, source_id: int, number: int) -> Version | None:
    condition = (schema_versions.c.source_id == source_id) & (schema_versions.c.number == number)
    row = (await connection.execute(select(schema_versions).where(condition))).first()
    return Version(*row) if row else None


async def list_of(
    connection: AsyncConnection, source_id: int, *, before: int | None = None, limit: int
) -> list[Version]:
    """The newest first; `before` is the last number seen."""
    query = select(schema_versions).where(schema_versions.c.source_id == source_id)
    if before is not None:
        query = query.where(schema_versions.c.number < before)
    rows = await connection.execute(query.order_by(schema_versions.c.number.desc()).limit(limit))
    return [Version(*row) for row in rows]


async def content_of(connection: AsyncConnection, digest: str) -> bytes:
    """The content that is kept under this digest, compressed: see `unpacked`."""
    query = select(schema_contents.c.content).where(schema_contents.c.digest == digest)
    return bytes((await connection.execute(query)).scalar_one())


def unpacked(compressed: bytes) -> bytes:
    return zlib.decompress(compressed)

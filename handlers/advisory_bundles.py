"""The bundle of advisories that counts: the newer of what was imported and what this release came with."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.advisories import bundles
from analysis.advisories.bundles import BundleError, Read
from storage import advisories
from storage.errors import AlreadyExists


@dataclass(frozen=True, slots=True)
class Held:
    """`imported_at` is None where it is the one that this release came with. `refused` says why the imported one does
    not count, where it does not."""

    read: Read
    imported_at: datetime | None
    refused: str | None = None


async def held(connection: AsyncConnection, keys: Iterable[bytes]) -> Held:
    """`keys` are the public keys that are trusted beside the release's own."""
    shipped = _shipped()
    stored = await advisories.newest(connection)
    if stored is None or stored.version <= shipped.bundle.version:
        return Held(shipped, None)
    try:
        # A key that was taken back since, or a row that somebody changed in the database.
        return Held(bundles.read(stored.file, trusted(keys)), stored.imported_at)
    except BundleError as error:
        return Held(shipped, None, str(error))


async def take(connection: AsyncConnection, file: bytes, keys: tuple[bytes, ...], *, by: str, at: datetime) -> Held:
    """Keeps a bundle in the database, for all nodes. Raises BundleError."""
    read = bundles.read(file, trusted(keys))
    before = await held(connection, keys)
    bundles.refuse_unless_newer(read.bundle, before.read.bundle, at.date())
    try:
        await advisories.replace(connection, read.bundle.version, file, by=by, at=at)
    except AlreadyExists:
        raise BundleError(f"Version {read.bundle.version} was imported by somebody else just now.") from None
    return Held(read, at)


def trusted(keys: Iterable[bytes]) -> list[bytes]:
    return [bundles.release_key(), *keys]


@functools.cache
def _shipped() -> Read:
    return bundles.shipped()

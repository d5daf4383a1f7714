"""What `collab-studio advisories` does: show which bundle counts, look at a file, import one, also beside a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

from analysis.advisories import bundles, matching, signing
from analysis.advisories.bundles import BundleError, Read
from handlers.advisory_bundles import held, take, trusted
from server.bootstrap import CONSOLE, note
from server.settings import Settings
from server.startup import open_database


class AdvisoriesError(Exception):
    """The file is not taken; the message is one line."""


async def show(settings: Settings, now: Callable[[], datetime]) -> list[str]:
    """Lines about the bundle that counts. Raises StartError."""
    database = await open_database(settings)
    try:
        async with database.read() as connection:
            it = await held(connection, _keys(settings))
    finally:
        await database.close()
    origin = f"imported {it.imported_at:%Y-%m-%d %H:%M} UTC" if it.imported_at else "came with this release"
    lines = [*_about(it.read, now().date()), f"origin   {origin}"]
    return [*lines, f"refused  a newer one that was imported: {it.refused}"] if it.refused else lines


def verify(settings: Settings, file: Path, now: Callable[[], datetime]) -> list[str]:
    """Lines about the bundle in a file, if its signature holds. Raises AdvisoriesError."""
    try:
        return list(_about(bundles.read(_content(file), trusted(_keys(settings))), now().date()))
    except BundleError as error:
        raise AdvisoriesError(str(error)) from None


async def import_file(settings: Settings, file: Path, now: Callable[[], datetime]) -> list[str]:
    """Keeps the bundle in a file in the database. Raises AdvisoriesError, StartError."""
    content = _content(file)
    database = await open_database(settings)
    try:
        async with database.write() as connection:
            taken = await take(connection, content, _keys(settings), by=CONSOLE, at=now())
            details = {"version": taken.read.bundle.version, "key": taken.read.key}
            await note(connection, "security.advisories.import", "advisories", now(), details)
    except BundleError as error:
        raise AdvisoriesError(str(error)) from None
    finally:
        await database.close()
    return list(_about(taken.read, now().date()))


def _about(read: Read, today: date) -> Iterator[str]:
    bundle = read.bundle
    age = matching.age_days(bundle, today)
    stale = f", stale: only {matching.STALE_AFTER_DAYS} are trusted" if matching.is_stale(bundle, today) else ""
    counts = Counter(part.package.name for one in bundle.advisories for part in one.affected)
    yield f"version  {bundle.version}"
    yield f"dated    {bundle.dated} ({age} days old{stale})"
    yield f"key      {read.key}"
    yield f"holds    {', '.join(f'{counts[name]} for {name}' for name in sorted(counts)) or 'no advisories'}"


def _keys(settings: Settings) -> tuple[bytes, ...]:
    return tuple(map(signing.read_key, settings.advisory_keys))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise AdvisoriesError(f"{file} cannot be read: {error.strerror}") from None

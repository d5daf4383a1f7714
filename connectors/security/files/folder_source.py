"""Everything an audit needs of a folder of files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from connectors.file_listing import find_all
from connectors.paths import resolve_folder
from connectors.security.check import Server
from connectors.security.files import contents, encryption, places, traps
from connectors.security.files.places import File
from connectors.security.files.session import LookedAt, nothing_to_grant
from connectors.settings import SourceSettings

CATALOGUE = (*places.CHECKS, *contents.CHECKS, *traps.CHECKS)
grant_script = nothing_to_grant


@contextlib.asynccontextmanager
async def open_session(settings: SourceSettings) -> AsyncIterator[LookedAt]:
    """Raises ConnectorError where there is no such folder, or too much in it."""
    folder = await asyncio.to_thread(resolve_folder, settings.path, settings.roots)
    entries = await asyncio.to_thread(find_all, folder, settings.pattern)
    looks = {
        places.MODES: lambda: places.modes(File(entry.name, entry.path) for entry in entries),
        contents.SAMPLES: lambda: contents.samples(entries),
        contents.SEES_TEXTS: lambda: contents.sees_texts(entries),
        contents.SEES_ALL: lambda: contents.sees_all(entries),
        encryption.OPENNESS: lambda: encryption.of_parquet(entries),
        traps.TRAPS: lambda: traps.traps(folder, entries),
    }
    yield LookedAt(Server("files", ""), looks)

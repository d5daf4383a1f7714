"""Everything an audit needs of a DuckDB database, which it looks at from outside only: its owner may have it locked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from connectors.paths import resolve_file
from connectors.security.check import Server
from connectors.security.files import leftovers, places
from connectors.security.files.places import File
from connectors.security.files.session import LookedAt, nothing_to_grant
from connectors.settings import SourceSettings

CATALOGUE = (*places.CHECKS, leftovers.JOURNAL_CHECK)
grant_script = nothing_to_grant


@contextlib.asynccontextmanager
async def open_session(settings: SourceSettings) -> AsyncIterator[LookedAt]:
    """Raises ConnectorError where there is no such file."""
    path = await asyncio.to_thread(resolve_file, settings.path, settings.roots)
    file = File(path.name, path)
    looks = {places.MODES: lambda: places.modes([file]), leftovers.JOURNALS: lambda: leftovers.journals(file)}
    yield LookedAt(Server("duckdb", ""), looks)

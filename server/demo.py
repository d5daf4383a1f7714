"""`collab-studio demo`: a workspace with data sources and documents to try everything on. May be run again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pycrdt import Doc, Text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.datasets import Kind
from handlers.access import Role
from server import demo_data
from server.bootstrap import CONSOLE, FIRST_USER, note, prepare_first_use
from server.settings import Settings
from server.startup import StartError, open_database, prepare_folder
from storage import data_sources, documents, members, workspaces
from storage.database import Database
from storage.tables import to_microseconds
from storage.update_log import Append, PendingUpdate, open_update_log

WORKSPACE = "demo"
ROOT = "content"
_SYSTEM_ORIGIN = 4
_SOURCES = (
    (
        "Files",
        Kind.FILES,
        demo_data.FILES,
        "Airports, employment, temperatures, cars and irises: CSV, Parquet, JSON lines.",
    ),
    ("Markets", Kind.SQLITE, demo_data.MARKETS, "Prices of shares, and cars: tables with keys, and views."),
    ("Weather", Kind.DUCKDB, demo_data.WEATHER, "The weather of Seattle, 2012 to 2015."),
)
_DOCUMENTS = {
    "welcome": """# Welcome

This workspace was made by `collab-studio demo`. Its data is real and small: the data sets of vega-datasets.

- *Files* is a folder of CSV, Parquet and JSON lines.
- *Markets* is an SQLite database with keys and views.
- *Weather* is a DuckDB database.

Everybody who has this document open edits it together.
""",
    "review-of-markets": """# Review of Markets

- Who owns `companies`?
- `cars.miles_per_gallon` has gaps: where do they come from?
- `yearly_prices` averages months. Is that what its readers think it is?
""",
}


async def make_demo(settings: Settings, now: Callable[[], datetime]) -> list[str]:
    """Makes what is missing; the lines that tell what there is now and what to try. Raises StartError."""
    folder = settings.data.resolve() / "demo"
    try:
        originals = demo_data.originals()
    except demo_data.DemoDataMissingError as error:
        raise StartError(str(error)) from None
    prepare_folder(folder)
    try:
        files = await asyncio.to_thread(demo_data.make_all, folder, originals)
    except OSError as error:
        raise StartError(f"cannot write the demo's data to {folder}: {error.strerror}") from None
    database = await open_database(settings)
    try:
        await prepare_first_use(database, now())
        async with database.write() as connection:
            made = await _make_workspace(connection, now())
            for name, kind, file, description in _SOURCES:
                made += await _make_source(connection, name, kind, folder / file, description, now())
        for name, text in _DOCUMENTS.items():
            made += await _make_document(database, name, text, now())
        async with database.read() as connection:
            found = [await data_sources.find(connection, WORKSPACE, name) for name, *_ in _SOURCES]
    finally:
        await database.close()
    lines = [f"made {path}" for path in files] + [f"made {what}" for what in made] or ["everything was there already"]
    return [*lines, *_warnings(settings, folder), *_next_steps(settings, [source.id for source in found if source])]


async def _make_workspace(connection: AsyncConnection, at: datetime) -> list[str]:
    if not await workspaces.ensure(connection, WORKSPACE, title="Demo", created_by=FIRST_USER, at=at):
        return []
    await members.put(connection, WORKSPACE, FIRST_USER, Role.OWNER, added_by=FIRST_USER, at=at)
    await note(connection, "collaboration.workspaces.create", WORKSPACE, at, {"owner": FIRST_USER})
    return [f"the workspace {WORKSPACE!r}, owned by {FIRST_USER!r}"]


async def _make_source(
    connection: AsyncConnection, name: str, kind: Kind, path: Path, description: str, at: datetime
) -> list[str]:
    if await data_sources.find(connection, WORKSPACE, name):
        return []
    settings: dict[str, Any] = {"path": str(path)}
    source = await data_sources.create(
        connection,
        workspace_id=WORKSPACE,
        name=name,
        kind=kind,
        description=description,
        settings=settings,
        owner=FIRST_USER,
        at=at,
    )
    details = {"workspace_id": WORKSPACE, "name": name, "kind": str(kind)}
    await note(connection, "data_sources.create", str(source.id), at, details)
    return [f"the data source {source.id}, {name!r} ({kind})"]


async def _make_document(database: Database, name: str, text: str, at: datetime) -> list[str]:
    async with database.write() as connection:
        if await documents.get(connection, WORKSPACE, name):
            return []
        row = await documents.create(connection, WORKSPACE, name, kind="text", root=ROOT, created_by=FIRST_USER, at=at)
        await note(connection, "collaboration.documents.create", f"{WORKSPACE}/{name}", at, {})
    update = PendingUpdate(CONSOLE, _SYSTEM_ORIGIN, to_microseconds(at), _update_of(text))
    await open_update_log(database).append([Append(row.id, [update])])
    return [f"the document {WORKSPACE}/{name}"]


def _update_of(text: str) -> bytes:
    document: Doc[Any] = Doc()
    document[ROOT] = Text(text)
    return document.get_update()


def _warnings(settings: Settings, folder: Path) -> list[str]:
    roots = settings.source_folders
    if roots is None or any(folder.is_relative_to(root) for root in roots):
        return []
    return [f"note: the server opens these sources only if STUDIO_SOURCE_FOLDERS contains {folder}"]


def _next_steps(settings: Settings, sources: list[int]) -> list[str]:
    address = settings.public_url or f"http://127.0.0.1:{settings.port}"
    data = "" if settings.data == Path("data") else f" --data {settings.data}"
    call = 'curl -H "Authorization: Bearer $TOKEN"'
    return [
        "",
        "Try next, with the server running (collab-studio serve):",
        f"  TOKEN=$(collab-studio token --user {FIRST_USER}{data})",
        f"  {call} '{address}/data-sources?workspace_id={WORKSPACE}'",
        *(f"  {call} -X POST {address}/data-sources/{source}/test" for source in sources[:1]),
        f"  {call} {address}/collaboration/documents/{WORKSPACE}/welcome/content",
    ]

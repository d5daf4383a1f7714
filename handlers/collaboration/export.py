"""A job that writes a workspace's documents as files, one step a document."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

import msgspec

from handlers.collaboration.reading import live_shape, question_about, read_live
from handlers.jobs import Job, Retries, Run, StepFailed
from handlers.registry import Permission
from storage import documents
from storage.documents import Document

FOLDER = "exports"
MANIFEST = "manifest.json"
PAGE = 500
# A document's worker may be lost, or the database be away for a moment.
PATIENCE = Retries(attempts=3, pause=1.0)
_UNSAFE = re.compile(r"[^\w.-]+")
_LONGEST_PART = 60


class ExportWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    """The documents whose names begin with `prefix`; all of them unless given."""

    prefix: str = ""


class ExportedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A document as a file: which one, at which number, and the file's digest as lower-case hex."""

    document: str
    title: str
    kind: str | None
    number: int
    file: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the folder of an export."""

    workspace_id: str
    run_id: str
    files: list[ExportedFile]
    failed: list[str]


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """Where the files are, below the folder of data, and how many; what could not be written, by name."""

    folder: str
    files: int
    bytes: int
    failed: list[str]


async def export_workspace(run: Run, arguments: ExportWorkspace) -> Exported:
    listed = await run.step(list_documents, run, arguments.prefix)
    files, failed = [], []
    for at, (row_id, name) in enumerate(listed):
        run.tell(at, len(listed), name)
        try:
            written = await run.step(write_document, run, row_id, retries=PATIENCE)
        except StepFailed as error:
            failed.append(f"{name}: {error.message}")
            continue
        if written is not None:
            files.append(written)
    exported = await run.step(write_manifest, run, files, failed)
    run.tell(len(listed), len(listed))
    return exported


async def list_documents(run: Run, prefix: str) -> list[tuple[int, str]]:
    """Row ids and names, by name."""
    found: list[tuple[int, str]] = []
    after = None
    while True:
        async with run.parts.database.read() as connection:
            page = await documents.list_of(connection, _workspace(run), prefix=prefix, after=after, limit=PAGE)
        found += [(document.id, document.name) for document in page]
        if len(page) < PAGE:
            return found
        after = page[-1].name


async def write_document(run: Run, row_id: int) -> ExportedFile | None:
    """The document's content in a file of its own; None if the document is gone."""
    async with run.parts.database.read() as connection:
        document = await documents.get_by_id(connection, row_id)
    if document is None or document.trashed_at is not None:
        return None
    question = question_about(document, await live_shape(run.parts, document), None)
    reading, number = await read_live(run.parts, document, question)
    if reading.form == "text":
        data, suffix = str(reading.value).encode(), "txt"
    else:
        data, suffix = msgspec.json.format(msgspec.json.encode(reading.value)), "json"
    file = f"{_safe(document.name)}-{document.id}.{suffix}"
    await asyncio.to_thread(_write, _folder(run) / file, data)
    return ExportedFile(
        document=document.name,
        title=document.title,
        kind=reading.shape.kind if reading.shape else document.kind,
        number=number,
        file=file,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


async def write_manifest(run: Run, files: list[ExportedFile], failed: list[str]) -> Exported:
    """The list of the files, all of which are here afterwards: a process on another machine may have written some."""
    complete = []
    async with run.parts.database.read() as connection:
        rows = {file.document: await documents.get(connection, _workspace(run), file.document) for file in files}
    for file in files:
        is_here = await asyncio.to_thread(_holds, _folder(run) / file.file, file)
        row: Document | None = rows[file.document]
        again = file if is_here or row is None else await write_document(run, row.id)
        if again is not None:
            complete.append(again)
    manifest = Manifest(workspace_id=_workspace(run), run_id=run.id, files=complete, failed=failed)
    await asyncio.to_thread(_write, _folder(run) / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return Exported(
        folder=str(_folder(run).relative_to(run.folder)),
        files=len(complete),
        bytes=sum(file.bytes for file in complete),
        failed=failed,
    )


def _workspace(run: Run) -> str:
    if run.workspace_id is None:
        raise StepFailed("An export is of a workspace; this run has none.", code="no_workspace")
    return run.workspace_id


def _folder(run: Run) -> Path:
    return run.folder / FOLDER / _workspace(run) / _safe(run.id)


def _safe(name: str) -> str:
    """As a part of a file's name that every system takes; ids beside it make it unique."""
    return _UNSAFE.sub("-", name.encode("ascii", "ignore").decode()).strip("-.")[:_LONGEST_PART] or "document"


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing, however often."""
    # The database is readable for nobody else, so what is written out of it is not either.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def _holds(path: Path, file: ExportedFile) -> bool:
    try:
        return path.stat().st_size == file.bytes
    except FileNotFoundError:
        return False


JOBS = (
    Job(
        "workspace.export",
        ExportWorkspace,
        export_workspace,
        "Write the documents of a workspace as files into the server's folder of data.",
        Permission.WRITE,
    ),
)

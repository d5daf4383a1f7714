"""Versions that the server makes of a document before it replaces what is in it."""

from __future__ import annotations

from handlers.document_states import current_number
from handlers.registry import Context
from storage import history, versions
from storage.documents import Document
from storage.versions import Version


def version_id_of(version: Version) -> str:
    """What people call the version."""
    return f"v{version.id}"


async def version_of_now(context: Context, document: Document) -> Version:
    """A version of everything accepted until now: the one there is, or a new automatic one."""
    number = await current_number(context.parts, document)
    async with context.parts.database.read() as connection:
        latest = await history.latest_versioned(connection, document.id)
        held = await versions.list_of(connection, document.id, limit=1)
    if held and held[0].number == latest == number:
        return held[0]
    return await make_version(context, document, number)


async def make_version(context: Context, document: Document, number: int) -> Version:
    """A new automatic version of the document as it was at the number."""
    async with context.parts.database.write() as connection:
        return await versions.create(
            connection,
            document.id,
            number,
            automatic=True,
            created_by=context.user.user_id,
            at=context.now(),
        )

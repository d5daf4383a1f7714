"""A document by its name: what may be one, finding it, and making it for whoever opens it first."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from handlers.audit_trail import record
from handlers.document_life import missing, refuse_trashed
from handlers.feed_names import activity_of
from handlers.parts import Parts
from handlers.registry import Context, Forbidden, InvalidRequest, Permission, Principal
from storage import documents, search
from storage.documents import Document

LONGEST_NAME = 200

DocumentId = Annotated[
    str,
    Meta(
        description="A document's name: 1 to 200 characters without `/` and control characters, no blank at an end, "
        "not beginning with `@`.",
        examples=["meeting-notes"],
    ),
]

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


def check_name(name: str) -> str:
    """The name, if a document may have it. Raises InvalidRequest, which says what would be right."""
    wrong = _what_is_wrong(name)
    if wrong:
        shown = name if len(name) <= LONGEST_NAME else f"{name[:40]}…"
        raise InvalidRequest(
            f"A document cannot be named {shown!r}: {wrong}.", code="bad_document_name", details={"parameter": "id"}
        )
    return name


def _what_is_wrong(name: str) -> str | None:
    if not name or name.isspace():
        return "a name has at least one character that is not blank"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters, this one has {len(name)}"
    if "/" in name:
        return "a name holds no '/', which ends the workspace's name in addresses"
    if _CONTROL_CHARACTER.search(name):
        return "a name holds no control characters, such as line breaks"
    if name.startswith("@"):
        return "names that begin with '@' are the server's own"
    if name in (".", ".."):
        return "in addresses '.' and '..' mean something else"
    if name != name.strip():
        return f"a name neither begins nor ends with a blank; {name.strip()!r} would do"
    return None


async def find(parts: Parts, workspace_id: str, name: str, *, in_trash: bool = False) -> Document:
    """The document. Raises NotFound if there is none, and unless `in_trash` allows it also if it is in the trash."""
    async with parts.database.read() as connection:
        document = await documents.get(connection, workspace_id, name)
    if document is None:
        raise missing(workspace_id, name)
    if not in_trash:
        refuse_trashed(document)
    return document


async def ensure_document(parts: Parts, principal: Principal, workspace_id: str, name: str) -> Document:
    """The document that somebody opens in an editor, made if there is none and they may write.

    Raises NotFound for one in the trash and, to whoever may only read, for one that is not there; InvalidRequest for
    what cannot be a name; what `Access.require` raises.
    """
    await parts.access.require(principal, Permission.READ, workspace_id)
    async with parts.database.read() as connection:
        document = await documents.get(connection, workspace_id, name)
    if document is None:
        check_name(name)
        await _require_to_make(parts, principal, workspace_id, name)
        document = await _make(parts, principal, workspace_id, name)
    refuse_trashed(document)
    return document


async def _require_to_make(parts: Parts, principal: Principal, workspace_id: str, name: str) -> None:
    try:
        await parts.access.require(principal, Permission.WRITE, workspace_id)
    except Forbidden as error:
        raise missing(workspace_id, name) from error


async def _make(parts: Parts, principal: Principal, workspace_id: str, name: str) -> Document:
    now = datetime.now(UTC)
    context = Context(principal=principal, parts=parts, request_id="", now=lambda: now)
    async with parts.feeds.writing() as (connection, outbox):
        document, made = await documents.ensure(connection, workspace_id, name, created_by=principal.user_id, at=now)
        if made:
            await search.index(connection, document.id, workspace_id, document.title, "")
            await record(connection, context, "collaboration.documents.create", f"{workspace_id}/{name}")
            details = {"document_id": name, "title": document.title, "kind": document.kind}
            outbox.add(activity_of(workspace_id), "document.created", details, actor=principal.user_id)
    return document

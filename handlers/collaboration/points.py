"""A point in a document's history, as people say it: a number, a time, or a version."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from handlers.document_states import current_number
from handlers.parts import Parts
from handlers.registry import InvalidRequest, NotFound
from storage import update_log, versions
from storage.documents import Document
from storage.versions import Version

Point = Annotated[
    str | int,
    Meta(
        description="A number of the document, an RFC 3339 time, or a version's id.",
        examples=["128", "2030-01-31T09:30:00Z", "v7"],
    ),
]

VersionId = Annotated[str, Meta(description="A version's id.", examples=["v7"])]

_VERSION = re.compile(r"v([1-9][0-9]{0,17})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
# Whoever forgets to encode the plus of a time zone in a URL sends a blank.
_LOST_PLUS = re.compile(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})$")


async def find_version(parts: Parts, document: Document, version_id: str) -> Version:
    """Raises NotFound."""
    match = _VERSION.fullmatch(version_id)
    found = None
    if match:
        async with parts.database.read() as connection:
            found = await versions.get(connection, document.id, int(match[1]))
    if found is None:
        raise no_such_version(document, version_id)
    return found


def no_such_version(document: Document, version_id: str) -> NotFound:
    return NotFound(f"The document {document.name!r} has no version {version_id!r}.", code="no_such_version")


async def resolve(parts: Parts, document: Document, point: Point, parameter: str) -> int:
    """The number that a point stands for. Raises InvalidRequest about `parameter`, or NotFound for a version."""
    text = str(point)
    if _VERSION.fullmatch(text):
        return (await find_version(parts, document, text)).number
    if _NUMBER.fullmatch(text):
        return await _checked(parts, document, int(text), parameter)
    return await update_log.number_at(parts.database, document.id, _time(text, parameter))


async def _checked(parts: Parts, document: Document, number: int, parameter: str) -> int:
    newest = await current_number(parts, document)
    if number > newest:
        raise InvalidRequest(
            f"{parameter}: {document.name!r} is at the number {newest} now, {number} is yet to come.",
            code="bad_point",
            details={"parameter": parameter, "number": newest},
        )
    return number


def _time(text: str, parameter: str) -> datetime:
    try:
        at = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidRequest(
            f"{parameter}: {text[:60]!r} is neither a number, nor a time with its zone such as 2030-01-31T09:30:00Z, "
            "nor a version's id such as v7.",
            code="bad_point",
            details={"parameter": parameter},
        )
    return at

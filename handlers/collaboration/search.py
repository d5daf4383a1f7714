"""Full-text search over the documents of a workspace."""

from __future__ import annotations

from typing import Annotated, cast

import msgspec
from msgspec import Meta

from handlers.collaboration.documents import Kind
from handlers.collaboration.naming import DocumentId
from handlers.names import WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Operation, Page, Permission
from storage import search
from storage.search import Hit


class Highlight(msgspec.Struct, frozen=True):
    """Characters `start` up to but not with `end` of the snippet, in Unicode code points."""

    start: int
    end: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A document that holds all that was looked for, with the place in its text where it is found first."""

    document_id: DocumentId
    title: str
    kind: Kind | None
    snippet: str
    highlights: list[Highlight]


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """The best first. Words between blanks must all be there, the last may be the beginning of one.

    Case and accents make no difference. What was typed in the last seconds may not be found yet; documents in the
    trash are not.
    """

    workspace_id: WorkspaceId
    q: Annotated[str, Meta(min_length=1, max_length=1000, description="What to look for.", examples=["data owner"])]
    cursor: Cursor | None = None
    limit: Limit = 20


async def find(context: Context, request: Search) -> Page[Found]:
    after = decode_cursor("search", request.cursor, tuple[float, int])
    async with context.parts.database.read() as connection:
        hits = await search.find(connection, request.workspace_id, request.q, after=after, limit=request.limit + 1)
    return page_of(hits, request.limit, "search", key=lambda hit: (hit.rank, hit.document_id), item=_shown)


def _shown(hit: Hit) -> Found:
    return Found(
        document_id=hit.name,
        title=hit.title,
        kind=cast("Kind | None", hit.kind),
        snippet=hit.snippet,
        highlights=[Highlight(start, end) for start, end in hit.highlights],
    )


OPERATIONS = (
    Operation(
        "collaboration.search",
        Search,
        Page[Found],
        find,
        "GET /collaboration/search/{workspace_id}",
        Permission.READ,
        "Find documents by what is written in them.",
    ),
)

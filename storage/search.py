"""Full-text search over the titles and texts of documents: FTS5 in SQLite, tsvector in PostgreSQL.

Both get words that were cut and folded by words.py, so they need no parser of their own, and what people type never is
part of a query's syntax.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import words
from storage.tables import document_texts, documents
from storage.upsert import insert

# What is after this in a text is not found. PostgreSQL takes at most 1 MiB of distinct words and their places.
_MAX_CHARACTERS = 200_000
_MAX_WORD_BYTES = 256 * 1024

# Snippets are looked for in the beginning only: texts are moved and folded for each hit.
_SNIPPET_SEARCHED = 20_000
_SNIPPET_BEFORE = 60
_SNIPPET_LENGTH = 240

_FIND_SQLITE = text("""
    WITH found AS MATERIALIZED (
        SELECT rowid AS id, -bm25(document_words, 4.0, 1.0) AS rank
        FROM document_words
        WHERE document_words MATCH :query
    )
    SELECT d.id, d.name, d.title, d.kind, found.rank, substr(t.text, 1, :searched) AS text
    FROM found
    JOIN document_texts AS t ON t.document_id = found.id
    JOIN documents AS d ON d.id = found.id
    WHERE t.workspace_id = :workspace_id AND d.trashed_at IS NULL
        AND (:last_id = 0 OR found.rank < :last_rank OR (found.rank = :last_rank AND d.id > :last_id))
    ORDER BY found.rank DESC, d.id
    LIMIT :limit
""")

_FIND_POSTGRESQL = text("""
    WITH found AS (
        SELECT w.document_id AS id, CAST(ts_rank(w.words, CAST(:query AS tsquery)) AS double precision) AS rank
        FROM document_words AS w
        WHERE w.words @@ CAST(:query AS tsquery)
    )
    SELECT d.id, d.name, d.title, d.kind, found.rank, substr(t.text, 1, CAST(:searched AS integer)) AS text
    FROM found
    JOIN document_texts AS t ON t.document_id = found.id
    JOIN documents AS d ON d.id = found.id
    WHERE t.workspace_id = :workspace_id AND d.trashed_at IS NULL
        AND (CAST(:last_id AS bigint) = 0 OR found.rank < CAST(:last_rank AS double precision)
            OR (found.rank = CAST(:last_rank AS double precision) AND d.id > CAST(:last_id AS bigint)))
    ORDER BY found.rank DESC, d.id
    LIMIT :limit
""")

_INDEX_SQLITE = text("INSERT OR REPLACE INTO document_words (rowid, title, text) VALUES (:id, :title, :text)")
_INDEX_POSTGRESQL = text("""
    INSERT INTO document_words (document_id, words) VALUES (:id, CAST(:words AS tsvector))
    ON CONFLICT (document_id) DO UPDATE SET words = excluded.words
""")

_REMOVE_SQLITE = text("DELETE FROM document_words WHERE rowid = :id")
_REMOVE_POSTGRESQL = text("DELETE FROM document_words WHERE document_id = :id")


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found.

    `snippet` is a piece of its text, with `highlights` the (start, end) of what was looked for in it, in code points;
    the beginning of the text if it is only in the title. Greater ranks are better, and mean nothing in themselves.
    """

    document_id: int
    name: str
    title: str
    kind: str | None
    rank: float
    snippet: str
    highlights: tuple[tuple[int, int], ...]


async def index(
    connection: AsyncConnection, document_id: int, workspace_id: str, title: str, text: str, *, number: int = 0
) -> bool:
    """Makes the document be found by this title and text, in place of what it had. Raises BrokenReference.

    `number` is that of the last update the text holds. Changes nothing, and answers False, if a later text is there.
    """
    title, text = words.normalize(title), words.normalize(text[:_MAX_CHARACTERS])
    values = {"workspace_id": workspace_id, "number": number, "title": title, "text": text}
    statement = insert(connection, document_texts).values({"document_id": document_id, **values})
    statement = statement.on_conflict_do_update(
        index_elements=["document_id"], set_=values, where=document_texts.c.number <= number
    )
    if (await connection.execute(statement.returning(document_texts.c.document_id))).first() is None:
        return False
    title_words, text_words = words.cut(title), bounded(words.cut(text))
    if _is_sqlite(connection):
        parameters = {"id": document_id, "title": " ".join(title_words), "text": " ".join(text_words)}
        await connection.execute(_INDEX_SQLITE, parameters)
    else:
        await connection.execute(_INDEX_POSTGRESQL, {"id": document_id, "words": _vector(title_words, text_words)})
    return True


async def retitle(connection: AsyncConnection, document_id: int, title: str) -> None:
    """Makes the document be found by this title, and by the text it has, if any."""
    query = select(document_texts).where(document_texts.c.document_id == document_id).with_for_update()
    row = (await connection.execute(query)).first()
    if row is not None:
        await index(connection, document_id, row.workspace_id, title, row.text, number=row.number)


async def outdated(connection: AsyncConnection, *, after: int = 0, limit: int) -> list[int]:
    """Row ids greater than `after`, in order, of documents with updates that are not in their text yet."""
    joined = documents.outerjoin(document_texts, document_texts.c.document_id == documents.c.id)
    behind = document_texts.c.document_id.is_(None) | (document_texts.c.number < documents.c.head)
    query = (
        select(documents.c.id)
        .select_from(joined)
        .where(documents.c.id > after, behind)
        .order_by(documents.c.id)
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def remove(connection: AsyncConnection, document_id: int) -> None:
    """Makes the document not be found any more."""
    await connection.execute(_REMOVE_SQLITE if _is_sqlite(connection) else _REMOVE_POSTGRESQL, {"id": document_id})
    await connection.execute(delete(document_texts).where(document_texts.c.document_id == document_id))


async def find(
    connection: AsyncConnection,
    workspace_id: str,
    query: str,
    *,
    after: tuple[float, int] | None = None,
    limit: int,
) -> list[Hit]:
    """The workspace's documents that hold all that is looked for, the best first; none for a query without words.

    What is between blanks is looked for as a phrase, and the last of it may be the beginning of a word. Documents in
    the trash are not found. `after` is (rank, document_id) of the last hit seen.
    """
    wanted = words.parse_query(query)
    if wanted is None:
        return []
    sqlite = _is_sqlite(connection)
    last_rank, last_id = after or (0.0, 0)
    parameters = {
        "query": match_of(wanted) if sqlite else tsquery_of(wanted),
        "workspace_id": workspace_id,
        "searched": _SNIPPET_SEARCHED,
        "last_rank": last_rank,
        "last_id": last_id,
        "limit": limit,
    }
    statement: TextClause = _FIND_SQLITE if sqlite else _FIND_POSTGRESQL
    pattern = wanted.pattern()
    return [_hit(row, pattern) for row in await connection.execute(statement, parameters)]


def _is_sqlite(connection: AsyncConnection) -> bool:
    return connection.dialect.name == "sqlite"


def bounded(found: Iterable[str]) -> Iterator[str]:
    size = 0
    for word in found:
        size += len(word.encode()) + 1
        if size > _MAX_WORD_BYTES:
            return
        yield word


def match_of(query: words.Query) -> str:
    """FTS5's syntax. Words are letters and digits only, so nothing in the quotes can end them."""
    return " AND ".join(f'"{" ".join(phrase)}"' for phrase in query.phrases) + " *"


def tsquery_of(query: words.Query) -> str:
    """The text form of a tsquery. <-> binds more tightly than &."""
    return " & ".join(" <-> ".join(f"'{word}'" for word in phrase) for phrase in query.phrases) + ":*"


def _vector(title: Iterable[str], body: Iterable[str]) -> str:
    """The text form of a tsvector: words with their places, those of the title with the greatest weight."""
    places: dict[str, list[str]] = {}
    place = 0
    for place, word in enumerate(title, 1):
        places.setdefault(word, []).append(f"{place}A")
    # A gap, so that no phrase reaches from the title into the text.
    for place, word in enumerate(body, place + 2):  # noqa: B020 - counting goes on
        # PostgreSQL keeps so many, and takes long to read more.
        if len(kept := places.setdefault(word, [])) < 256:
            kept.append(str(place))
    return " ".join(f"'{word}':{','.join(where)}" for word, where in places.items())


def _hit(row: Any, pattern: Any) -> Hit:
    snippet, highlights = cut_snippet(row.text, pattern)
    return Hit(row.id, row.name, row.title, row.kind, row.rank, snippet, highlights)


def cut_snippet(body: str, pattern: Any) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A piece of the text around the first match, on one line, and where in it the matches are."""
    folded = words.fold(body)
    first = pattern.search(folded)
    start = _word_start(body, first.start() - _SNIPPET_BEFORE) if first else 0
    end = start + _SNIPPET_LENGTH
    before, after = "…" if start else "", "…" if end < len(body) else ""
    # One blank for each blank, so that places stay.
    piece = "".join(" " if character.isspace() else character for character in body[start:end])
    shift = len(before) - start
    highlights = tuple(
        (match.start() + shift, match.end() + shift) for match in pattern.finditer(folded, start) if match.end() <= end
    )
    return before + piece + after, highlights


def _word_start(body: str, place: int) -> int:
    """The beginning of a word at or soon after the place; the place itself if there is none."""
    if place <= 0:
        return 0
    for candidate in range(place, place + _SNIPPET_BEFORE // 2):
        if body[candidate - 1].isspace():
            return candidate
    return place

"""Which indexes of a MySQL or MariaDB database could go: those that nothing uses, and those that another one serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from connectors import errors
from connectors.mysql_session import Session
from connectors.performance.figures import AdviceKind, IndexAdvice, IndexAdvices, Unsupported
from connectors.settings import SourceSettings
from connectors.sql_text import quoted

_INDEXES = """
SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, NON_UNIQUE, COALESCE(COLUMN_NAME, '(expression)'), COALESCE(SUB_PART, 0),
  INDEX_TYPE
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA IN ({})
ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX
"""
_USES = """
SELECT OBJECT_SCHEMA, OBJECT_NAME, INDEX_NAME, COUNT_STAR FROM performance_schema.table_io_waits_summary_by_index_usage
WHERE OBJECT_SCHEMA IN ({}) AND INDEX_NAME IS NOT NULL
"""
_REPLICA = "Replicas may use it: the uses of each server are counted there."


@dataclass(frozen=True, slots=True)
class _Index:
    schema: str
    table: str
    name: str
    is_unique: bool
    type: str
    parts: tuple[tuple[str, int], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for column, _ in self.parts)

    @property
    def drop(self) -> str:
        table = f"{quoted(self.schema, '`')}.{quoted(self.table, '`')}"
        return f"ALTER TABLE {table} DROP INDEX {quoted(self.name, '`')};"


async def advise(session: Session, settings: SourceSettings, at_ms: int, since_ms: int | None) -> IndexAdvices:
    """Over the schemas of the source. Foreign keys need no advice: InnoDB makes their indexes itself."""
    schemas = settings.schemas or (settings.database or "",)
    marks = ", ".join(["%s"] * len(schemas))
    rows = await session.execute(_INDEXES.format(marks), schemas)
    indexes = [
        _Index(*key, is_unique=not group[0][3], type=group[0][6], parts=tuple((row[4], int(row[5])) for row in group))
        for key, found in groupby(rows, key=lambda row: (row[0], row[1], row[2]))
        for group in [list(found)]
    ]
    advices = list(_served_by_others(indexes))
    unsupported: tuple[Unsupported, ...] = ()
    [(is_on,)] = await session.execute("SELECT @@performance_schema")
    try:
        if is_on:
            uses = await session.execute(_USES.format(marks), schemas)
            advices += _unused(indexes, {(row[0], row[1], row[2]): int(row[3]) for row in uses}, advices)
        else:
            unsupported = (_uncounted("Its performance schema is off", "[mysqld]\nperformance_schema = ON"),)
    except (errors.RightsMissing, errors.DatasetNotFound):
        remedy = "GRANT SELECT ON performance_schema.* TO '…'@'%';"
        unsupported = (_uncounted("The account may not read the performance schema", remedy),)
    return IndexAdvices(at_ms, since_ms, advices, unsupported)


def _uncounted(why: str, remedy: str) -> Unsupported:
    return Unsupported("unused indexes", f"{why}, so that nobody knows how often an index is used.", remedy)


def _served_by_others(indexes: Sequence[_Index]) -> Iterator[IndexAdvice]:
    for _, found in groupby(indexes, key=lambda index: (index.schema, index.table)):
        of_table = [index for index in found if index.type == "BTREE"]
        for index in of_table:
            if index.is_unique:
                continue
            for other in sorted(of_table, key=lambda other: other.parts != index.parts):
                if other is index or other.parts[: len(index.parts)] != index.parts:
                    continue
                is_same = other.parts == index.parts
                if is_same and not other.is_unique and other.name > index.name:
                    continue  # of two that are alike one goes
                yield _served(index, other, is_same=is_same)
                break


def _served(index: _Index, other: _Index, *, is_same: bool) -> IndexAdvice:
    how = "has the same columns" if is_same else "begins with the same columns"
    return IndexAdvice(
        kind=AdviceKind.DUPLICATE if is_same else AdviceKind.REDUNDANT,
        schema=index.schema,
        table=index.table,
        index=index.name,
        columns=index.columns,
        bytes=None,
        reason=f"The index {other.name!r} {how}, so it serves whatever this one does.",
        sql=index.drop,
        evidence={"served_by": other.name, "its_columns": list(other.columns)},
        caveats=() if is_same else ("The other one is larger: reading this one alone may be a little quicker.",),
    )


def _unused(
    indexes: Sequence[_Index], uses: dict[tuple[str, str, str], int], told: Sequence[IndexAdvice]
) -> Iterator[IndexAdvice]:
    known = {(advice.schema, advice.table, advice.index) for advice in told}
    for index in indexes:
        key = (index.schema, index.table, index.name)
        if index.is_unique or key in known or uses.get(key) != 0:
            continue
        yield IndexAdvice(
            kind=AdviceKind.UNUSED,
            schema=index.schema,
            table=index.table,
            index=index.name,
            columns=index.columns,
            bytes=None,
            reason="Nothing has used this index since the server started.",
            sql=index.drop,
            evidence={"uses": 0},
            caveats=(_REPLICA, "A foreign key may need it; the server refuses to drop it then."),
        )

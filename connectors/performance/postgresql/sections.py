"""A visit as one SELECT: sections say what is read, one JSON array comes back, and figures are made of it.

One round trip and one statement to plan, which the server keeps: a visit costs both sides about a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.performance.figures import COUNTER, GAUGE, Figure, FigureGroup, Labels, Level

_ALL = (0, 99)
# Label values of a lasting section that are kept in mind.
_LASTING = 200


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of each row of a section: `sql` is a number or NULL. `labels` are added to those of the row."""

    metric: str
    sql: str
    unit: str = ""
    kind: str = GAUGE
    labels: Labels = ()
    versions: tuple[int, int] = _ALL


def counter(metric: str, sql: str, unit: str = "", labels: Labels = (), *, versions: tuple[int, int] = _ALL) -> Measure:
    return Measure(metric, sql, unit, COUNTER, labels, versions)


@dataclass(frozen=True, slots=True)
class Section:
    """What is read of one view.

    `rows` is what follows FROM, and may name `server` and `activity` (see `BEFORE`); with `grouped` there may be
    aggregates in the measures. `labels` are pairs of a name and SQL. `epoch` is SQL of what tells apart the lives of
    a row's counters: when they were reset, and the oid of what may be dropped and made anew. `lasting`: what was there
    once is 0 when it is not, rather than unknown. `may` is SQL of whether the account may read it. `versions` are the
    first and last major version that have it.
    """

    name: str
    level: Level
    rows: str
    measures: tuple[Measure, ...]
    labels: tuple[tuple[str, str], ...] = ()
    epoch: str = "NULL"
    grouped: bool = False
    lasting: bool = False
    versions: tuple[int, int] = _ALL
    may: str | None = None

    def of_version(self, version: int) -> Section | None:
        """The section with what this major version has; None if it has none of it."""
        if not _includes(self.versions, version):
            return None
        measures = tuple(measure for measure in self.measures if _includes(measure.versions, version))
        return replace(self, measures=measures)

    @property
    def sql(self) -> str:
        """A SELECT of one JSON array of rows: the epoch, the labels, the measures."""
        labels = [sql for _, sql in self.labels]
        columns = ", ".join([f"({self.epoch})::text", *labels, *(measure.sql for measure in self.measures)])
        by = f" GROUP BY {', '.join(labels)}" if self.grouped and labels else ""
        # Lines first: an aggregate of nothing but columns from without would be one of the query without.
        inner = f"SELECT json_build_array({columns}) AS line FROM {self.rows}{by}"  # noqa: S608 - ours
        return f"SELECT coalesce(json_agg(line), '[]') FROM ({inner}) lines"  # noqa: S608 - ours


def _includes(versions: tuple[int, int], version: int) -> bool:
    return versions[0] <= version <= versions[1]


# Functions rather than views, which look up names that nobody asks for. Our own session is no figure of the source.
BEFORE = """
WITH server AS MATERIALIZED (
    SELECT pg_is_in_recovery() AS in_recovery, clock_timestamp() AS at,
           CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
           ELSE pg_current_wal_lsn() END AS lsn
), activity AS MATERIALIZED (
    SELECT pid, datid, state, wait_event_type, wait_event, xact_start, query_start, state_change, backend_xmin,
           backend_type
    FROM pg_stat_get_activity(NULL) WHERE pid <> pg_backend_pid()
)
"""

# Who answers: the cluster, since when it runs, and whether it follows another one. After a crash of one of its
# processes the server begins its statistics anew without starting anew, and says so nowhere; but its checkpointer is
# another one, and, for those who do not see that, what counts archived files was reset.
IDENTITY = """json_build_array((SELECT system_identifier FROM pg_control_system())::text,
    (extract(epoch FROM pg_postmaster_start_time()) * 1e6)::int8,
    coalesce((SELECT pid FROM activity WHERE backend_type = 'checkpointer'),
             (SELECT (extract(epoch FROM stats_reset) * 1e6)::int8 FROM pg_stat_get_archiver())),
    server.in_recovery, (extract(epoch FROM server.at) * 1e6)::int8)"""


def visit_sql(sections: Iterable[Section], before: str = "", after: str = "NULL") -> str:
    """One row with one column of text: a JSON array of the identity, `after`, and what each section answers.

    `before` are more named queries for the sections, `after` is SQL of whatever else is wanted.
    """
    parts = ", ".join([IDENTITY, after, *(f"({section.sql})" for section in sections)])
    return f"{BEFORE}{before} SELECT json_build_array({parts})::text FROM server"  # noqa: S608 - ours


class SectionReading:
    """Makes figures of what a section answers; names and labels are the same objects from visit to visit."""

    def __init__(self, section: Section) -> None:
        self.section = section
        self._known: dict[tuple[Any, ...], tuple[str, list[tuple[str, Labels, str, str]]]] = {}

    def groups(self, rows: Sequence[Sequence[Any]]) -> list[FigureGroup]:
        width = 1 + len(self.section.labels)
        known, groups = {}, []
        for row in rows:
            values = tuple(row[1:width])
            known[values] = name, series = self._known.get(values) or self._named(values)
            groups.append(
                FigureGroup(
                    name,
                    row[0] or "",
                    [
                        Figure(*one, float(value))
                        for one, value in zip(series, row[width:], strict=True)
                        if value is not None
                    ],
                )
            )
        if self.section.lasting:
            groups += self._absent(known)
        self._known = known
        return groups

    def _absent(
        self, known: dict[tuple[Any, ...], tuple[str, list[tuple[str, Labels, str, str]]]]
    ) -> list[FigureGroup]:
        groups = []
        for values, (name, series) in self._known.items():
            if values not in known and len(known) < _LASTING:
                known[values] = name, series
                groups.append(FigureGroup(name, "", [Figure(*one, 0.0) for one in series]))
        return groups

    def _named(self, values: tuple[Any, ...]) -> tuple[str, list[tuple[str, Labels, str, str]]]:
        labels = tuple(
            (name, str(value))
            for (name, _), value in zip(self.section.labels, values, strict=True)
            if value is not None
        )
        name = "\0".join([self.section.name, *(value for _, value in labels)])
        return name, [
            (measure.metric, tuple(sorted(labels + measure.labels)), measure.kind, measure.unit)
            for measure in self.section.measures
        ]

"""Tables and indexes of the connected database: the large and the busy ones each by itself, the others together."""

from __future__ import annotations

from connectors.performance.figures import Level
from connectors.performance.postgresql.sections import Measure, Section, counter

# Each of as many, by size and by activity. One that is shown stays until it is far from them: $1 holds what is.
SHOWN = 25
_STAYS = SHOWN * 3 // 2
RESET = """(SELECT extract(epoch FROM pg_stat_get_db_stat_reset_time(oid)) FROM pg_database
    WHERE datname = current_database())"""
OWN = "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
# Asking for the size of what is locked exclusively would wait for it, and hold others up that wait behind.
_UNLOCKED = """NOT EXISTS (SELECT FROM pg_locks l WHERE l.relation = r.oid AND l.mode = 'AccessExclusiveLock')"""

# Every table or index with what it is ranked by; `is_shown` decides. Functions rather than views, which join what is
# not needed and take as long as all of them for one.
_RANKED = """
{name} AS MATERIALIZED (
    SELECT r.*, oid = ANY($1::int8[]::oid[]) AND least(by_size, by_use) <= {stays} OR least(by_size, by_use) <= {shown}
           AS is_shown
    FROM (
        SELECT *, row_number() OVER (ORDER BY pages DESC, oid) AS by_size,
               row_number() OVER (ORDER BY used DESC, oid) AS by_use
        FROM (
            SELECT c.oid, c.relname, n.nspname, c.relpages AS pages, {used} AS used {columns}
            FROM {source} WHERE {condition}
        ) listed
    ) r
)
"""
_TABLES = _RANKED.format(
    name="tables",
    stays=_STAYS,
    shown=SHOWN,
    used="""pg_stat_get_tuples_returned(c.oid) + pg_stat_get_tuples_fetched(c.oid) + pg_stat_get_tuples_inserted(c.oid)
        + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid)""",
    columns="",
    source="pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace",
    condition=f"c.relkind IN ('r', 'm') AND {OWN}",
)
_INDEXES = _RANKED.format(
    name="indexes",
    stays=_STAYS,
    shown=SHOWN,
    used="pg_stat_get_numscans(c.oid)",
    columns=", t.relname AS table_name",
    source="""pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace""",
    condition=f"c.relkind = 'i' AND {OWN}",
)
# After sections.BEFORE.
BEFORE = f", {_TABLES}, {_INDEXES}"
# What is shown now, for the next visit, and to tell one set of the others from another.
SHOWN_NOW = """(SELECT coalesce(json_agg(oid::int8 ORDER BY oid), '[]') FROM (
    SELECT oid FROM tables WHERE is_shown UNION ALL SELECT oid FROM indexes WHERE is_shown) shown)"""

_OF_TABLE = (("schema", "r.nspname"), ("table", "r.relname"))
_INDEX_SCANS = "(SELECT sum(pg_stat_get_numscans(x.indexrelid)) FROM pg_index x WHERE x.indrelid = r.oid)"
_INDEX_FETCHES = "(SELECT sum(pg_stat_get_tuples_fetched(x.indexrelid)) FROM pg_index x WHERE x.indrelid = r.oid)"


def _others(name: str) -> str:
    """What tells one set of others from another, within one life of the statistics."""
    shown = f"(SELECT md5(string_agg(oid::text, ',' ORDER BY oid)) FROM {name} WHERE is_shown)"  # noqa: S608 - ours
    return f"concat_ws('/', {RESET}, {shown})"


def _age(*functions: str) -> str:
    latest = ", ".join(f"{function}(r.oid)" for function in functions)
    return f"extract(epoch FROM server.at - greatest({latest}))"


TABLES = Section(
    "table",
    Level.SLOW,
    "tables r WHERE r.is_shown",
    (
        counter("postgresql.table.scans", "pg_stat_get_numscans(r.oid)", "{scans}", (("by", "sequence"),)),
        counter("postgresql.table.scans", _INDEX_SCANS, "{scans}", (("by", "index"),)),
        counter("postgresql.table.rows.read", "pg_stat_get_tuples_returned(r.oid)", "{rows}", (("by", "sequence"),)),
        counter(
            "postgresql.table.rows.read",
            f"pg_stat_get_tuples_fetched(r.oid) + coalesce({_INDEX_FETCHES}, 0)",
            "{rows}",
            (("by", "index"),),
        ),
        counter("postgresql.table.rows.inserted", "pg_stat_get_tuples_inserted(r.oid)", "{rows}"),
        counter("postgresql.table.rows.updated", "pg_stat_get_tuples_updated(r.oid)", "{rows}"),
        counter("postgresql.table.rows.hot_updated", "pg_stat_get_tuples_hot_updated(r.oid)", "{rows}"),
        counter("postgresql.table.rows.deleted", "pg_stat_get_tuples_deleted(r.oid)", "{rows}"),
        counter(
            "postgresql.table.blocks.read",
            "pg_stat_get_blocks_fetched(r.oid) - pg_stat_get_blocks_hit(r.oid)",
            "{blocks}",
        ),
        counter("postgresql.table.blocks.hit", "pg_stat_get_blocks_hit(r.oid)", "{blocks}"),
        counter(
            "postgresql.table.vacuums",
            "pg_stat_get_vacuum_count(r.oid) + pg_stat_get_autovacuum_count(r.oid)",
            "{vacuums}",
        ),
        Measure("postgresql.table.rows.live", "pg_stat_get_live_tuples(r.oid)", "{rows}"),
        Measure("postgresql.table.rows.dead", "pg_stat_get_dead_tuples(r.oid)", "{rows}"),
        Measure("postgresql.table.rows.unanalyzed", "pg_stat_get_mod_since_analyze(r.oid)", "{rows}"),
        Measure(
            "postgresql.table.vacuum.age", _age("pg_stat_get_last_vacuum_time", "pg_stat_get_last_autovacuum_time"), "s"
        ),
        Measure(
            "postgresql.table.analyze.age",
            _age("pg_stat_get_last_analyze_time", "pg_stat_get_last_autoanalyze_time"),
            "s",
        ),
        Measure("postgresql.table.size", f"CASE WHEN {_UNLOCKED} THEN pg_total_relation_size(r.oid) END", "By"),
    ),
    labels=_OF_TABLE,
    epoch=f"concat_ws('/', r.oid, {RESET})",
)

# One that joins the others brings all it ever did.
OTHER_TABLES = Section(
    "table.other",
    Level.SLOW,
    "tables r WHERE NOT r.is_shown",
    (
        counter("postgresql.table.other.scans", "coalesce(sum(pg_stat_get_numscans(r.oid)), 0)", "{scans}"),
        counter("postgresql.table.other.rows.read", "coalesce(sum(pg_stat_get_tuples_returned(r.oid)), 0)", "{rows}"),
        counter(
            "postgresql.table.other.rows.written",
            """coalesce(sum(pg_stat_get_tuples_inserted(r.oid) + pg_stat_get_tuples_updated(r.oid)
            + pg_stat_get_tuples_deleted(r.oid)), 0)""",
            "{rows}",
        ),
        Measure("postgresql.table.other.count", "count(*)", "{tables}"),
        Measure(
            "postgresql.table.other.pages.size",
            "coalesce(sum(r.pages::int8), 0) * current_setting('block_size')::int8",
            "By",
        ),
    ),
    epoch=_others("tables"),
    grouped=True,
)

INDEXES = Section(
    "index",
    Level.SLOW,
    "indexes r WHERE r.is_shown",
    (
        counter("postgresql.index.scans", "pg_stat_get_numscans(r.oid)", "{scans}"),
        counter("postgresql.index.rows.read", "pg_stat_get_tuples_returned(r.oid)", "{rows}"),
        counter("postgresql.index.rows.fetched", "pg_stat_get_tuples_fetched(r.oid)", "{rows}"),
        counter(
            "postgresql.index.blocks.read",
            "pg_stat_get_blocks_fetched(r.oid) - pg_stat_get_blocks_hit(r.oid)",
            "{blocks}",
        ),
        counter("postgresql.index.blocks.hit", "pg_stat_get_blocks_hit(r.oid)", "{blocks}"),
        Measure("postgresql.index.size", f"CASE WHEN {_UNLOCKED} THEN pg_relation_size(r.oid) END", "By"),
    ),
    labels=(("schema", "r.nspname"), ("table", "r.table_name"), ("index", "r.relname")),
    epoch=f"concat_ws('/', r.oid, {RESET})",
)

OTHER_INDEXES = Section(
    "index.other",
    Level.SLOW,
    "indexes r WHERE NOT r.is_shown",
    (
        counter("postgresql.index.other.scans", "coalesce(sum(pg_stat_get_numscans(r.oid)), 0)", "{scans}"),
        Measure("postgresql.index.other.count", "count(*)", "{indexes}"),
        Measure(
            "postgresql.index.other.pages.size",
            "coalesce(sum(r.pages::int8), 0) * current_setting('block_size')::int8",
            "By",
        ),
    ),
    epoch=_others("indexes"),
    grouped=True,
)

SECTIONS = (TABLES, OTHER_TABLES, INDEXES, OTHER_INDEXES)

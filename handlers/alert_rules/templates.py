"""Ready-made rules for each kind of data source, over the figures that are collected of it: to be created as they are,
or changed first. Thresholds are where people usually begin to look."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from analysis.alerting.specs import Absence, Matcher, RateOfChange, Ratio, RuleSpec, Selector, Threshold
from analysis.alerting.wording import query_text
from handlers.alert_rules.rules import PATH
from handlers.alert_shapes import Severity
from handlers.registry import Context, Operation, Permission

HOUR = 3600.0


class RuleTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """What `POST /performance/alert-rules` takes, but for workspace and source. `kinds` are those of data sources."""

    id: str
    kinds: list[str]
    name: str
    severity: Severity
    spec: RuleSpec
    query: str
    why: str


class ListTemplates(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: those for data sources of this kind."""

    kind: Annotated[str, Meta(min_length=1, max_length=50, examples=["postgresql"])] | None = None


class Templates(msgspec.Struct, frozen=True, kw_only=True):
    items: list[RuleTemplate]


_POSTGRESQL = ("postgresql",)
_MYSQL = ("mysql", "mariadb")
_SQLITE = ("sqlite",)
_DATABASES = (*_POSTGRESQL, *_MYSQL, *_SQLITE)


def _template(
    name: str, kinds: tuple[str, ...], title: str, severity: Severity, query: Any, why: str, **spec: Any
) -> RuleTemplate:
    rule = RuleSpec(query=query, **spec)
    return RuleTemplate(
        id=name, kinds=list(kinds), name=title, severity=severity, spec=rule, query=query_text(query), why=why
    )


def _over(
    metric: str, op: Literal[">", ">=", "<"], threshold: float, *, resolve: float | None = None, **selector: Any
) -> Threshold:
    return Threshold(
        selector=Selector(metric=metric, **selector), op=op, threshold=threshold, resolve_threshold=resolve
    )


def _share(part: str, rest: str, op: Literal[">", "<"], threshold: float, least: float, **how: Any) -> Ratio:
    """One counter's increase over five minutes, divided by another's."""
    numerator, denominator = (
        Selector(metric=metric, function="increase", window_seconds=300, group_by=("database",))
        for metric in (part, rest)
    )
    return Ratio(numerator=numerator, denominator=denominator, op=op, threshold=threshold, min_denominator=least, **how)


TEMPLATES = (
    _template(
        "source_down",
        _DATABASES,
        "Data source down",
        Severity.CRITICAL,
        _over("up", "<", 1),
        "Two visits in a row did not reach the source.",
        for_seconds=20,
        summary="${name}: the data source cannot be reached",
    ),
    _template(
        "nothing_collected",
        _DATABASES,
        "No figures",
        Severity.HIGH,
        Absence(metric="up", window_seconds=180),
        "Nobody visits the source any more, or what is measured is not stored: other rules are blind.",
    ),
    _template(
        "postgresql_connections",
        _POSTGRESQL,
        "Connections near their maximum",
        Severity.HIGH,
        _over("postgresql.connections.used", ">", 0.85, resolve=0.75),
        "Beyond the maximum, applications are refused.",
        for_seconds=120,
    ),
    _template(
        "postgresql_replication_lag",
        _POSTGRESQL,
        "Replica behind",
        Severity.HIGH,
        _over("postgresql.replication.replay.lag", ">", 60, resolve=20),
        "What is read from the replica is old, and a failover would lose it.",
        for_seconds=120,
    ),
    _template(
        "postgresql_long_transaction",
        _POSTGRESQL,
        "Long transaction",
        Severity.MEDIUM,
        _over("postgresql.transactions.oldest", ">", HOUR),
        "Dead rows cannot be removed while it lasts.",
        for_seconds=60,
        summary="${name}: the oldest transaction has lasted for ${value} s",
    ),
    _template(
        "postgresql_idle_in_transaction",
        _POSTGRESQL,
        "Idle in a transaction",
        Severity.MEDIUM,
        _over("postgresql.transactions.oldest_idle", ">", 600),
        "It holds its locks, and does nothing.",
        for_seconds=60,
    ),
    _template(
        "postgresql_blocked_sessions",
        _POSTGRESQL,
        "Blocked sessions",
        Severity.HIGH,
        _over("postgresql.sessions.blocked", ">", 3, resolve=1),
        "Sessions wait for locks that others hold.",
        for_seconds=30,
        keep_firing_for_seconds=60,
    ),
    _template(
        "postgresql_deadlocks",
        _POSTGRESQL,
        "Deadlocks",
        Severity.MEDIUM,
        _over("postgresql.deadlocks", ">", 0, function="increase", window_seconds=600),
        "Transactions were ended because they waited for each other.",
    ),
    _template(
        "postgresql_wraparound",
        _POSTGRESQL,
        "Transaction ids run out",
        Severity.CRITICAL,
        _over("postgresql.transaction_ids.used", ">", 0.5, resolve=0.4),
        "Near the end of the transaction ids the server stops writing: something keeps VACUUM from freezing rows.",
    ),
    _template(
        "postgresql_cache_hit",
        _POSTGRESQL,
        "Blocks read from disk",
        Severity.LOW,
        _share("postgresql.blocks.read", "postgresql.blocks.hit", ">", 0.1, least=100_000, resolve_threshold=0.05),
        "For ten blocks of the shared buffers more than one is read: memory is short, or a query reads too much.",
        for_seconds=600,
    ),
    _template(
        "postgresql_slot_retains",
        _POSTGRESQL,
        "Replication slot retains WAL",
        Severity.HIGH,
        _over("postgresql.replication.slot.retained", ">", 10 * 2**30, resolve=8 * 2**30),
        "Nobody reads from the slot, and the disk fills.",
        for_seconds=300,
    ),
    _template(
        "postgresql_archiver",
        _POSTGRESQL,
        "WAL is not archived",
        Severity.HIGH,
        _over("postgresql.archiver.failed", ">", 0, function="increase", window_seconds=900),
        "Backups end where the archive does.",
    ),
    _template(
        "postgresql_growth",
        _POSTGRESQL,
        "Database grows fast",
        Severity.MEDIUM,
        RateOfChange(
            metric="postgresql.database.size", window_seconds=6 * HOUR, change="percent", op=">", threshold=20.0
        ),
        "By more than a fifth within six hours.",
    ),
    _template(
        "mysql_connections",
        _MYSQL,
        "Connections near their maximum",
        Severity.HIGH,
        Ratio(
            numerator=Selector(metric="mysql.connections.open", group_by=()),
            denominator=Selector(metric="mysql.connections.limit", group_by=()),
            op=">",
            threshold=0.85,
            resolve_threshold=0.75,
        ),
        "Beyond the maximum, applications are refused.",
        for_seconds=120,
    ),
    _template(
        "mysql_replication_lag",
        _MYSQL,
        "Replica behind",
        Severity.HIGH,
        _over("mysql.replication.lag", ">", 60, resolve=20),
        "What is read from the replica is old, and a failover would lose it.",
        for_seconds=120,
    ),
    _template(
        "mysql_replication_stopped",
        _MYSQL,
        "Replication stopped",
        Severity.CRITICAL,
        _over("mysql.replication.running", "<", 1),
        "The replica does not follow any more.",
        for_seconds=60,
    ),
    _template(
        "mysql_blocked_sessions",
        _MYSQL,
        "Blocked sessions",
        Severity.HIGH,
        _over("mysql.sessions.blocked", ">", 3, resolve=1),
        "Sessions wait for locks that others hold.",
        for_seconds=30,
        keep_firing_for_seconds=60,
    ),
    _template(
        "mysql_deadlocks",
        _MYSQL,
        "Deadlocks",
        Severity.MEDIUM,
        _over("mysql.innodb.deadlocks", ">", 0, function="increase", window_seconds=600),
        "Transactions were ended because they waited for each other.",
    ),
    _template(
        "mysql_growth",
        _MYSQL,
        "Database grows fast",
        Severity.MEDIUM,
        RateOfChange(metric="mysql.database.size", window_seconds=6 * HOUR, change="percent", op=">", threshold=20.0),
        "By more than a fifth within six hours.",
    ),
    _template(
        "sqlite_damaged",
        _SQLITE,
        "Database damaged",
        Severity.CRITICAL,
        _over("sqlite.check.ok", "<", 1, stale_after_seconds=86_400),
        "Its own check found errors: restore a backup.",
    ),
    _template(
        "slow_collection",
        _DATABASES,
        "Figures cost too much",
        Severity.LOW,
        _over(
            "collector.visit.seconds",
            ">",
            2,
            function="avg",
            window_seconds=600,
            labels=(Matcher(label="level", op="!=", value="slow"),),
        ),
        "Visits take seconds: the source is busy, or collecting less often is kinder to it.",
    ),
)


async def list_templates(context: Context, request: ListTemplates) -> Templates:  # noqa: ARG001 - as all handlers
    return Templates(items=[each for each in TEMPLATES if request.kind is None or request.kind in each.kinds])


OPERATIONS = (
    Operation(
        "alert_rules.templates",
        ListTemplates,
        Templates,
        list_templates,
        f"GET {PATH}/templates",
        Permission.SIGNED_IN,
        "List ready-made alert rules for kinds of data sources.",
    ),
)

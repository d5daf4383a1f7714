"""What MySQL and MariaDB count: which of the server's status variables are figures, and of what.

The variables are described in the manuals of both servers; one that a server does not have is no figure there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from connectors.performance.figures import COUNTER, GAUGE, Figure, Labels


class _Shown(NamedTuple):
    metric: str
    labels: Labels
    kind: str
    unit: str
    scale: float = 1.0


def _counter(metric: str, unit: str, scale: float = 1.0, **labels: str) -> _Shown:
    return _Shown(metric, tuple(sorted(labels.items())), COUNTER, unit, scale)


def _gauge(metric: str, unit: str, **labels: str) -> _Shown:
    return _Shown(metric, tuple(sorted(labels.items())), GAUGE, unit)


_COMMANDS = (
    "begin", "call_procedure", "commit", "delete", "insert", "insert_select", "load", "replace", "rollback", "select",
    "stmt_execute", "update",
)  # fmt: skip
_HANDLERS = (
    "delete",
    "read_first",
    "read_key",
    "read_next",
    "read_prev",
    "read_rnd",
    "read_rnd_next",
    "update",
    "write",
)
_MS = 1e-3

SHOWN: Mapping[str, _Shown] = {
    "questions": _counter("mysql.questions", "{statements}"),
    "slow_queries": _counter("mysql.slow_queries", "{statements}"),
    "connections": _counter("mysql.connections.attempted", "{connections}"),
    "aborted_connects": _counter("mysql.connections.aborted", "{connections}", when="connecting"),
    "aborted_clients": _counter("mysql.connections.aborted", "{connections}", when="connected"),
    "connection_errors_max_connections": _counter("mysql.connections.refused", "{connections}"),
    "bytes_received": _counter("mysql.network.io", "By", direction="received"),
    "bytes_sent": _counter("mysql.network.io", "By", direction="sent"),
    "created_tmp_tables": _counter("mysql.temporary_tables", "{tables}"),
    "created_tmp_disk_tables": _counter("mysql.temporary_tables.on_disk", "{tables}"),
    "select_full_join": _counter("mysql.joins.without_index", "{joins}"),
    "select_scan": _counter("mysql.scans", "{scans}"),
    "sort_merge_passes": _counter("mysql.sort.merge_passes", "{passes}"),
    "sort_rows": _counter("mysql.sort.rows", "{rows}"),
    "opened_tables": _counter("mysql.tables.opened", "{tables}"),
    "table_locks_waited": _counter("mysql.table_locks", "{locks}", granted="after waiting"),
    "table_locks_immediate": _counter("mysql.table_locks", "{locks}", granted="at once"),
    "innodb_buffer_pool_read_requests": _counter("mysql.innodb.buffer_pool.read_requests", "{pages}"),
    "innodb_buffer_pool_reads": _counter("mysql.innodb.buffer_pool.disk_reads", "{pages}"),
    "innodb_buffer_pool_wait_free": _counter("mysql.innodb.buffer_pool.waits", "{waits}"),
    "innodb_data_read": _counter("mysql.innodb.data.io", "By", direction="read"),
    "innodb_data_written": _counter("mysql.innodb.data.io", "By", direction="written"),
    "innodb_data_fsyncs": _counter("mysql.innodb.data.fsyncs", "{operations}"),
    "innodb_os_log_written": _counter("mysql.innodb.log.written", "By"),
    "innodb_log_waits": _counter("mysql.innodb.log.waits", "{waits}"),
    "innodb_row_lock_waits": _counter("mysql.innodb.row_lock.waits", "{waits}"),
    "innodb_row_lock_time": _counter("mysql.innodb.row_lock.time", "s", _MS),
    "innodb_deadlocks": _counter("mysql.innodb.deadlocks", "{deadlocks}"),
    "threads_connected": _gauge("mysql.connections.open", "{connections}"),
    "threads_running": _gauge("mysql.threads.running", "{threads}"),
    "threads_cached": _gauge("mysql.threads.cached", "{threads}"),
    "open_tables": _gauge("mysql.tables.open", "{tables}"),
    "innodb_row_lock_current_waits": _gauge("mysql.innodb.row_lock.waiting", "{sessions}"),
    "innodb_buffer_pool_pages_total": _gauge("mysql.innodb.buffer_pool.pages", "{pages}"),
    "innodb_buffer_pool_pages_free": _gauge("mysql.innodb.buffer_pool.pages.free", "{pages}"),
    "innodb_buffer_pool_pages_dirty": _gauge("mysql.innodb.buffer_pool.pages.dirty", "{pages}"),
    "innodb_history_list_length": _gauge("mysql.innodb.history_list.length", "{transactions}"),
    "uptime": _gauge("mysql.uptime", "s"),
    **{f"com_{each}": _counter("mysql.commands", "{statements}", command=each) for each in _COMMANDS},
    **{f"handler_{each}": _counter("mysql.handlers", "{calls}", call=each) for each in _HANDLERS},
}
# What is read beside them: when the counting began.
FLUSHED = "uptime_since_flush_status"
NAMES = (*SHOWN, FLUSHED)


def figures_of(status: Mapping[str, str]) -> Iterator[Figure]:
    """The figures among status variables, whose names are in lower case."""
    for name, text in status.items():
        shown = SHOWN.get(name)
        if shown is not None and (value := number_of(text)) is not None:
            yield Figure(shown.metric, shown.labels, shown.kind, shown.unit, value * shown.scale)


def number_of(text: object) -> float | None:
    """None for what is no number: it is not known then."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None

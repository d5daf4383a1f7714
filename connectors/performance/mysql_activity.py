"""What goes on at a MySQL or MariaDB server: sessions, transactions, who waits for whom, replication, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors import errors
from connectors.mysql_session import Session
from connectors.performance.figures import GAUGE, Blocking, Figure, Unsupported, WaitingSession
from connectors.performance.literals import without_literals

# The largest tables tell where the room goes; the rest is told together.
_TABLES = 20
_SYSTEM = "('mysql', 'information_schema', 'performance_schema', 'sys')"
_SESSIONS = "SELECT COMMAND, COUNT(*) FROM information_schema.PROCESSLIST GROUP BY COMMAND"
_TRANSACTIONS = """
SELECT COUNT(*), COALESCE(MAX(TIMESTAMPDIFF(MICROSECOND, trx_started, NOW(6))), 0) / 1e6,
  COALESCE(SUM(trx_state = 'LOCK WAIT'), 0)
FROM information_schema.INNODB_TRX
"""
_SIZES = f"""
SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0), COALESCE(TABLE_ROWS, 0)
FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN {_SYSTEM} AND TABLE_TYPE = 'BASE TABLE' ORDER BY 3 DESC, 1, 2
"""  # noqa: S608 - a constant
_WHO = """
SELECT p.ID, p.USER, p.DB, p.HOST, p.COMMAND, p.STATE, COALESCE(p.INFO, t.trx_query),
  UNIX_TIMESTAMP(t.trx_wait_started) * 1000, UNIX_TIMESTAMP(t.trx_started) * 1000,
  ROUND((UNIX_TIMESTAMP(NOW(6)) - p.TIME) * 1000)
FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
"""
_WAITS_MARIADB = """
SELECT r.trx_mysql_thread_id, b.trx_mysql_thread_id, l.lock_mode, l.lock_table
FROM information_schema.INNODB_LOCK_WAITS w
JOIN information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id
JOIN information_schema.INNODB_TRX b ON b.trx_id = w.blocking_trx_id
LEFT JOIN information_schema.INNODB_LOCKS l ON l.lock_id = w.requested_lock_id
"""
_WAITS_MYSQL = """
SELECT r.trx_mysql_thread_id, b.trx_mysql_thread_id, l.LOCK_MODE, CONCAT(l.OBJECT_SCHEMA, '.', l.OBJECT_NAME)
FROM performance_schema.data_lock_waits w
JOIN information_schema.INNODB_TRX r ON r.trx_id = w.REQUESTING_ENGINE_TRANSACTION_ID
JOIN information_schema.INNODB_TRX b ON b.trx_id = w.BLOCKING_ENGINE_TRANSACTION_ID
LEFT JOIN performance_schema.data_locks l ON l.ENGINE_LOCK_ID = w.REQUESTING_ENGINE_LOCK_ID
"""


async def sessions(session: Session, user: str) -> list[Figure] | Unsupported:
    """How many there are by what they do. Without PROCESS the server shows only the account's own."""
    if not await _sees_all(session):
        return _needs("sessions", "PROCESS", "the sessions of others", user)
    return [
        Figure("mysql.sessions", (("command", str(command).lower()),), GAUGE, "{sessions}", float(count))
        for command, count in await session.execute(_SESSIONS)
    ]


async def transactions(session: Session, user: str) -> list[Figure] | Unsupported:
    try:
        [(count, oldest, waiting)] = await session.execute(_TRANSACTIONS)
    except errors.RightsMissing:
        return _needs("transactions", "PROCESS", "open transactions", user)
    return [
        Figure("mysql.innodb.transactions", (), GAUGE, "{transactions}", float(count)),
        Figure("mysql.innodb.transactions.oldest", (), GAUGE, "s", float(oldest)),
        Figure("mysql.sessions.blocked", (), GAUGE, "{sessions}", float(waiting)),
    ]


async def replication(session: Session, user: str) -> list[Figure] | Unsupported:
    """How far behind each channel is. A lag that the server does not know is left out, not zero."""
    sql = "SHOW ALL SLAVES STATUS" if session.is_mariadb else "SHOW REPLICA STATUS"
    try:
        names, rows = await session.fetch_some(sql, None, 100)
    except errors.RightsMissing:
        right = "SLAVE MONITOR" if session.is_mariadb else "REPLICATION CLIENT"
        return _needs("replication", right, "whether the server replicates", user)
    found = []
    for row in rows:
        told = {name.lower(): value for name, value in zip(names, row, strict=True)}
        channel = ("channel", str(told.get("connection_name") or told.get("channel_name") or ""))
        for thread in ("io", "sql"):
            running = told.get(f"slave_{thread}_running", told.get(f"replica_{thread}_running"))
            labels = (channel, ("thread", thread))
            found.append(Figure("mysql.replication.running", labels, GAUGE, "1", float(running == "Yes")))
        lag = told.get("seconds_behind_master", told.get("seconds_behind_source"))
        if lag is not None:
            found.append(Figure("mysql.replication.lag", (channel,), GAUGE, "s", float(lag)))
    return found


async def sizes(session: Session) -> list[Figure]:
    """Of databases, and of the largest tables."""
    rows = await session.execute(_SIZES)
    databases: dict[str, float] = {}
    for schema, _, size, _ in rows:
        databases[schema] = databases.get(schema, 0.0) + float(size)
    found = [
        Figure("mysql.database.size", (("database", schema),), GAUGE, "By", size) for schema, size in databases.items()
    ]
    for schema, table, size, count in rows[:_TABLES]:
        labels = (("database", schema), ("table", table))
        found.append(Figure("mysql.table.size", labels, GAUGE, "By", float(size)))
        found.append(Figure("mysql.table.rows", labels, GAUGE, "{rows}", float(count)))
    other = sum(float(size) for _, _, size, _ in rows[_TABLES:])
    found.append(Figure("mysql.table.size", (("database", "other"), ("table", "other")), GAUGE, "By", other))
    return found


async def blocking(session: Session, at_ms: int) -> Blocking:
    """Who waits for a row lock of InnoDB, and for whom. Waits for metadata locks are not told by these tables."""
    try:
        waits = await session.execute(_WAITS_MARIADB if session.is_mariadb else _WAITS_MYSQL)
        who = {int(row[0]): row for row in await session.execute(_WHO)} if waits else {}
    except errors.RightsMissing:
        return Blocking(at_ms, (), (_needs("blocking", "PROCESS", "who waits for whom", "the account"),))
    blocked: dict[int, set[int]] = {}
    locks: dict[int, tuple[Any, Any]] = {}
    for waiting, holder, mode, table in waits:
        blocked.setdefault(int(waiting), set()).add(int(holder))
        blocked.setdefault(int(holder), set())
        locks[int(waiting)] = (mode, table)
    # Between the two statements a session may have ended: then it waits for nobody any more.
    gone = blocked.keys() - who.keys()
    return Blocking(
        at_ms,
        [
            _waiting(who[each], sorted(holders - gone), locks.get(each))
            for each, holders in sorted(blocked.items())
            if each not in gone
        ],
    )


def _waiting(row: Sequence[Any], blocked_by: Sequence[int], lock: tuple[Any, Any] | None) -> WaitingSession:
    number, user, database, host, command, state, statement, waits_since, began, statement_since = row
    mode, table = lock or (None, None)
    return WaitingSession(
        id=str(number),
        blocked_by=tuple(map(str, blocked_by)),
        user=user,
        database=database,
        client=host,
        state=str(command).lower(),
        wait=state or None,
        lock=mode,
        on=None if table is None else str(table).replace("`", ""),
        waiting_since_ms=_ms(waits_since),
        transaction_since_ms=_ms(began),
        statement_since_ms=_ms(statement_since),
        statement=statement,
        normalised=None if statement is None else without_literals(statement, backslashes=True),
    )


def _ms(value: Any) -> int | None:
    return None if value is None else int(float(value))


async def _sees_all(session: Session) -> bool:
    try:
        await session.execute("SELECT 1 FROM information_schema.INNODB_TRX LIMIT 1")
    except errors.RightsMissing:
        return False
    return True


def _needs(what: str, right: str, sight: str, user: str) -> Unsupported:
    return Unsupported(
        what,
        f"The account may not see {sight}: it needs {right}.",
        f"GRANT {right} ON *.* TO {user!r}@'%';" if user != "the account" else None,
    )

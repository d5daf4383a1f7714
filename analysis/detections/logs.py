"""Lines of databases' logs as events: PostgreSQL's jsonlog and csvlog, with pgaudit's records, MariaDB's server_audit.

Sources: https://www.postgresql.org/docs/current/runtime-config-logging.html, https://github.com/pgaudit/pgaudit,
https://mariadb.com/docs/server/reference/plugins/mariadb-audit-plugin
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.detections.events import Event, Kind
from analysis.detections.sql import kind_of, object_of, target_of

# The columns of csvlog up to the last that is used; PostgreSQL 13 and later have more.
_CSV = (
    "timestamp", "user", "dbname", "pid", "remote", "session_id", "line_num", "ps", "session_start", "vxid", "txid",
    "error_severity", "state_code", "message", "detail", "hint", "internal_query", "internal_position", "context",
    "statement", "cursor_position", "func_name", "application_name",
)  # fmt: skip
_STATEMENT = re.compile(r"^(?:duration: [\d.]+ ms  )?(?:statement|execute [^:]*): (?P<sql>.*)", re.DOTALL)
_LOGGED_IN = re.compile(r"^connection authorized: user=(?P<user>\S+)")
_FAILED_USER = re.compile(r'(?:for user|role) "(?P<user>[^"]+)"')
_AUTH_FAILED = frozenset({"28P01", "28000"})
_DENIED = frozenset({"42501"})
_PGAUDIT = "AUDIT: "
_SQL_ERRORS = ("42", "22P02")
_OFFSET = re.compile(r"^(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?) ?(?P<zone>\S+)?$")
_MARIADB_DENIED = frozenset({"1044", "1142", "1143", "1227"})
_MOST_TEXT = 10_000


class BadLine(ValueError):
    """The line is not of that form; the text says what it lacks."""


def postgres_json(record: Mapping[str, Any]) -> Event | None:
    """A line of jsonlog, decoded; None for what says nothing about security. Raises BadLine."""
    host = str(record.get("remote_host", ""))
    return _postgres({**record, "address": "" if host == "[local]" else host})


def postgres_csv(text: str) -> Iterator[Event | None]:
    """The lines of a csvlog; a record may be several lines. Raises BadLine."""
    for row in csv.reader(io.StringIO(text, newline=""), strict=False):
        if not row:
            continue
        if len(row) < len(_CSV):
            raise BadLine(f"a record of csvlog has {len(_CSV)} columns or more, and this one {len(row)}")
        record: dict[str, Any] = dict(zip(_CSV, row, strict=False))
        host = record["remote"].rpartition(":")[0]
        yield _postgres({**record, "address": "" if host == "[local]" else host})


def _postgres(record: Mapping[str, Any]) -> Event | None:
    for name in ("timestamp", "session_id", "line_num"):
        if not record.get(name):
            raise BadLine(f"a record of PostgreSQL's log has a {name}")
    message, code = str(record.get("message", "")), str(record.get("state_code", ""))
    user = str(record.get("user") or "")
    more: dict[str, Any] = {}
    kind: Kind
    if (login := _LOGGED_IN.match(message)) is not None:
        kind, user = "authn_login_success", login["user"]
    elif code in _AUTH_FAILED:
        named = _FAILED_USER.search(message)
        kind, user = "authn_login_fail", named["user"] if named else user
    elif code in _DENIED:
        kind, more = "authz_fail", {"object": message.rpartition(" ")[2]}
    elif message.startswith(_PGAUDIT):
        kind, more = _audited(message.removeprefix(_PGAUDIT))
    elif (found := _STATEMENT.match(message)) is not None:
        kind, more = _statement(found["sql"])
    elif code.startswith(_SQL_ERRORS):
        kind, more = "sql_error", {"statement": str(record.get("statement") or "")[:_MOST_TEXT]}
    else:
        return None
    return Event(
        id=f"{record['session_id']}:{record['line_num']}",
        at=_microseconds(str(record["timestamp"])),
        kind=kind,
        actor=user[:400],
        address=str(record["address"])[:64],
        application=str(record.get("application_name") or "")[:400],
        error=code if kind in ("sql_error", "authz_fail", "authn_login_fail") else "",
        **more,
    )


def _statement(sql: str) -> tuple[Kind, dict[str, Any]]:
    more = {"statement": sql[:_MOST_TEXT], "object": object_of(sql)[:400], "target": target_of(sql)[:400]}
    return kind_of(sql[:_MOST_TEXT]), more


def _audited(fields: str) -> tuple[Kind, dict[str, Any]]:
    """A record of pgaudit: type, statement and substatement, class, command, object type and name, statement, …"""
    row = next(csv.reader([fields.replace("\n", " ")], strict=False), [])
    if len(row) < 8:
        raise BadLine("a record of pgaudit has 8 fields or more")
    kind, more = _statement(row[7])
    if row[6]:
        more["object"] = row[6][:400]
    if row[3] == "READ" and kind == "sql_statement":
        kind = "sensitive_read"
    if row[-1].isdigit() and len(row) > 9:
        more["rows"] = int(row[-1])
    return kind, more


def mariadb_audit(lines: Iterable[str]) -> Iterator[Event | None]:
    """Lines of server_audit: time, server, user, host, connection, query, operation, database, object, code."""
    for line in lines:
        if not line.strip():
            continue
        fields = line.split(",", 8)
        if len(fields) < 9:
            raise BadLine("a line of server_audit has 10 fields")
        time, _, user, host, connection, query, operation, database = fields[:8]
        text, _, code = fields[8].rstrip("\n").rpartition(",")
        found = _mariadb(operation, text, code, database)
        if found is None:
            yield None
            continue
        kind, more = found
        # A second has many lines, and a failed connection has neither number.
        digest = hashlib.sha256(line.encode()).hexdigest()[:16]
        yield Event(
            id=f"{connection}:{query}:{digest}",
            at=_microseconds(f"{time[:4]}-{time[4:6]}-{time[6:]}"),
            kind=kind,
            actor=user[:400],
            address=host[:64],
            **more,
        )


def _mariadb(operation: str, text: str, code: str, database: str) -> tuple[Kind, dict[str, Any]] | None:
    match operation:
        case "CONNECT":
            return "authn_login_success", {}
        case "FAILED_CONNECT":
            return "authn_login_fail", {"error": code[:64]}
        case "READ":
            return "sensitive_read", {"object": f"{database}.{text}"[:400]}
        case "QUERY" | "QUERY_DDL" | "QUERY_DML" | "QUERY_DCL":
            sql = text.removeprefix("'").removesuffix("'").replace("\\'", "'")
            kind, more = _statement(sql)
            if code in _MARIADB_DENIED:
                return "authz_fail", {**more, "error": code}
            if code in ("1064", "1054", "1222"):
                return "sql_error", {**more, "error": code}
            return kind, more
        case _:
            return None


def _microseconds(text: str) -> int:
    """Times are in UTC where they name no other offset. Raises BadLine for a zone's name, which says none surely."""
    found = _OFFSET.match(text.strip())
    if found is None:
        raise BadLine(f"{text[:40]!r} is no time")
    zone = found["zone"] or "UTC"
    try:
        at = datetime.fromisoformat(found["time"] + ("+00:00" if zone in ("UTC", "GMT") else zone))
    except ValueError:
        raise BadLine(f"{text[:40]!r} is no time in UTC or with an offset; set log_timezone = 'UTC'") from None
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

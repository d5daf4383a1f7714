"""MariaDB's server_audit and MySQL's audit log in JSON as events.

Sources: https://mariadb.com/docs/server/reference/plugins/mariadb-audit-plugin,
https://dev.mysql.com/doc/refman/8.4/en/audit-log-file-formats.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from analysis.detections.events import Event, Kind
from analysis.detections.logs import BadLine, Found, microseconds, statement

# A name may hold commas, and one may be made to look like the rest of a line: each operation is held to its own form,
# which no such name can bring about, as what follows it does not fit.
_AUDIT = re.compile(
    r"^(?P<time>\d{8} \d\d:\d\d:\d\d),[^,]*,(?P<user>.*?),(?P<host>[^,]*),(?P<connection>\d+),(?P<query>\d+),(?:"
    r"(?P<connect>CONNECT|DISCONNECT|FAILED_CONNECT|CHANGEUSER),[^,]*,,(?P<status>\d+)|"
    r"QUERY\w*,[^,]*,'(?P<sql>.*)',(?P<code>\d+)|"
    r"(?P<operation>READ|WRITE|CREATE|ALTER|RENAME|DROP),(?P<database>[^,]*),(?P<table>.*),)$"
)
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "0": "\0"}
# What the optimiser looks up for every statement.
_STATISTICS = re.compile(r"^(?:table|column|index)_stats$")
_DENIED = frozenset({"1044", "1142", "1143", "1227"})
_SQL_ERRORS = frozenset({"1064", "1054", "1222"})


def read_server_audit(text: str) -> Iterator[Found]:
    """Lines of server_audit: time, server, user, host, connection, query, operation, database, object, code."""
    for line in text.split("\n"):
        if line.strip():
            yield _server_audit(line.rstrip("\r"))


def _server_audit(line: str) -> Found:
    found = _AUDIT.match(line)
    if found is None:
        return BadLine("it is no line of server_audit, which has 10 fields")
    told = _server_audit_told(found)
    if told is None:
        return None
    kind, more = told
    time = found["time"]
    try:
        at = microseconds(f"{time[:4]}-{time[4:6]}-{time[6:]}")
    except BadLine as error:
        return error
    # A second has many lines, and a failed connection has no number of a query.
    digest = hashlib.sha256(line.encode()).hexdigest()[:16]
    return Event(
        id=f"{found['connection'][:40]}:{found['query'][:40]}:{digest}",
        at=at,
        kind=kind,
        actor=found["user"][:400],
        address=found["host"][:64],
        **more,
    )


def _server_audit_told(found: re.Match[str]) -> tuple[Kind, dict[str, Any]] | None:
    match found["connect"]:
        case "CONNECT":
            return "authn_login_success", {}
        case "FAILED_CONNECT":
            return "authn_login_fail", {"error": found["status"][:64]}
    if found["sql"] is not None:
        return _statement(_ESCAPED.sub(lambda each: _ESCAPES.get(each[1], each[1]), found["sql"]), found["code"])
    if found["operation"] == "READ" and not (found["database"] == "mysql" and _STATISTICS.match(found["table"])):
        return "sensitive_read", {"object": f"{found['database']}.{found['table']}"[:400]}
    return None


def _statement(sql: str, code: str) -> tuple[Kind, dict[str, Any]]:
    kind, more = statement(sql)
    if code in _DENIED:
        return "authz_fail", {**more, "error": code}
    if code in _SQL_ERRORS:
        return "sql_error", {**more, "error": code}
    return kind, more


def read_mysql_json(record: Mapping[str, Any]) -> Event | None:
    """A record of MySQL's audit log, decoded; None for what says nothing about security. Raises BadLine."""
    for name in ("timestamp", "class", "event"):
        if not record.get(name):
            raise BadLine(f"a record of MySQL's audit log has a {name}")
    told = _mysql_told(record)
    if told is None:
        return None
    kind, more = told
    account, login = _part(record, "account"), _part(record, "login")
    connection = record.get("connection_id", 0)
    return Event(
        id=f"{connection}:{record['timestamp']}:{record.get('id', 0)}:{record['class']}"[:200],
        at=microseconds(str(record["timestamp"])),
        kind=kind,
        # Of one who was refused there may be no account, only the name that was tried.
        actor=str(account.get("user") or login.get("user") or "")[:400],
        address=str(login.get("ip") or account.get("host") or "")[:64],
        **more,
    )


def _mysql_told(record: Mapping[str, Any]) -> tuple[Kind, dict[str, Any]] | None:
    match record["class"], record["event"]:
        case "connection", "connect":
            data = _part(record, "connection_data")
            if data.get("status"):
                return "authn_login_fail", {"error": str(data["status"])[:64]}
            attributes = _part(data, "connection_attributes")
            return "authn_login_success", {"application": str(attributes.get("program_name") or "")[:400]}
        case "general", "status":
            data = _part(record, "general_data")
            return _statement(str(data["query"]), str(data.get("status", 0))) if data.get("query") else None
        case "table_access", "read":
            data = _part(record, "table_access_data")
            return "sensitive_read", {"object": f"{data.get('db', '')}.{data.get('table', '')}"[:400]}
        case "audit", "shutdown":
            return "sys_monitor_disabled", {"object": "the audit log"}
        case _:
            return None


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}

"""PostgreSQL's csvlog and jsonlog as events, with pgaudit's records.

Messages are told by their English words: `lc_messages` has to be 'C' or English. Sources:
https://www.postgresql.org/docs/current/runtime-config-logging.html, https://github.com/pgaudit/pgaudit
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.detections.events import Event, Kind
from analysis.detections.logs import BadLine, Found, microseconds, statement

# The columns of csvlog up to the last that is used; versions 13 and 14 have brought more.
_CSV = (
    "timestamp", "user", "dbname", "pid", "remote", "session_id", "line_num", "ps", "session_start", "vxid", "txid",
    "error_severity", "state_code", "message", "detail", "hint", "internal_query", "internal_position", "context",
    "statement", "cursor_position", "func_name", "application_name",
)  # fmt: skip
_MOST_COLUMNS = 30
# A statement may be of a gigabyte; the library's own limit is 128 KiB, and it has one for all of the process.
csv.field_size_limit(2**30)
_STATEMENT = re.compile(r"^(?:duration: [\d.]+ ms  )?(?:statement|execute [^:]*): (?P<sql>.*)", re.DOTALL)
_LOGGED_IN = re.compile(
    r"^(?:replication )?connection authorized: user=(?P<user>.*?)(?: database=.*?)?"
    r"(?: application_name=(?P<application>.*?))?(?: SSL enabled \(.*| GSS \(.*)?$",
    re.DOTALL,
)
_FAILED_USER = re.compile(r'(?:for user|role) "(?P<user>[^"]+)"')
_DENIED_OBJECT = re.compile(r"^(?:permission denied for|must be owner of) [a-z ]+ (?P<object>\S+)$")
_SETTING = re.compile(
    r'^parameter "(?P<name>[^"]+)" (?:changed to "(?P<value>.*)"|removed from configuration file, reset to default)$',
    re.DOTALL,
)
_AUTH_FAILED = frozenset({"28P01", "28000"})
_DENIED = frozenset({"42501"})
_PGAUDIT = "AUDIT: "
_SQL_ERRORS = ("42", "22P02")


def read_json(record: Mapping[str, Any]) -> Event | None:
    """A line of jsonlog, decoded; None for what says nothing about security. Raises BadLine."""
    host = str(record.get("remote_host", ""))
    return _event({**record, "address": "" if host == "[local]" else host})


def read_csv(text: str) -> Iterator[Found]:
    """The records of a csvlog; one may be several lines. What cannot be read costs no more than its first line."""
    lines = io.StringIO(text, newline="\n").readlines()
    at = 0
    while at < len(lines):
        rows = csv.reader(lines[at:], strict=True)
        read = 0
        try:
            for row in rows:
                if row:
                    yield _row(row)
                read = rows.line_num
        except (BadLine, csv.Error) as error:
            yield error if isinstance(error, BadLine) else BadLine(f"it is no record of csvlog: {error}")
            read += 1
        at += read


def without_refused(found: Sequence[Found]) -> list[Found]:
    """Under `trust` and the like, PostgreSQL says "authorized" of a role, and then that there is none, or that it may
    not sign in: who was refused in the same session was not let in."""
    refused = {_session(each) for each in found if isinstance(each, Event) and each.kind == "authn_login_fail"}
    return [None if _is_let_in(each) and _session(each) in refused else each for each in found]


def _is_let_in(found: Found) -> bool:
    return isinstance(found, Event) and found.kind == "authn_login_success"


def _session(found: Found) -> str:
    return found.id.rpartition(":")[0] if isinstance(found, Event) else ""


def _row(row: list[str]) -> Event | None:
    if not len(_CSV) <= len(row) <= _MOST_COLUMNS:
        raise BadLine(f"a record of csvlog has {len(_CSV)} columns or a few more, and this one {len(row)}")
    record: dict[str, Any] = dict(zip(_CSV, row, strict=False))
    host = record["remote"].rpartition(":")[0]
    return _event({**record, "address": "" if host == "[local]" else host})


def _event(record: Mapping[str, Any]) -> Event | None:
    for name in ("timestamp", "session_id", "line_num"):
        if not record.get(name):
            raise BadLine(f"a record of PostgreSQL's log has a {name}")
    found = _told(record, str(record.get("message", "")), str(record.get("state_code", "")))
    if found is None:
        return None
    kind, more = found
    return Event(
        id=f"{record['session_id']}:{record['line_num']}"[:200],
        at=microseconds(str(record["timestamp"])),
        kind=kind,
        address=str(record["address"])[:64],
        **{
            "actor": str(record.get("user") or "")[:400],
            "application": str(record.get("application_name") or "")[:400],
            **more,
        },
    )


def _told(record: Mapping[str, Any], message: str, code: str) -> tuple[Kind, dict[str, Any]] | None:
    """What the message says, and the fields of an event that it fills."""
    if (login := _LOGGED_IN.match(message)) is not None:
        # The column of the application is still empty then.
        more = {"application": login["application"][:400]} if login["application"] else {}
        return "authn_login_success", more if record.get("user") else {**more, "actor": login["user"][:400]}
    if code in _AUTH_FAILED:
        named = None if record.get("user") else _FAILED_USER.search(message)
        return "authn_login_fail", {"error": code} | ({"actor": named["user"][:400]} if named else {})
    if code in _DENIED:
        named = _DENIED_OBJECT.match(message)
        return "authz_fail", {"error": code, "object": named["object"][:400] if named else ""}
    if message.startswith(_PGAUDIT):
        return _audited(message.removeprefix(_PGAUDIT))
    if (said := _STATEMENT.match(message)) is not None:
        return statement(said["sql"])
    if code.startswith(_SQL_ERRORS):
        _, more = statement(str(record.get("statement") or ""))
        return "sql_error", {"error": code, "statement": more["statement"]}
    if (setting := _SETTING.match(message)) is not None:
        # Somebody changed the file: who, PostgreSQL does not know.
        text = f"ALTER SYSTEM SET {setting['name']} = '{setting['value']}'"
        kind, more = statement(text if setting["value"] is not None else f"ALTER SYSTEM RESET {setting['name']}")
        return (kind, more) if kind == "sys_monitor_disabled" else None
    return None


def _audited(fields: str) -> tuple[Kind, dict[str, Any]]:
    """A record of pgaudit: type, statement and substatement, class, command, object type and name, statement, …"""
    try:
        row = next(csv.reader(io.StringIO(fields, newline=""), strict=False), [])
    except csv.Error as error:
        raise BadLine(f"it is no record of pgaudit: {error}") from None
    if len(row) < 8:
        raise BadLine("a record of pgaudit has 8 fields or more")
    kind, more = statement(row[7])
    if row[6]:
        more["object"] = row[6][:400]
    if row[3] == "READ" and kind == "sql_statement":
        kind = "sensitive_read"
    if row[-1].isdecimal() and len(row) > 9 and row[3] == "READ":
        more["rows"] = min(int(row[-1][:16]), 2**53)
    return kind, more

"""Records of logs that no server of the tests writes: pgaudit's as recorded, and MySQL's as documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.detections.events import Event
from analysis.detections.logs import BadLine
from analysis.detections.mysql_logs import read_mysql_json
from analysis.detections.postgres_log import read_csv, read_json

# Of PostgreSQL 15.18 with pgaudit 1.7.0, where `pgaudit.log = all`, `log_rows`, `log_relation` and `log_parameter` are
# on and `log_catalog` is off.
PGAUDIT = Path(__file__).with_name("pgaudit.csv")


def test_pgaudits_records() -> None:
    events = [each for each in read_csv(PGAUDIT.read_text()) if each is not None]
    assert all(isinstance(each, Event) for each in events)
    told = [
        (each.kind, each.object, each.rows, each.statement.split("\n")[0])
        for each in events
        if isinstance(each, Event) and each.kind not in ("sql_statement", "sql_error")
    ]
    assert told == [
        ("sensitive_read", "public.cards", 1234, "SELECT * FROM cards"),
        ("sensitive_read", "public.cards", 0, "SELECT *"),
        ("sensitive_read", "public.other", 0, "SELECT *"),
        ("sensitive_read", "cards", 0, "COPY cards TO STDOUT"),
        ("sensitive_read", "public.cards", 1234, "COPY (SELECT * FROM cards) TO PROGRAM 'cat >/dev/null'"),
        ("sensitive_read", "cards", 0, "COPY (SELECT * FROM cards) TO PROGRAM 'cat >/dev/null'"),
        ("privilege_permissions_changed", "", 0, "GRANT pg_read_all_data TO ann"),
        ("privilege_permissions_changed", "", 0, "ALTER ROLE ann SUPERUSER PASSWORD <REDACTED>"),
        # In a block of PL/pgSQL, of which PostgreSQL's own log does not tell.
        ("sensitive_delete", "public.other", 0, "drop table other"),
        ("sensitive_delete", "cards", 0, "TRUNCATE cards"),
        ("sensitive_delete", "public.cards", 0, "DELETE FROM cards"),
        ("sensitive_delete", "public.cards", 0, "DROP TABLE cards"),
        ("sensitive_read", "", 1, "SELECT $1::text, 3"),
    ]


def postgres(message: str, **more: Any) -> Event | None:
    record = {"timestamp": "2026-03-01 09:00:00.123 UTC", "session_id": "a.b", "line_num": 1, "message": message}
    return read_json({**record, "error_severity": "LOG", **more})


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('parameter "log_connections" changed to "off"', "sys_monitor_disabled"),
        ('parameter "log_statement" removed from configuration file, reset to default', "sys_monitor_disabled"),
        ('parameter "work_mem" changed to "64MB"', None),
        ("duration: 12.3 ms  statement: TRUNCATE t", "sensitive_delete"),
        ("execute S_1/C_2: DROP TABLE t", "sensitive_delete"),
        ("replication connection authorized: user=eve application_name=pg_basebackup SSL enabled (protocol=TLSv1.3)",
         "authn_login_success"),
        ('AUDIT: SESSION,1,1,DDL,DROP TABLE,,,"-- a comment\nDROP TABLE t",<none>', "sensitive_delete"),
        ("checkpoint starting: time", None),
    ],
)  # fmt: skip
def test_messages_of_postgresql(message: str, kind: str | None) -> None:
    event = postgres(message)
    assert (event.kind if event else None) == kind


def test_times_without_a_sure_zone_are_refused() -> None:
    with pytest.raises(BadLine, match="log_timezone"):
        postgres("statement: SELECT 1", timestamp="2026-03-01 09:00:00.123 CEST")
    event = postgres("statement: SELECT 1", timestamp="2026-03-01 09:00:00.123 +05:30")
    assert event is not None
    assert event.at == 1_772_335_800_123_000


def mysql(kind: str, event: str, **more: Any) -> Event | None:
    record = {
        "timestamp": "2026-03-01 09:00:00", "id": 3, "class": kind, "event": event, "connection_id": 12,
        "account": {"user": "ann", "host": "localhost"},
        "login": {"user": "ann", "os": "", "ip": "203.0.113.9", "proxy": ""},
    }  # fmt: skip
    return read_mysql_json({**record, **more})


def test_mysqls_audit_log_as_it_is_documented() -> None:
    data: dict[str, Any] = {"connection_type": "ssl", "status": 0, "db": "shop"}
    data["connection_attributes"] = {"program_name": "mysql"}
    let_in = mysql("connection", "connect", connection_data=data)
    assert let_in is not None
    assert (let_in.kind, let_in.actor, let_in.address) == ("authn_login_success", "ann", "203.0.113.9")
    assert let_in.application == "mysql"
    refused = mysql("connection", "connect", account={}, connection_data={"status": 1045})
    assert refused is not None
    assert (refused.kind, refused.actor, refused.error) == ("authn_login_fail", "ann", "1045")

    def general(query: str, status: int) -> Event | None:
        said = {"command": "Query", "sql_command": "select", "query": query, "status": status}
        return mysql("general", "status", general_data=said)

    found = [general("DROP TABLE t", 0), general("SELECT * FROM t", 1142), general("SELEC", 1064)]
    assert [each.kind for each in found if each] == ["sensitive_delete", "authz_fail", "sql_error"]
    read = mysql("table_access", "read", table_access_data={"db": "shop", "table": "cards", "query": "SELECT 1"})
    assert read is not None
    assert (read.kind, read.object) == ("sensitive_read", "shop.cards")
    assert mysql("connection", "disconnect") is None
    with pytest.raises(BadLine, match="timestamp"):
        mysql("general", "status", timestamp="")

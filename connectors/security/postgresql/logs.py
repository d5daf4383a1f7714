"""Checks of what the server writes into its log, and what it must not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.security.check import (
    Applies,
    AuditedObject,
    Category,
    Check,
    References,
    Row,
    Severity,
    Violation,
    remedy,
)
from connectors.security.postgresql.settings import ALL_SETTINGS, BLIND, sees_setting, setting_check
from connectors.security.postgresql.statements import own_host, since

_QUIET = frozenset({"log", "fatal", "panic"})
_PREFIX = (("%m", "%t", "%n"), ("%u",), ("%d",), ("%h", "%r"), ("%p",))
# Since version 18 a list; these together are what `on` was.
_OF_CONNECTIONS = frozenset({"receipt", "authentication", "authorization"})
_OFF = frozenset({"", "off", "false", "no", "0"})


def _check(
    number: int,
    severity: Severity,
    title: str,
    name: str,
    is_bad: Callable[[str], bool],
    rationale: str,
    wanted: str,
    *,
    cwe: int = 778,
    applies: Applies = lambda _: None,
    is_at_restart: bool = False,
) -> Check:
    return setting_check(
        f"PG-LOG-{number:03}",
        title,
        severity,
        Category.AUDITING_LOGGING,
        name,
        is_bad,
        rationale,
        wanted,
        applies=applies,
        is_at_restart=is_at_restart,
        references=References(cis="3 Logging", cwe=(cwe,)),
    )


def _hides_connections(value: str) -> bool:
    words = {word.strip().lower() for word in value.split(",")}
    if words & {"on", "all", "true", "yes", "1"}:
        return False
    return words <= _OFF or not words >= _OF_CONNECTIONS


def _is_incomplete(prefix: str) -> bool:
    return not all(any(escape in prefix for escape in escapes) for escapes in _PREFIX)


def _setting(rows: Sequence[Row], name: str) -> str | None:
    return next((row["setting"] or "" for row in rows if row["name"] == name), None)


def _audits(rows: Sequence[Row]) -> bool:
    """Whether pgaudit is loaded and told to write something, by classes or by a role's objects."""
    if "pgaudit" not in (_setting(rows, "shared_preload_libraries") or ""):
        return False
    return (_setting(rows, "pgaudit.log") or "none") != "none" or bool(_setting(rows, "pgaudit.role"))


def _logs_no_definitions(rows: Sequence[Row]) -> list[Violation]:
    if _setting(rows, "log_statement") != "none" or _audits(rows):
        return []
    return [Violation(AuditedObject("setting", "log_statement"), {"value": "none"}, "log_statement")]


def _does_not_audit(rows: Sequence[Row]) -> list[Violation]:
    if _audits(rows):
        return []
    evidence = {"loaded": _setting(rows, "shared_preload_libraries"), "pgaudit.log": _setting(rows, "pgaudit.log")}
    return [Violation(AuditedObject("setting", "pgaudit.log"), evidence)]


CHECKS = (
    _check(
        1,
        Severity.MEDIUM,
        "Connections are not logged",
        "log_connections",
        _hides_connections,
        "Who tried to sign in, from where and with what success, is not known afterwards.",
        "on",
    ),
    _check(
        2,
        Severity.LOW,
        "The end of connections is not logged",
        "log_disconnections",
        lambda value: value == "off",
        "How long somebody was there is not known afterwards.",
        "on",
    ),
    Check(
        id="PG-LOG-003",
        title="Changes of definitions are not logged",
        severity=Severity.MEDIUM,
        category=Category.AUDITING_LOGGING,
        rationale="Who dropped a table or granted a right is not known afterwards.",
        statement=ALL_SETTINGS,
        judge=_logs_no_definitions,
        remediation=remedy(
            "Log statements that change definitions, or have pgaudit write them.",
            "ALTER SYSTEM SET log_statement = 'ddl';\nSELECT pg_reload_conf();",
        ),
        probe=sees_setting("log_statement"),
        blind=BLIND.format(name="log_statement"),
        references=References(cis="3 Logging", cwe=(778,)),
    ),
    _check(
        4,
        Severity.LOW,
        "Warnings are not logged",
        "log_min_messages",
        # Since version 19 it may be a list with levels of single kinds of processes; the level of all others counts.
        lambda value: value.split(",")[-1].strip() in {"error", *_QUIET},
        "The log leaves out what would warn.",
        "warning",
    ),
    _check(
        5,
        Severity.LOW,
        "Statements that fail are not logged",
        "log_min_error_statement",
        lambda value: value in _QUIET,
        "Attempts to get at what is refused show in statements that fail.",
        "error",
    ),
    _check(
        6,
        Severity.LOW,
        "Lines of the log do not say who",
        "log_line_prefix",
        _is_incomplete,
        "Time, process, user, database and address are needed to make sense of a line.",
        "%m [%p] %q%u@%d %h ",
    ),
    _check(
        7,
        Severity.LOW,
        "Errors are logged without detail",
        "log_error_verbosity",
        lambda value: value == "terse",
        "Details and context of errors are left out.",
        "default",
    ),
    _check(
        8,
        Severity.LOW,
        "Commands of replication are not logged",
        "log_replication_commands",
        lambda value: value == "off",
        "A copy of everything may be drawn without a line in the log.",
        "on",
    ),
    _check(
        9,
        Severity.MEDIUM,
        "Others on the machine can read the log",
        "log_file_mode",
        lambda value: int(value, 8) & 0o027 != 0,
        "Logs hold statements, and so values.",
        "0600",
        cwe=732,
        applies=own_host,
    ),
    _check(
        10,
        Severity.LOW,
        "Parse trees are written into the log",
        "debug_print_parse",
        lambda value: value == "on",
        "For those who work on the server; it floods the log and holds values.",
        "off",
        cwe=532,
    ),
    _check(
        11,
        Severity.LOW,
        "The server does not keep its log",
        "logging_collector",
        lambda value: value == "off",
        "Lines get lost unless something else collects them. Accept it where syslog, journald or a container does.",
        "on",
        applies=own_host,
        is_at_restart=True,
    ),
    _check(
        12,
        Severity.MEDIUM,
        "Values of failing statements are logged",
        "log_parameter_max_length_on_error",
        lambda value: int(value) != 0,
        "The log holds what was meant for tables only.",
        "0",
        cwe=532,
        applies=since(130000),
    ),
    _check(
        13,
        Severity.MEDIUM,
        "Every statement is logged with its values",
        "log_min_duration_statement",
        lambda value: value == "0",
        "The log holds what was meant for tables only, and grows as fast as the load.",
        "1s",
        cwe=532,
    ),
    Check(
        id="PG-LOG-014",
        title="Access is not audited",
        severity=Severity.MEDIUM,
        category=Category.AUDITING_LOGGING,
        rationale="Without pgaudit nobody knows afterwards who read which table.",
        statement=ALL_SETTINGS,
        judge=_does_not_audit,
        remediation=remedy(
            "Load pgaudit by shared_preload_libraries; role and ddl by pgaudit.log, tables that matter by pgaudit.role."
        ),
        probe=sees_setting("shared_preload_libraries"),
        blind=BLIND.format(name="shared_preload_libraries"),
        references=References(cis="3 Logging", cwe=(778,)),
    ),
)

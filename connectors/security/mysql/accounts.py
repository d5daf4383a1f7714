"""Checks of who may sign in, from where, and with what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.security.check import (
    AuditedObject,
    Category,
    Check,
    Judge,
    References,
    Row,
    Severity,
    Value,
    Violation,
    remedy,
)
from connectors.security.mysql.statements import ACCOUNTS

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
# What a password is checked with; the empty name is the server's default of old accounts.
_PASSWORD_PLUGINS = ("", "mysql_native_password", "mysql_old_password", "caching_sha2_password", "sha256_password",
                     "ed25519", "parsec")  # fmt: skip
# Unsalted SHA-1 and weaker; sha256_password is left behind by its makers for caching_sha2_password.
_WEAK_PLUGINS = ("mysql_native_password", "mysql_old_password", "sha256_password")


def account_of(row: Row) -> AuditedObject:
    kind = "role" if row.get("is_role") else "account"
    return AuditedObject(kind, str(row["user"]), part=None if row.get("is_role") else str(row["host"]))


def accounts_that(is_bad: Callable[[Row], bool], *evidence: str) -> Judge:
    """Violations of accounts that could sign in: no roles, none that are locked."""

    def judge(rows: Sequence[Row]) -> list[Violation]:
        return [
            Violation(account_of(row), {name: _value(row[name]) for name in evidence}, str(row["quoted"]))
            for row in rows
            if not row["is_role"] and not row["is_locked"] and is_bad(row)
        ]

    return judge


def _value(value: object) -> Value:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _is_anonymous(row: Row) -> bool:
    return bool(row["user"] == "")


def _has_no_password(row: Row) -> bool:
    return row["user"] != "" and row["plugin"] in _PASSWORD_PLUGINS and bool(row["is_empty"])


def _is_remote_root(row: Row) -> bool:
    return row["user"] == "root" and row["host"] not in LOCAL_HOSTS


def _is_from_everywhere(row: Row) -> bool:
    return row["user"] != "" and row["host"] in ("%", "", "0.0.0.0/0.0.0.0")


def _is_weakly_checked(row: Row) -> bool:
    return row["plugin"] in _WEAK_PLUGINS and not row["is_unusable"]


def _may_send_in_clear(row: Row) -> bool:
    return row["host"] not in LOCAL_HOSTS and row["ssl_type"] == "" and not row["only_encrypted"]


def _check(
    check_id: str,
    title: str,
    severity: Severity,
    judge: Judge,
    rationale: str,
    advice: tuple[str, str],
    cwe: tuple[int, ...],
    category: Category = Category.AUTHENTICATION_AUTHORIZATION,
) -> Check:
    return Check(
        check_id, title, severity, category, rationale, ACCOUNTS, judge, remedy(*advice), references=References(cwe=cwe)
    )


CHECKS = (
    _check(
        "MY-ACC-001",
        "Anonymous account",
        Severity.CRITICAL,
        accounts_that(_is_anonymous, "host"),
        "Whoever reaches the server can sign in without a name, and is taken for this account.",
        ("Drop the anonymous account.", "DROP USER {target};"),
        (287,),
    ),
    _check(
        "MY-ACC-002",
        "Account without a password",
        Severity.CRITICAL,
        accounts_that(_has_no_password, "host", "plugin"),
        "Knowing the name is enough to sign in.",
        (
            "Set a password, or lock the account if nobody uses it.",
            "ALTER USER {target} ACCOUNT LOCK; -- or: ALTER USER {target} IDENTIFIED BY '<a new password>';",
        ),
        (258, 521),
    ),
    _check(
        "MY-ACC-003",
        "root can sign in from other machines",
        Severity.HIGH,
        accounts_that(_is_remote_root, "host"),
        "The best known name with all rights can be tried from the network.",
        ("Drop root at hosts other than the server's own; let administrators have accounts of their own.",
         "DROP USER {target};"),
        (284,),
    ),
    _check(
        "MY-ACC-004",
        "Account can sign in from any host",
        Severity.MEDIUM,
        accounts_that(_is_from_everywhere, "host"),
        "A password that leaked works from everywhere.",
        ("Name the hosts or the network that the account is used from.",
         "RENAME USER {target} TO '<user>'@'<host or network>';"),
        (284,),
    ),
    _check(
        "MY-ACC-011",
        "Passwords checked by a weak method",
        Severity.MEDIUM,
        accounts_that(_is_weakly_checked, "host", "plugin"),
        "Hashes of these methods are quick to try passwords against, and are not salted (or worse).",
        ("Use ed25519 (MariaDB) or caching_sha2_password (MySQL), and set the password anew.",
         "ALTER USER {target} IDENTIFIED VIA ed25519 USING PASSWORD('<a new password>'); "
         "-- MySQL: IDENTIFIED WITH caching_sha2_password BY '<a new password>'"),
        (916, 328),
    ),
    _check(
        "MY-ACC-012",
        "Account may sign in without encryption",
        Severity.MEDIUM,
        accounts_that(_may_send_in_clear, "host", "ssl_type"),
        "Its statements, and all that they answer, can be read on the way.",
        ("Require TLS of the account, or of everybody with require_secure_transport.",
         "ALTER USER {target} REQUIRE SSL;"),
        (319,),
        Category.DATA_PROTECTION,
    ),
)  # fmt: skip

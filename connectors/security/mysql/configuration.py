"""Checks of settings of the server."""

from __future__ import annotations

from connectors.security.check import Category, Severity
from connectors.security.mysql.servers import before_mysql
from connectors.security.mysql.settings import is_value, setting_check

_OLD_TLS = frozenset({"tlsv1", "tlsv1.0", "tlsv1.1"})
_ALL_ADDRESSES = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104 - what is looked for


def _allows_old_tls(value: str) -> bool:
    return any(part.strip().lower() in _OLD_TLS for part in value.split(","))


def _is_on_all_addresses(value: str) -> bool:
    return any(part.strip() in _ALL_ADDRESSES for part in value.split(","))


CHECKS = (
    setting_check(
        "MY-CFG-001",
        "Clients may be asked for their files",
        Severity.HIGH,
        Category.SURFACE_AREA,
        {"local_infile": is_value("ON", "1")},
        "LOAD DATA LOCAL has a client send a file that the server, or who plays it, names.",
        "Turn local_infile off.",
        "SET GLOBAL local_infile = OFF;",
        (73, 200),
    ),
    setting_check(
        "MY-CFG-002",
        "Statements may read and write files anywhere",
        Severity.HIGH,
        Category.SURFACE_AREA,
        {"secure_file_priv": lambda value: value == ""},
        "With FILE, a statement reads and writes every file that the server's account may.",
        "Set secure_file_priv to a folder made for it and restart the server.",
        None,
        (73,),
    ),
    setting_check(
        "MY-CFG-003",
        "Passwords of the oldest kind are taken",
        Severity.CRITICAL,
        Category.AUTHENTICATION_AUTHORIZATION,
        {"secure_auth": is_value("OFF", "0"), "old_passwords": lambda value: value.upper() not in ("OFF", "0")},
        "Hashes from before MySQL 4.1 are broken in moments.",
        "Turn secure_auth on and old_passwords off, and set passwords of the old kind anew.",
        "SET GLOBAL secure_auth = ON; SET GLOBAL old_passwords = OFF;",
        (328, 916),
        applies=before_mysql(80003, "MySQL 8 no longer knows passwords of that kind"),
    ),
    setting_check(
        "MY-CFG-004",
        "The server cannot encrypt connections",
        Severity.HIGH,
        Category.DATA_PROTECTION,
        # Servers that no longer have the first have a certificate, or do not encrypt.
        {"have_ssl": lambda value: value.upper() != "YES", "ssl_cert": lambda value: value == ""},
        "Passwords and rows can be read on the way.",
        "Give the server a certificate: ssl_cert, ssl_key, ssl_ca. Restart it.",
        None,
        (319,),
    ),
    setting_check(
        "MY-CFG-005",
        "Connections without encryption are taken",
        Severity.MEDIUM,
        Category.DATA_PROTECTION,
        {"require_secure_transport": is_value("OFF", "0")},
        "One client that is set up carelessly sends its password and data in clear.",
        "Turn require_secure_transport on once all clients encrypt.",
        "SET GLOBAL require_secure_transport = ON;",
        (319,),
    ),
    setting_check(
        "MY-CFG-006",
        "Old versions of TLS are taken",
        Severity.HIGH,
        Category.DATA_PROTECTION,
        {"tls_version": _allows_old_tls},
        "TLS 1.0 and 1.1 have known weaknesses and are given up by their makers (RFC 8996).",
        "Set tls_version to TLSv1.2,TLSv1.3 and restart the server.",
        None,
        (326, 327),
    ),
    setting_check(
        "MY-CFG-007",
        "The server listens on all addresses",
        Severity.MEDIUM,
        Category.SURFACE_AREA,
        {"bind_address": _is_on_all_addresses},
        "It can be reached over networks that it was not meant for.",
        "Set bind_address to the addresses that clients use and restart the server.",
        None,
        (1327,),
    ),
    setting_check(
        "MY-CFG-008",
        "Hosts are told apart by their names",
        Severity.LOW,
        Category.SURFACE_AREA,
        {"skip_name_resolve": is_value("OFF", "0")},
        "Who answers for the reverse names of addresses decides which accounts they are taken for.",
        "Turn skip_name_resolve on and restart the server. Accounts at host names need addresses first.",
        None,
        (350,),
    ),
    setting_check(
        "MY-CFG-009",
        "Refused sign-ins are not logged",
        Severity.MEDIUM,
        Category.AUDITING_LOGGING,
        {"log_warnings": lambda value: int(value) < 2, "log_error_verbosity": lambda value: int(value) < 2},
        "Nobody notices that passwords are being tried.",
        "Set log_warnings (MariaDB) or log_error_verbosity (MySQL) to 2 or more.",
        "SET GLOBAL {target} = 2;",
        (778,),
    ),
    setting_check(
        "MY-CFG-011",
        "Every statement is written to the general log",
        Severity.MEDIUM,
        Category.AUDITING_LOGGING,
        {"general_log": is_value("ON", "1")},
        "The log holds the values of all statements in clear, and slows the server.",
        "Turn general_log off; use an audit plugin to know who did what.",
        "SET GLOBAL general_log = OFF;",
        (532,),
    ),
    setting_check(
        "MY-CFG-012",
        "Changes are not written to a binary log",
        Severity.MEDIUM,
        Category.AUDITING_LOGGING,
        {"log_bin": is_value("OFF", "0")},
        "What changed since the last backup can neither be restored nor looked up.",
        "Turn log_bin on and restart the server.",
        None,
        (778,),
    ),
    setting_check(
        "MY-CFG-013",
        "Values that do not fit are changed in silence",
        Severity.LOW,
        Category.SCHEMA_HYGIENE,
        {"sql_mode": lambda value: "STRICT_" not in value.upper() and "TRADITIONAL" not in value.upper()},
        "Texts are cut off and numbers bent to fit, without an error.",
        "Add STRICT_TRANS_TABLES to sql_mode.",
        "SET GLOBAL sql_mode = CONCAT(@@GLOBAL.sql_mode, ',STRICT_TRANS_TABLES');",
        (20,),
    ),
    setting_check(
        "MY-CFG-014",
        "The event scheduler runs",
        Severity.MEDIUM,
        Category.SURFACE_AREA,
        {"event_scheduler": is_value("ON", "1")},
        "Who may make an event leaves code behind that runs later without them. MySQL 8 runs it unless told not to.",
        "Turn event_scheduler off unless events are used.",
        "SET GLOBAL event_scheduler = OFF;",
        (1188,),
    ),
    setting_check(
        "MY-CFG-015",
        "New tables are not encrypted at rest",
        Severity.LOW,
        Category.DATA_PROTECTION,
        {"innodb_encrypt_tables": is_value("OFF", "0"), "default_table_encryption": is_value("OFF", "0")},
        "Whoever gets the disk or a copy of its files reads the data. Where the disk is encrypted, accept this.",
        "Load a key management plugin or component, and turn the setting on.",
        "SET GLOBAL {target} = ON;",
        (311,),
    ),
    setting_check(
        "MY-CFG-016",
        "Functions are trusted not to break replication",
        Severity.LOW,
        Category.SURFACE_AREA,
        {"log_bin_trust_function_creators": is_value("ON", "1")},
        "Whoever may make functions has replicas carry out more than was meant, without further rights.",
        "Turn log_bin_trust_function_creators off.",
        "SET GLOBAL log_bin_trust_function_creators = OFF;",
        (269,),
    ),
)

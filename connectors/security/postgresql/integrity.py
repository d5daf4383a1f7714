"""Checks of data itself: whether it is kept whole, can be got back, and whether names tell of secrets lying open."""

from __future__ import annotations

from connectors.security.check import Category, Check, References, Scope, Severity, every_row, remedy
from connectors.security.postgresql.settings import setting_check
from connectors.security.postgresql.statements import not_of_extension, not_of_system, own_host

_ABOUT = Category.DATA_PROTECTION
_OWN = f"{not_of_system('n')} AND {not_of_extension('c', 'pg_class')}"
_COLUMN = (
    "'column' AS kind, n.nspname AS schema, c.relname AS name, a.attname AS part,"
    " format('%I.%I', n.nspname, c.relname) AS target"
)
_COLUMNS = "pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
_SENSITIVE = (
    "(passw|secret|api_?key|private_?key|(^|_)token|(^|_)ssn($|_)|social_?security|(^|_)iban($|_)|card_?num|cvv"
    "|passport|national_?id|tax_?id)"
)

_FAILURES = """
SELECT 'database' AS kind, coalesce(datname, 'shared objects') AS name, checksum_failures AS failures,
       checksum_last_failure AS last_failure
  FROM pg_stat_database WHERE checksum_failures > 0 ORDER BY 2
"""
_SEES_FAILURES = "SELECT current_setting('data_checksums') = 'on'"
_ARCHIVING = """
SELECT 'server' AS kind, 'archiving' AS name, current_setting('archive_mode') AS archive_mode,
       failed_count, last_failed_time, last_archived_time
  FROM pg_stat_archiver
 WHERE current_setting('archive_mode') = 'off' OR last_failed_time > coalesce(last_archived_time, '-infinity')
"""
_OPEN_COLUMNS = f"""
SELECT DISTINCT {_COLUMN}
  FROM {_COLUMNS} CROSS JOIN LATERAL (SELECT * FROM aclexplode(c.relacl) UNION ALL SELECT * FROM aclexplode(a.attacl)) x
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
   AND x.grantee = 0 AND x.privilege_type = 'SELECT' AND a.attname ~* '{_SENSITIVE}' AND {_OWN} ORDER BY 2, 3, 4
"""  # noqa: S608
_PLAIN_PASSWORDS = f"""
SELECT {_COLUMN}, format_type(a.atttypid, a.atttypmod) AS type
  FROM {_COLUMNS}
 WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
   AND a.attname ~* '^(user_?)?(password|passwd|pwd|passphrase)$'
   AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AND {_OWN} ORDER BY 2, 3, 4
"""  # noqa: S608
# A standby has no position of its own to write at.
_SLOTS = """
SELECT 'replication slot' AS kind, slot_name AS name, quote_literal(slot_name) AS target,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                       restart_lsn)::bigint AS retained_bytes
  FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL ORDER BY 2
"""

CHECKS = (
    setting_check(
        "PG-DATA-001",
        "Damage of pages is not noticed",
        Severity.MEDIUM,
        _ABOUT,
        "data_checksums",
        lambda value: value == "off",
        "Without checksums what a disk returns is taken as it is, and copied into backups.",
        "on",
        advice="Stop the server and run pg_checksums --enable.",
        has_sql=False,
        applies=own_host,
        references=References(cis="6 PostgreSQL settings", cwe=(353,)),
    ),
    Check(
        id="PG-DATA-002",
        title="Pages were found damaged",
        severity=Severity.CRITICAL,
        category=_ABOUT,
        rationale="The disk or its controller returned other bytes than were written; there may be more of it.",
        statement=_FAILURES,
        judge=every_row,
        remediation=remedy("Restore from a backup from before, and replace the disk."),
        probe=_SEES_FAILURES,
        blind="data checksums are off: the server cannot notice damage",
        references=References(cis="6 PostgreSQL settings", cwe=(354,)),
    ),
    Check(
        id="PG-DATA-003",
        title="The log of changes is not archived",
        severity=Severity.HIGH,
        category=_ABOUT,
        rationale="After a loss only the state of the last backup comes back, not that of a moment.",
        statement=_ARCHIVING,
        judge=every_row,
        remediation=remedy(
            "Set archive_mode and archive_command (or archive_library), and look into the log for failures."
        ),
        applies=own_host,
        references=References(cis="7 Replication", cwe=(693,)),
    ),
    Check(
        id="PG-DATA-004",
        title="Everybody may read a column whose name tells of secrets",
        severity=Severity.HIGH,
        category=_ABOUT,
        rationale="Names tell of passwords, keys or numbers of people; every login of this database may read them.",
        statement=_OPEN_COLUMNS,
        judge=every_row,
        remediation=remedy(
            "Revoke the right from PUBLIC; grant single columns where some are needed.",
            "REVOKE SELECT ON {target} FROM PUBLIC;",
        ),
        scope=Scope.DATABASE,
        references=References(cis="4 User access and authorization", cwe=(200, 732)),
    ),
    Check(
        id="PG-DATA-005",
        title="A column seems to hold passwords as they are",
        severity=Severity.MEDIUM,
        category=_ABOUT,
        rationale="Its name says password, not hash. Values were not looked at: accept it where they are hashes.",
        statement=_PLAIN_PASSWORDS,
        judge=every_row,
        remediation=remedy("Store what argon2, scrypt or bcrypt makes of a password, and name the column for it."),
        scope=Scope.DATABASE,
        references=References(cwe=(256,)),
    ),
    Check(
        id="PG-DATA-006",
        title="A replication slot that nobody reads holds back the log of changes",
        severity=Severity.MEDIUM,
        category=_ABOUT,
        rationale="What it holds back grows until the disk is full and the server stops.",
        statement=_SLOTS,
        judge=every_row,
        remediation=remedy(
            "Drop it where its reader is gone; bound all by max_slot_wal_keep_size.",
            "SELECT pg_drop_replication_slot({target});",
        ),
        references=References(cis="7 Replication", cwe=(400,)),
    ),
)

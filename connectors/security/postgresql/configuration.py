"""Checks of changes to the configuration that are not in force."""

from __future__ import annotations

from connectors.security.check import Category, Check, References, Severity, every_row, remedy

_ABOUT = Category.UPDATES_PATCHES
_PENDING = """
SELECT 'setting' AS kind, name, name AS target FROM pg_settings WHERE pending_restart ORDER BY 2
"""
_SEES_ALL_SETTINGS = "SELECT pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')"
_ERRORS = """
SELECT DISTINCT 'setting' AS kind, coalesce(name, 'syntax') AS name, error
  FROM pg_file_settings WHERE error IS NOT NULL AND error <> 'setting could not be applied' ORDER BY 2, 3
"""
_SEES_ERRORS = """
SELECT has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
   AND has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE')
"""

CHECKS = (
    Check(
        id="PG-VER-002",
        title="Settings wait for a restart",
        severity=Severity.LOW,
        category=_ABOUT,
        rationale="The files say one thing and the server does another.",
        statement=_PENDING,
        judge=every_row,
        remediation=remedy("Restart the server."),
        probe=_SEES_ALL_SETTINGS,
        blind="this login does not see all settings; membership in pg_monitor lets it",
        partly_visible=True,
        references=References(cis="6 PostgreSQL settings", cwe=(16,)),
    ),
    Check(
        id="PG-VER-003",
        title="Configuration files have errors",
        severity=Severity.LOW,
        category=_ABOUT,
        rationale="With an error none of the changes in the files is taken over, and the server may not start again.",
        statement=_ERRORS,
        judge=every_row,
        remediation=remedy("Correct the line; then SELECT pg_reload_conf();"),
        probe=_SEES_ERRORS,
        blind="this login may not read pg_file_settings; the grant script lets it",
        references=References(cis="6 PostgreSQL settings", cwe=(16,)),
    ),
)

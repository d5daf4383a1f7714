"""Checks of what a database offers beyond tables: languages, extensions, what PUBLIC reads, triggers, templates."""

from __future__ import annotations

from connectors.security.check import Category, Scope, Severity
from connectors.security.postgresql.statements import not_of_extension, not_of_system
from connectors.security.postgresql.surface_check import surface_check

_OWN_TABLE = f"{not_of_system('n')} AND {not_of_extension('c', 'pg_class')}"


def _public_reads(relkind: str, kind: str) -> str:
    return f"""
SELECT '{kind}' AS kind, n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS target
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) x
 WHERE c.relkind = '{relkind}' AND x.grantee = 0 AND x.privilege_type = 'SELECT' AND {_OWN_TABLE} ORDER BY 2, 3
"""  # noqa: S608


_LANGUAGES = """
SELECT 'language' AS kind, lanname AS name, quote_ident(lanname) AS target
  FROM pg_language WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c') ORDER BY 2
"""
_EXTENSIONS = """
SELECT 'extension' AS kind, extname AS name, quote_ident(extname) AS target, extversion AS version
  FROM pg_extension
 WHERE extname IN ('dblink', 'postgres_fdw', 'mysql_fdw', 'oracle_fdw', 'tds_fdw', 'file_fdw', 'adminpack', 'lo',
                   'pg_cron', 'http', 'pg_net', 'pageinspect', 'pg_surgery', 'pg_walinspect') ORDER BY 2
"""
_IN_PUBLIC = """
SELECT 'extension' AS kind, e.extname AS name, quote_ident(e.extname) AS target
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE n.nspname = 'public' ORDER BY 2
"""
_OLD_EXTENSIONS = """
SELECT 'extension' AS kind, name, quote_ident(name) AS target, installed_version AS installed,
       default_version AS available
  FROM pg_available_extensions WHERE installed_version <> default_version ORDER BY 2
"""
_TRIGGERS = f"""
SELECT 'trigger' AS kind, n.nspname AS schema, c.relname AS name, t.tgname AS part,
       format('TABLE %I.%I ENABLE TRIGGER %I', n.nspname, c.relname, t.tgname) AS target
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT t.tgisinternal AND t.tgenabled = 'D' AND {_OWN_TABLE}
UNION ALL
SELECT 'event trigger', NULL, evtname, NULL, format('EVENT TRIGGER %I ENABLE', evtname)
  FROM pg_event_trigger WHERE evtenabled = 'D' ORDER BY 2, 3, 4
"""  # noqa: S608
_DEVELOPER_SETTINGS = """
SELECT 'setting' AS kind, name, name AS target, setting AS value FROM pg_settings
 WHERE (name IN ('allow_system_table_mods', 'ignore_system_indexes', 'zero_damaged_pages', 'ignore_checksum_failure')
        AND setting = 'on')
    OR (name IN ('fsync', 'full_page_writes', 'row_security') AND setting = 'off')
    OR (name = 'session_replication_role' AND setting <> 'origin') ORDER BY 2
"""
_SEES_DEVELOPER_SETTINGS = """
SELECT count(*) = 8 FROM pg_settings
 WHERE name IN ('allow_system_table_mods', 'ignore_system_indexes', 'zero_damaged_pages', 'ignore_checksum_failure',
                'fsync', 'full_page_writes', 'row_security', 'session_replication_role')
"""
_TEMPLATES = """
SELECT 'database' AS kind, datname AS name, quote_ident(datname) AS target
  FROM pg_database WHERE datistemplate AND datallowconn AND datname <> 'template1' ORDER BY 2
"""

CHECKS = (
    surface_check(
        1,
        Severity.HIGH,
        "A language without bounds is installed",
        "Functions in it do whatever the server's account may do on the machine.",
        _LANGUAGES,
        ("Drop the language's extension, after its functions.", "DROP EXTENSION {target};"),
        250,
    ),
    surface_check(
        2,
        Severity.MEDIUM,
        "An extension reaches outside, or below tables",
        "It connects to other servers, reads files, runs jobs or reads pages past all rights. Accept what is needed.",
        _EXTENSIONS,
        ("Drop it where nothing uses it.", "DROP EXTENSION {target};"),
        1125,
    ),
    surface_check(
        3,
        Severity.LOW,
        "An extension's objects lie in the schema public",
        "They are found before others' and mixed with the application's.",
        _IN_PUBLIC,
        ("Move it to a schema of its own.", "ALTER EXTENSION {target} SET SCHEMA <schema>;"),
        427,
    ),
    surface_check(
        4,
        Severity.MEDIUM,
        "An extension is older than what is installed for it",
        "The files were upgraded and the objects in the database were not: corrections of them are missing.",
        _OLD_EXTENSIONS,
        ("Upgrade it.", "ALTER EXTENSION {target} UPDATE;"),
        1104,
        category=Category.UPDATES_PATCHES,
    ),
    surface_check(
        7,
        Severity.MEDIUM,
        "Everybody may read a foreign table",
        "What the other server lets the mapped account read, everybody here reads.",
        _public_reads("f", "foreign table"),
        ("Revoke the right from PUBLIC.", "REVOKE SELECT ON {target} FROM PUBLIC;"),
        732,
    ),
    surface_check(
        10,
        Severity.MEDIUM,
        "A trigger is disabled",
        "What it kept, checked or recorded is not any more.",
        _TRIGGERS,
        ("Enable it, or drop it.", "ALTER {target};"),
        693,
    ),
    surface_check(
        11,
        Severity.HIGH,
        "Settings for those who work on the server are on",
        "They let data be lost, or checks be passed by.",
        _DEVELOPER_SETTINGS,
        ("Reset it; some need a restart.", "ALTER SYSTEM RESET {target};\nSELECT pg_reload_conf();"),
        489,
        scope=Scope.SERVER,
        probe=_SEES_DEVELOPER_SETTINGS,
        blind="this login may not read all of these settings; membership in pg_monitor lets it",
        partly_visible=True,
    ),
    surface_check(
        12,
        Severity.LOW,
        "Everybody may read a materialized view",
        "It holds rows of its tables past their rights and policies.",
        _public_reads("m", "materialized view"),
        ("Revoke the right from PUBLIC.", "REVOKE SELECT ON {target} FROM PUBLIC;"),
        732,
    ),
    surface_check(
        13,
        Severity.MEDIUM,
        "A template can be connected to",
        "What is put into it is in every database made from it.",
        _TEMPLATES,
        ("Close it.", "ALTER DATABASE {target} ALLOW_CONNECTIONS false;"),
        284,
        scope=Scope.SERVER,
    ),
)

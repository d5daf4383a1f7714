"""What a login needs so that an audit sees as much as can be seen without being superuser."""

from __future__ import annotations


def grant_script(login: str, database: str | None = None) -> str:
    """Statements for an administrator. They let `login` read settings, statistics and rules; no table of anybody's.

    `database` is named where the statements have to be run in it; grants on views of the server count per database.
    """
    role = '"' + login.replace('"', '""') + '"'
    where = f"in the database {database}" if database is not None else "in each database that is audited"
    return (
        f"-- As superuser, {where}:\n"
        "-- settings and sessions of others, not the rows of any table\n"
        f"GRANT pg_monitor TO {role};\n"
        "-- who may sign in from where\n"
        f"GRANT SELECT ON pg_catalog.pg_hba_file_rules TO {role};\n"
        f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO {role};\n"
        "-- errors in the configuration files\n"
        f"GRANT SELECT ON pg_catalog.pg_file_settings TO {role};\n"
        f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {role};\n"
    )

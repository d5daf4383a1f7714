"""What a login needs to see the evidence of every check, and no row of anybody's data."""

from __future__ import annotations

_TABLES = ("user", "db", "tables_priv", "func")
# The source knows the user alone, and rights are given to one account of that name.
_WHICH_ACCOUNT = (
    "-- Of an account that is not of every host (%), put its host instead: SELECT user, host FROM mysql.user;",
)
_OF_MARIADB = ("global_priv", "proc", "event")


def grant_script(login: str, database: str | None = None) -> str:  # noqa: ARG001 - the grants are of the server
    """Statements for an administrator. `login` is a user's name, or `name@host`; without a host, that of any (`%`).

    One script for both: each server executes what it knows (`/*M! */` MariaDB, `/*!80000 */` MySQL). None is empty on
    either of them, as that would be an error.
    """
    name, _, host = login.rpartition("@") if "@" in login else (login, "", "%")
    account = f"{_quoted(name)}@{_quoted(host)}"
    lines = [
        "-- As an administrator. SELECT on these tables shows accounts, their rights and password hashes; audits read",
        "-- no hash. SHOW VIEW shows which tables and views there are, and none of their rows.",
        *([] if "@" in login else _WHICH_ACCOUNT),
        *(f"GRANT SELECT ON mysql.{table} TO {account};" for table in _TABLES),
        *(f"GRANT SELECT ON /*M! mysql.{table} */ /*!80000 mysql.component */ TO {account};" for table in _OF_MARIADB),
        f"GRANT SHOW VIEW /*!80000 , SHOW_ROUTINE */ ON *.* TO {account};",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"

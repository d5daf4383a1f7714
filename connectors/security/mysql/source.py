"""Everything an audit needs of MySQL and MariaDB: its checks, its session, its grants."""

from __future__ import annotations

from connectors.security.mysql import accounts, configuration, objects, passwords, privileges
from connectors.security.mysql.grants import grant_script
from connectors.security.mysql.session import open_session

__all__ = ["CATALOGUE", "grant_script", "open_session"]

CATALOGUE = tuple(
    sorted(
        (*accounts.CHECKS, *privileges.CHECKS, *passwords.CHECKS, *configuration.CHECKS, *objects.CHECKS),
        key=lambda check: check.id,
    )
)

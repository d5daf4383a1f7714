"""Everything an audit needs of PostgreSQL: its checks, its session, its grants."""

from __future__ import annotations

from connectors.security.postgresql import (
    configuration,
    federation,
    host_rules,
    integrity,
    logs,
    passwords,
    privileges,
    roles,
    row_security,
    surface,
    transport,
)
from connectors.security.postgresql.grants import grant_script
from connectors.security.postgresql.session import open_session

__all__ = ["CATALOGUE", "grant_script", "open_session"]

CATALOGUE = (
    *roles.CHECKS,
    *passwords.CHECKS,
    *host_rules.CHECKS,
    *transport.CHECKS,
    *logs.CHECKS,
    *privileges.CHECKS,
    *row_security.CHECKS,
    *surface.CHECKS,
    *federation.CHECKS,
    *integrity.CHECKS,
    *configuration.CHECKS,
)

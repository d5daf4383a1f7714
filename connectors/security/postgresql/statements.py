"""What the statements of several checks have in common."""

from __future__ import annotations

from connectors.security.check import Applies, Server


def not_of_system(namespace: str) -> str:
    """A condition that leaves out the server's own schemas; `namespace` is the alias of pg_namespace."""
    return (
        f"{namespace}.nspname NOT IN ('pg_catalog', 'information_schema') AND {namespace}.nspname !~ '^pg_(toast|temp)'"
    )


def not_of_extension(alias: str, catalog: str) -> str:
    """A condition that leaves out what an extension brought: its author decides, not the database's owner."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass AND e.objid = {alias}.oid"
        " AND e.deptype = 'e')"
    )


def since(version_num: int) -> Applies:
    """Applies to servers from a version on."""

    def reason(server: Server) -> str | None:
        if server.version_num >= version_num:
            return None
        return f"PostgreSQL {server.version_text} has no such thing; it came with version {version_num // 10_000}"

    return reason


def own_host(server: Server) -> str | None:
    """Applies where the owner of the server has its host and files too."""
    if server.flavour is None:
        return None
    return f"the provider ({server.flavour}) manages the host of this server and its files"

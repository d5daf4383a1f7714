"""What the statements of several checks have in common."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.security.check import Applies, Server

# What providers call the first superuser, whom nobody but a superuser can rename. Any other role may be given any name,
# and must not make checks look away by it.
PROVIDERS = {"rdsadmin": "rds", "cloudsqladmin": "cloudsql", "azuresu": "azure"}
_PROVIDED = (
    *("rdsadmin", "rds_superuser", "rds_replication", "rds_iam", "rds_password", "rds_ad", "rdsrepladmin"),
    *("cloudsqladmin", "cloudsqlsuperuser", "cloudsqlreplica", "cloudsqlagent", "cloudsqlimportexport"),
    *("azuresu", "azure_superuser", "azure_pg_admin"),
)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def not_given(alias: str) -> str:
    """A condition that leaves out roles that came with the server or with its provider; `alias` is that of pg_roles."""
    provider = f"SELECT FROM pg_roles b WHERE b.oid = 10 AND b.rolname IN ({_listed(PROVIDERS)})"
    return f"NOT ({alias}.rolname ~ '^pg_' OR {alias}.rolname IN ({_listed(_PROVIDED)}) AND EXISTS ({provider}))"


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

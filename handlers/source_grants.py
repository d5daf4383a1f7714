"""Who may do what with a data source: here by the roles of its workspace, there by what the source itself grants."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from connectors.connector import Connector
from connectors.datasets import Kind
from connectors.errors import ConnectorError, Unreachable
from connectors.paths import resolve
from handlers.access import Role, allows
from handlers.names import RowId
from handlers.registry import Context, Forbidden, Operation, OperationError, Permission
from handlers.source_access import answering_for_source, require_source, use_source
from storage import members
from storage.data_sources import DataSource

_AT_ONCE = 500
_ROWS = 1000
_POSTGRESQL_ROLES = """
SELECT r.rolname, r.rolcanlogin, r.rolsuper,
  array_to_string(ARRAY[CASE WHEN r.rolcreatedb THEN 'create databases' END,
    CASE WHEN r.rolcreaterole THEN 'create roles' END, CASE WHEN r.rolreplication THEN 'replication' END,
    CASE WHEN r.rolbypassrls THEN 'bypass row security' END], ','),
  (SELECT string_agg(g.rolname, ',' ORDER BY g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
   WHERE m.member = r.oid)
FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1
"""
_POSTGRESQL_GRANTS = """
SELECT coalesce(a.grantee::regrole::text, 'PUBLIC'), n.nspname || '.' || c.relname,
  string_agg(DISTINCT a.privilege_type, ',' ORDER BY a.privilege_type)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY 1, 2 ORDER BY 1, 2
"""
_POSTGRESQL_DEFAULTS = """
SELECT coalesce(a.grantee::regrole::text, 'PUBLIC'),
  'new ' || CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
    WHEN 'T' THEN 'types' ELSE 'schemas' END || ' of ' || d.defaclrole::regrole::text
    || coalesce(' in ' || n.nspname, ''),
  string_agg(DISTINCT a.privilege_type, ',' ORDER BY a.privilege_type)
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL aclexplode(d.defaclacl) a GROUP BY 1, 2 ORDER BY 1, 2
"""
# Put together here: the server would cut a list of privileges off after a kilobyte, and say nothing.
_MYSQL_GRANTS = """
SELECT grantee, '*.*' AS place, privilege_type FROM information_schema.user_privileges
UNION ALL SELECT grantee, concat(table_schema, '.*'), privilege_type FROM information_schema.schema_privileges
UNION ALL SELECT grantee, concat(table_schema, '.', table_name), privilege_type
FROM information_schema.table_privileges
UNION ALL SELECT grantee, concat(table_schema, '.', table_name, ' (', column_name, ')'), privilege_type
FROM information_schema.column_privileges
ORDER BY 1, 2, 3
"""
_MYSQL_PRIVILEGES = 40 * _ROWS
_MYSQL_ACCOUNT = "SELECT current_user()"
# Of the account itself, those that it is given through others included.
_MYSQL_ROLES = "SELECT DISTINCT role_name FROM information_schema.applicable_roles ORDER BY 1"


class OurGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A member of the workspace: `reads` sees the source and what is known of it, `manages` changes it."""

    user_id: str
    role: Role
    reads: bool
    manages: bool


class SourceRole(msgspec.Struct, frozen=True, kw_only=True):
    """A role of the source's own; of MySQL and MariaDB the account that reads, which sees no others."""

    name: str
    login: bool
    superuser: bool
    may: list[str]
    member_of: list[str]


class SourceGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What the source itself lets somebody do: `on` a table, a column of one, a schema, or what is made later."""

    grantee: str
    on: str
    privileges: list[str]


class FileOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose the file or folder is, and its mode, as in `-rw-r-----`."""

    path: str
    owner: str
    group: str
    mode: str
    world_readable: bool
    world_writable: bool


class AccessControl(msgspec.Struct, frozen=True, kw_only=True):
    """`error` says why the source could not be asked; `truncated`, that it has more grants than are shown."""

    workspace_id: str
    members: list[OurGrant]
    roles: list[SourceRole]
    grants: list[SourceGrant]
    default_grants: list[SourceGrant]
    file: FileOwner | None
    truncated: bool
    error: str | None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    roles: list[SourceRole] = []
    grants: list[SourceGrant] = []
    default_grants: list[SourceGrant] = []
    file: FileOwner | None = None
    truncated: bool = False
    error: str | None = None


class GetAccessControl(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId


async def get_access_control(context: Context, request: GetAccessControl) -> AccessControl:
    source = await require_source(context, request.source_id, Permission.MANAGE)
    ours = await members_of(context, source.workspace_id)
    asked = await ask_source(context, source)
    return AccessControl(
        workspace_id=source.workspace_id,
        members=ours,
        roles=asked.roles,
        grants=asked.grants,
        default_grants=asked.default_grants,
        file=asked.file,
        truncated=asked.truncated,
        error=asked.error,
    )


async def members_of(context: Context, workspace_id: str) -> list[OurGrant]:
    """All members of the workspace, by their ids."""
    found: list[OurGrant] = []
    after = None
    async with context.parts.database.read() as connection:
        while rows := await members.list_of(connection, workspace_id, after=after, limit=_AT_ONCE):
            for row in rows:
                role = Role(row.role)
                reads, manages = allows(role, Permission.READ), allows(role, Permission.MANAGE)
                found.append(OurGrant(user_id=row.user_id, role=role, reads=reads, manages=manages))
            after = rows[-1].user_id
    return found


async def ask_source(context: Context, source: DataSource) -> Asked:
    """What the source itself grants, by questions that only read; `error` says why it could not be asked."""
    try:
        if "path" in source.settings:
            with answering_for_source():
                path = Path(source.settings["path"])
                return Asked(file=await asyncio.to_thread(_owner, path, context.parts.sources.roots))
        async with use_source(context, source.id) as connector:
            return await (_of_mysql if source.kind == Kind.MYSQL else _of_postgresql)(connector)
    except OperationError as error:
        return Asked(error=error.message)


async def _of_postgresql(connector: Connector) -> Asked:
    roles = await connector.query(_POSTGRESQL_ROLES, max_rows=_ROWS)
    grants = await connector.query(_POSTGRESQL_GRANTS, max_rows=_ROWS)
    defaults = await connector.query(_POSTGRESQL_DEFAULTS, max_rows=_ROWS)
    return Asked(
        roles=[
            SourceRole(name=name, login=login, superuser=superuser, may=_words(may), member_of=_words(groups))
            for name, login, superuser, may, groups in roles.rows
        ],
        grants=[_grant(*row) for row in grants.rows],
        default_grants=[_grant(*row) for row in defaults.rows],
        truncated=roles.truncated or grants.truncated or defaults.truncated,
    )


async def _of_mysql(connector: Connector) -> Asked:
    """What the account may see of others' privileges; most accounts see their own. Its roles are told by name only."""
    asked = await connector.query(_MYSQL_GRANTS, max_rows=_MYSQL_PRIVILEGES)
    privileges: dict[tuple[str, str], list[str]] = {}
    for grantee, on, privilege in asked.rows:
        privileges.setdefault((grantee, on), []).append(privilege)
    grants = [SourceGrant(grantee=who, on=on, privileges=held) for (who, on), held in privileges.items()]
    return Asked(
        roles=[await _account_of_mysql(connector, privileges)],
        grants=grants[:_ROWS],
        truncated=asked.truncated or len(grants) > _ROWS,
    )


async def _account_of_mysql(connector: Connector, privileges: Mapping[tuple[str, str], list[str]]) -> SourceRole:
    [[account]] = (await connector.query(_MYSQL_ACCOUNT, max_rows=1)).rows
    try:
        roles = [name for (name,) in (await connector.query(_MYSQL_ROLES, max_rows=_ROWS)).rows]
    except Unreachable:
        raise
    except ConnectorError:
        roles = []  # a server from before there were roles
    user, _, host = account.rpartition("@")
    grantee = f"'{user}'@'{host}'"
    superuser = "SUPER" in privileges.get((grantee, "*.*"), ())
    return SourceRole(name=grantee, login=True, superuser=superuser, may=[], member_of=roles)


def _grant(grantee: str, on: str, privileges: str) -> SourceGrant:
    return SourceGrant(grantee=grantee, on=on, privileges=_words(privileges))


def _words(text: str | None) -> list[str]:
    return [word for word in (text or "").split(",") if word]


def _owner(path: Path, roots: tuple[Path, ...] | None) -> FileOwner:
    """Of the file itself where the path is a link. Raises ConnectorError."""
    path = resolve(path, roots)
    status = path.stat()
    return FileOwner(
        path=str(path),
        owner=_name(path.owner, status.st_uid),
        group=_name(path.group, status.st_gid),
        mode=stat.filemode(status.st_mode),
        world_readable=bool(status.st_mode & stat.S_IROTH),
        world_writable=bool(status.st_mode & stat.S_IWOTH),
    )


def _name(named: object, number: int) -> str:
    try:
        return str(named())  # type: ignore[operator]
    except KeyError:
        return str(number)


OPERATIONS = (
    Operation(
        "data_sources.access_control",
        GetAccessControl,
        AccessControl,
        get_access_control,
        "GET /data-sources/{source_id}/access-control",
        Permission.SIGNED_IN,
        "Tell who may do what with a data source, here and by the source itself.",
        errors=(Forbidden,),
    ),
)

"""Who can read the columns of a source: by the source's own grants, and here by our roles and access policies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from analysis.access_policies.deciding import Viewer, concerns, view_of
from analysis.access_policies.policies import Policy
from connectors.connector import Connector
from connectors.datasets import Kind
from handlers.registry import Context, OperationError
from handlers.security.sensitive_columns import SensitiveDataset
from handlers.source_access import use_source
from handlers.source_grants import Asked, OurGrant, SourceGrant, ask_source
from storage.data_sources import DataSource

Column = tuple[str, str, str]
"""Schema, dataset and column."""

EVERYBODY = "PUBLIC"
_AT_ONCE = 300
_SEPARATOR = "\x1f"
# Of logins and groups, privileges as they come to, those of groups and of owners included: the server's own functions
# say it.
_READERS = """
SELECT w.s, w.t, w.c,
  has_schema_privilege('public', n.oid, 'USAGE') AND has_column_privilege('public', c.oid, a.attnum, 'SELECT'),
  (SELECT string_agg(r.rolname, chr(31) ORDER BY r.rolname) FROM pg_roles r WHERE r.rolname !~ '^pg_'
     AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT'))
FROM (VALUES {wanted}) w(s, t, c)
JOIN pg_namespace n ON n.nspname = w.s
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.t
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.c AND NOT a.attisdropped
"""
_ROLES_OF_MYSQL = "who has a role that may read, as grants to roles are not followed"
_ONLY_OWN = "what others are granted, as the account may not read the database `mysql`"


class SourceAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it could be seen who reads a source by its own grants.

    `partly`: those that are named can read, and there may be others; `reason` says what was not seen.
    """

    state: Literal["evaluated", "partly", "not_evaluated"]
    reason: str | None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Members of the workspace who see the column's values here as they are, masked, or not at all."""

    sees: Literal["values", "masked", "nothing"]
    user_ids: list[str]


@dataclass(frozen=True, slots=True)
class Readers:
    """`by_column` has no entry for a column of which it is not known who reads it."""

    access: SourceAccess
    by_column: dict[Column, list[str]] = field(default_factory=dict)


async def source_readers(context: Context, source: DataSource, columns: Sequence[Column]) -> Readers:
    """Who can read these columns of the source with a connection of their own. Asks the source."""
    if source.kind == Kind.METRICS:
        return Readers(_not_evaluated("Samples are pushed to this source; it holds nothing that others connect to."))
    if source.kind == Kind.POSTGRESQL:
        try:
            async with use_source(context, source.id) as connector:
                return Readers(_EVALUATED, await _of_postgresql(connector, columns))
        except OperationError as error:
            return Readers(_not_evaluated(error.message))
    asked = await ask_source(context, source)
    if asked.error is not None:
        return Readers(_not_evaluated(asked.error))
    return of_mysql(asked, columns) if source.kind == Kind.MYSQL else of_file(asked, columns)


_EVALUATED = SourceAccess(state="evaluated", reason=None)


def _not_evaluated(reason: str) -> SourceAccess:
    return SourceAccess(state="not_evaluated", reason=reason)


async def _of_postgresql(connector: Connector, columns: Sequence[Column]) -> dict[Column, list[str]]:
    found: dict[Column, list[str]] = {}
    for start in range(0, len(columns), _AT_ONCE):
        wanted = ", ".join(f"({', '.join(map(_text, column))})" for column in columns[start : start + _AT_ONCE])
        answer = await connector.query(_READERS.replace("{wanted}", wanted), max_rows=_AT_ONCE)
        for schema, table, column, everybody, names in answer.rows:
            readers = names.split(_SEPARATOR) if names else []
            found[schema, table, column] = [EVERYBODY, *readers] if everybody else readers
    return found


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def of_mysql(asked: Asked, columns: Iterable[Column]) -> Readers:
    """By the privileges that the account may see."""
    own = {role.name for role in asked.roles}
    sees_all = any(
        one.grantee in own and "SELECT" in one.privileges and one.on in ("*.*", "mysql.*") for one in asked.grants
    )
    reading = [one for one in asked.grants if "SELECT" in one.privileges]
    by_column = {column: sorted({one.grantee for one in reading if _covers(one, column)}) for column in columns}
    reason = _ROLES_OF_MYSQL if sees_all else f"{_ONLY_OWN}; {_ROLES_OF_MYSQL}"
    if asked.truncated:
        reason = f"the grants beyond the first thousand; {reason}"
    return Readers(SourceAccess(state="partly", reason=f"What is not known: {reason}."), by_column)


def _covers(grant: SourceGrant, column: Column) -> bool:
    """Whether a grant of MySQL's is about the column. Names of databases in grants are patterns."""
    schema, table, name = column
    if grant.on in ("*.*", f"{schema}.{table}", f"{schema}.{table} ({name})"):
        return True
    return grant.on.endswith(".*") and _like(grant.on[:-2], schema)


def _like(pattern: str, name: str) -> bool:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.fullmatch("".join(wild.get(part) or re.escape(part[-1]) for part in parts), name, re.DOTALL) is not None


def of_file(asked: Asked, columns: Iterable[Column]) -> Readers:
    """By the owner and the mode of the path."""
    if asked.file is None:
        return Readers(_not_evaluated("This source does not tell whose its file is."))
    readers = [f"user {asked.file.owner}"]
    if asked.file.mode[4] == "r":
        readers.append(f"group {asked.file.group}")
    if asked.file.world_readable:
        readers.append(EVERYBODY)
    reason = "The mode of the path was looked at; lists of access rights, shares and copies of it were not."
    return Readers(SourceAccess(state="partly", reason=reason), dict.fromkeys(columns, readers))


def alike(members: Iterable[OurGrant], policies: Sequence[Policy]) -> list[list[OurGrant]]:
    """The members who read the source, together with those whom the same access policies concern: they see the same
    columns. Of hundreds of members there are a few such groups."""
    groups: dict[tuple[int, ...], list[OurGrant]] = {}
    for member in members:
        if member.reads:
            viewer = _viewer(member)
            concerned = tuple(policy.id for policy in policies if concerns(policy, viewer))
            groups.setdefault(concerned, []).append(member)
    return list(groups.values())


def seen_here(
    groups: Iterable[Sequence[OurGrant]],
    policies: Sequence[Policy],
    dataset: SensitiveDataset,
    source_tags: Iterable[str],
) -> dict[str, list[Seen]]:
    """By column, who sees what of it here; `groups` are those who are `alike`."""
    facts = dataset.facts(source_tags)
    by_column: dict[str, dict[str, list[str]]] = {name: {} for name in dataset.columns}
    for group in groups:
        view = view_of(policies, _viewer(group[0]), facts)
        for name, seen in by_column.items():
            seen.setdefault(_SEES[view.effect_on(name)], []).extend(member.user_id for member in group)
    return {
        name: [Seen(sees=sees, user_ids=sorted(seen[sees])) for sees in _SEES.values() if sees in seen]  # type: ignore[arg-type]
        for name, seen in by_column.items()
    }


def _viewer(member: OurGrant) -> Viewer:
    return Viewer(member.user_id, str(member.role))


_SEES: dict[str | None, str] = {None: "values", "mask": "masked", "hide": "nothing"}

"""The glossary of a workspace: terms with their definitions, which datasets and columns are labelled with."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from handlers.audit_trail import record
from handlers.names import RowId, Title, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from storage import catalog_labels, catalog_search
from storage.errors import AlreadyExists

Definition = Annotated[str, Meta(max_length=10_000, pattern=r"^[^\x00]*$(?!\n)")]


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """A term. `datasets` counts those that have it, or a column of which does."""

    id: RowId
    workspace_id: WorkspaceId
    name: str
    definition: str
    datasets: int
    created_by: str
    created_at: Instant
    updated_by: str
    updated_at: Instant


class ListTerms(msgspec.Struct, frozen=True, kw_only=True):
    """By name."""

    workspace_id: WorkspaceId = "default"
    cursor: Cursor | None = None
    limit: Limit = 100


class CreateTerm(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"
    name: Title
    definition: Definition = ""


class GetTerm(msgspec.Struct, frozen=True, kw_only=True):
    term_id: RowId


class UpdateTerm(msgspec.Struct, frozen=True, kw_only=True):
    """What is given changes."""

    term_id: RowId
    name: Title | UnsetType = UNSET
    definition: Definition | UnsetType = UNSET


class DeleteTerm(msgspec.Struct, frozen=True, kw_only=True):
    """Takes it from all datasets and columns that have it."""

    term_id: RowId


async def list_terms(context: Context, request: ListTerms) -> Page[Term]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    after = decode_cursor("catalog.terms", request.cursor, tuple[str, int])
    async with context.parts.database.read() as connection:
        rows = await catalog_labels.list_terms(connection, request.workspace_id, after=after, limit=request.limit + 1)
        uses = await catalog_labels.term_uses(connection, [row.id for row in rows])
    return page_of(
        rows,
        request.limit,
        "catalog.terms",
        key=lambda row: (row.name, row.id),
        item=lambda row: _shown(row, uses.get(row.id, 0)),
    )


async def create_term(context: Context, request: CreateTerm) -> Term:
    await context.parts.access.require(context.principal, Permission.WRITE, request.workspace_id)
    async with context.parts.database.write() as connection:
        try:
            row = await catalog_labels.create_term(
                connection,
                request.workspace_id,
                request.name,
                request.definition,
                by=context.user.user_id,
                at=context.now(),
            )
        except AlreadyExists:
            raise _taken(request.name) from None
        details = {"workspace_id": row.workspace_id, "name": row.name}
        await record(connection, context, "catalog.terms.create", str(row.id), details)
    return _shown(row, 0)


async def get_term(context: Context, request: GetTerm) -> Term:
    row = await _require(context, request.term_id, Permission.READ)
    async with context.parts.database.read() as connection:
        uses = await catalog_labels.term_uses(connection, [row.id])
    return _shown(row, uses.get(row.id, 0))


async def update_term(context: Context, request: UpdateTerm) -> Term:
    before = await _require(context, request.term_id, Permission.WRITE)
    name = None if request.name is UNSET else request.name
    definition = None if request.definition is UNSET else request.definition
    async with context.parts.database.write() as connection:
        try:
            row = await catalog_labels.change_term(
                connection,
                before.id,
                name=name,
                definition=definition,
                by=context.user.user_id,
                at=context.now(),
            )
        except AlreadyExists:
            raise _taken(name or before.name) from None
        if row is None:
            raise _gone(request.term_id)
        labelled = await catalog_labels.datasets_with_term(connection, row.id)
        if row.name != before.name:
            await catalog_search.reindex(connection, labelled)
        await record(connection, context, "catalog.terms.update", str(row.id), {"name": row.name})
    return _shown(row, len(labelled))


async def delete_term(context: Context, request: DeleteTerm) -> None:
    row = await _require(context, request.term_id, Permission.WRITE)
    async with context.parts.database.write() as connection:
        labelled = await catalog_labels.datasets_with_term(connection, row.id)
        if not await catalog_labels.delete_term(connection, row.id):
            raise _gone(request.term_id)
        await catalog_search.reindex(connection, labelled)
        await record(connection, context, "catalog.terms.delete", str(row.id), {"name": row.name})


async def _require(context: Context, term_id: int, permission: Permission) -> catalog_labels.Term:
    """The term, if the caller may. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        row = await catalog_labels.get_term(connection, term_id)
    if row is None:
        raise _gone(term_id)
    try:
        await context.parts.access.require(context.principal, permission, row.workspace_id)
    except NotFound:
        raise _gone(term_id) from None
    return row


def _shown(row: catalog_labels.Term, datasets: int) -> Term:
    return Term(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        definition=row.definition,
        datasets=datasets,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
    )


def _gone(term_id: int) -> NotFound:
    return NotFound(f"There is no term {term_id}, or you are not a member of its workspace.")


def _taken(name: str) -> Conflict:
    return Conflict(f"The glossary has a term {name!r} already.", code="term_exists")


OPERATIONS = (
    Operation(
        "catalog.terms.list",
        ListTerms,
        Page[Term],
        list_terms,
        "GET /catalog/terms",
        Permission.SIGNED_IN,
        "List the terms of a workspace's glossary.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "catalog.terms.create",
        CreateTerm,
        Term,
        create_term,
        "POST /catalog/terms",
        Permission.SIGNED_IN,
        "Add a term to a workspace's glossary.",
        status=201,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "catalog.terms.get",
        GetTerm,
        Term,
        get_term,
        "GET /catalog/terms/{term_id}",
        Permission.SIGNED_IN,
        "Get a term of the glossary.",
        errors=(Forbidden,),
    ),
    Operation(
        "catalog.terms.update",
        UpdateTerm,
        Term,
        update_term,
        "PATCH /catalog/terms/{term_id}",
        Permission.SIGNED_IN,
        "Change a term of the glossary.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "catalog.terms.delete",
        DeleteTerm,
        None,
        delete_term,
        "DELETE /catalog/terms/{term_id}",
        Permission.SIGNED_IN,
        "Delete a term of the glossary.",
        status=204,
        errors=(Forbidden,),
    ),
)

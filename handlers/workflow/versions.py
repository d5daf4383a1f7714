"""Published versions of a workflow: list them, look at one, compare two, or one with what is drawn now."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analysis.workflow.differences import Differences, differences
from handlers.names import RowId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, NotFound, Operation, Page, Permission
from handlers.workflow.drafts import draft_of
from handlers.workflow.shapes import ONE, PublishedVersion, VersionNumber, WorkflowForm, version_shown
from handlers.workflow_access import Found, require_workflow
from handlers.workflow_forms import unpacked
from storage import workflow_versions
from storage.workflow_versions import WorkflowVersion

PATH = f"{ONE}/versions"
DRAFT = "draft"

VersionOrDraft = Annotated[
    str,
    Meta(
        pattern=r"^(draft|[1-9][0-9]{0,8})$(?!\n)",
        description="A version of the workflow, or `draft`: as it is drawn now.",
        examples=["1", DRAFT],
    ),
]


class ListVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    workflow_id: RowId
    cursor: Cursor | None = None
    limit: Limit = 50


class GetVersion(msgspec.Struct, frozen=True, kw_only=True):
    workflow_id: RowId
    version: VersionNumber


class CompareVersions(msgspec.Struct, frozen=True, kw_only=True):
    workflow_id: RowId
    from_version: VersionOrDraft
    to_version: VersionOrDraft


class VersionWithForm(PublishedVersion, frozen=True, kw_only=True):
    """A published version, and what was published."""

    form: WorkflowForm


class VersionDifferences(msgspec.Struct, frozen=True, kw_only=True):
    """What changed from one to the other; moving nodes about is told by one word only."""

    workflow_id: RowId
    from_version: VersionOrDraft
    to_version: VersionOrDraft
    differences: Differences


async def list_versions(context: Context, request: ListVersions) -> Page[PublishedVersion]:
    found = await require_workflow(context, request.workflow_id, Permission.READ)
    before = decode_cursor("workflow_versions", request.cursor, VersionNumber)
    async with context.parts.database.read() as connection:
        rows = await workflow_versions.list_of(connection, found.workflow.id, before=before, limit=request.limit + 1)
    return page_of(rows, request.limit, "workflow_versions", key=lambda row: row.version, item=version_shown)


async def get_version(context: Context, request: GetVersion) -> VersionWithForm:
    found = await require_workflow(context, request.workflow_id, Permission.READ)
    row, form = await require_version(context, found.workflow.id, request.version)
    return VersionWithForm(**msgspec.structs.asdict(version_shown(row)), form=msgspec.convert(form, WorkflowForm))


async def compare_versions(context: Context, request: CompareVersions) -> VersionDifferences:
    found = await require_workflow(context, request.workflow_id, Permission.READ)
    before = await form_of(context, found, request.from_version)
    after = await form_of(context, found, request.to_version)
    return VersionDifferences(
        workflow_id=found.workflow.id,
        from_version=request.from_version,
        to_version=request.to_version,
        differences=differences(before, after),
    )


async def form_of(context: Context, found: Found, version: str) -> dict[str, Any]:
    """The normal form of a version, or of the draft. Raises NotFound."""
    if version == DRAFT:
        return unpacked((await draft_of(context.parts, found.document)).drawn.form)
    return (await require_version(context, found.workflow.id, int(version)))[1]


async def require_version(context: Context, workflow_id: int, version: int) -> tuple[WorkflowVersion, dict[str, Any]]:
    """The version with its normal form. Raises NotFound. Ask `require_workflow` first: this asks nothing."""
    async with context.parts.database.read() as connection:
        row = await workflow_versions.get(connection, workflow_id, version)
        form = await workflow_versions.form_of(connection, row.id) if row else None
    if row is None or form is None:
        raise NotFound(f"The workflow {workflow_id} has no version {version}.", code="no_such_version")
    return row, unpacked(form)


OPERATIONS = (
    Operation(
        "workflow.versions.list",
        ListVersions,
        Page[PublishedVersion],
        list_versions,
        f"GET {PATH}",
        Permission.SIGNED_IN,
        "List a workflow's published versions.",
        errors=(Forbidden,),
    ),
    Operation(
        "workflow.versions.get",
        GetVersion,
        VersionWithForm,
        get_version,
        f"GET {PATH}/{{version}}",
        Permission.SIGNED_IN,
        "Get a published version with its nodes and edges.",
        errors=(Forbidden,),
    ),
    Operation(
        "workflow.versions.diff",
        CompareVersions,
        VersionDifferences,
        compare_versions,
        f"GET {PATH}/{{from_version}}/diff/{{to_version}}",
        Permission.SIGNED_IN,
        "Compare two versions of a workflow, or one with the draft.",
        errors=(Forbidden,),
    ),
)

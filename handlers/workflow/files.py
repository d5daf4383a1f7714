"""Workflows as files: the format workflow/v1, written out, read in, and copied within the server."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.workflow.interchange.bpmn import to_bpmn
from analysis.workflow.interchange.n8n import NotN8nError, from_n8n
from crdt.diagram import MAX_EDGES, MAX_NODES, MAX_NOTES, edge_id
from handlers.audit_trail import record
from handlers.document_states import in_worker
from handlers.names import RowId, Title, WorkspaceId
from handlers.registry import Binary, Conflict, Context, Forbidden, InvalidRequest, Operation, Permission
from handlers.workflow.making import New, make_workflow
from handlers.workflow.shapes import ONE, Description, Workflow, WorkflowForm, shown
from handlers.workflow.versions import DRAFT, VersionOrDraft, form_of
from handlers.workflow_access import require_workflow
from handlers.workflow_forms import diagram_of
from storage import workflows

SCHEMA_ID = "workflow/v1"
BPMN = "application/xml"
_COPY = " (copy)"
_LONGEST_TITLE = 200

Json = dict[str, Any]
NodeId = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^:>\x00]+$")]
Port = Annotated[str, Meta(max_length=100)]


class FileNode(msgspec.Struct, frozen=True, kw_only=True):
    type: Annotated[str, Meta(min_length=1, max_length=100)]
    type_version: Annotated[int, Meta(ge=1)] = 1
    name: Annotated[str, Meta(max_length=1_000)] = ""
    disabled: bool = False
    parent: str | None = None
    params: Json = msgspec.field(default_factory=dict)
    policy: Json = msgspec.field(default_factory=dict)


class FileEdge(msgspec.Struct, frozen=True, kw_only=True):
    source: NodeId
    source_port: Port
    target: NodeId
    target_port: Port
    label: str = ""


class FileLayout(msgspec.Struct, frozen=True, kw_only=True):
    """`nodes` has positions and sizes by node, `notes` what is written on the canvas."""

    nodes: dict[str, Json] = msgspec.field(default_factory=dict)
    notes: Annotated[dict[str, Json], Meta(max_length=MAX_NOTES)] = msgspec.field(default_factory=dict)


class WorkflowFile(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow as a file. Fields that are not known are kept."""

    schema: Literal["workflow/v1"]
    name: Annotated[str, Meta(max_length=1_000)] = ""
    settings: Json = msgspec.field(default_factory=dict)
    nodes: Annotated[dict[NodeId, FileNode], Meta(max_length=MAX_NODES)]
    edges: Annotated[dict[str, FileEdge], Meta(max_length=MAX_EDGES)]
    layout: FileLayout = FileLayout()


class GetFileSchema(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is asked of it."""


class FileSchema(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON Schema (2020-12) of workflows as files."""

    schema: Json


class ExportWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """As `json`, the format workflow/v1, which can be imported again, or as `bpmn`, BPMN 2.0 with its layout."""

    workflow_id: RowId
    version: VersionOrDraft = DRAFT
    format: Literal["json", "bpmn"] = "json"


class ImportWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """`file` is what an export answered, or with the format `n8n` a workflow of n8n.

    What has no counterpart here becomes a placeholder with the original in it. What it would do is not looked at:
    `…/validate` says what is wrong. Its title is the file's name unless given.
    """

    workspace_id: WorkspaceId
    file: Annotated[Json, Meta(description="A workflow as a file; its schema is at `/workflow/designer/file-schema`.")]
    format: Literal["workflow/v1", "n8n"] = "workflow/v1"
    title: Title | None = None
    description: Description = ""


class DuplicateWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """A new workflow in the same workspace, drawn as the other one is, or as it was in a version."""

    workflow_id: RowId
    version: VersionOrDraft = DRAFT
    title: Title | None = None


async def get_file_schema(_: Context, __: GetFileSchema) -> FileSchema:
    schema = msgspec.json.schema(WorkflowFile)
    return FileSchema(schema={"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema})


async def export_workflow(context: Context, request: ExportWorkflow) -> WorkflowForm | Binary:
    found = await require_workflow(context, request.workflow_id, Permission.READ)
    form = await form_of(context, found, request.version)
    if request.format == "bpmn":
        return Binary(media_type=BPMN, data=(await asyncio.to_thread(to_bpmn, form)).encode())
    try:
        msgspec.convert(form, WorkflowFile)
        return msgspec.convert(form, WorkflowForm)
    except msgspec.ValidationError as error:
        message = f"The workflow is drawn so that no file can hold it: {error}; put that right first."
        raise Conflict(message, code="workflow_invalid") from None


async def import_workflow(context: Context, request: ImportWorkflow) -> Workflow:
    form = await _of_n8n(context, request.file) if request.format == "n8n" else _read(request.file)
    title = request.title or _title_of(form["name"])
    new = New(request.workspace_id, title, request.description)

    async def note(connection: AsyncConnection, made: workflows.Workflow) -> None:
        details = {"title": title, "format": request.format, "nodes": len(form["nodes"])}
        await record(connection, context, "workflow.definitions.import", str(made.id), details)

    return shown(await make_workflow(context, new, diagram_of(form), note))


async def duplicate_workflow(context: Context, request: DuplicateWorkflow) -> Workflow:
    found = await require_workflow(context, request.workflow_id, Permission.WRITE)
    form = await form_of(context, found, request.version)
    title = request.title or found.document.title[: _LONGEST_TITLE - len(_COPY)] + _COPY
    new = New(found.workflow.workspace_id, title, found.workflow.description)

    async def note(connection: AsyncConnection, made: workflows.Workflow) -> None:
        details = {"title": title, "of": found.workflow.id, "version": request.version}
        await record(connection, context, "workflow.definitions.duplicate", str(made.id), details)

    return shown(await make_workflow(context, new, diagram_of({**form, "name": title}), note))


def _read(file: Json) -> Json:
    """The normal form that the file holds. Raises InvalidRequest."""
    try:
        checked = msgspec.convert(file, WorkflowFile)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"file: this is no workflow as a file: {error}. Its schema is at `/workflow/designer/file-schema`.",
            code="bad_file",
            details={"parameter": "file"},
        ) from None
    edges = {edge_id(edge): edge for edge in file["edges"].values()}
    layout = {"nodes": checked.layout.nodes, "notes": checked.layout.notes}
    return {
        "name": checked.name,
        "settings": checked.settings,
        "nodes": file["nodes"],
        "edges": edges,
        "layout": layout,
    }


async def _of_n8n(context: Context, file: Json) -> Json:
    """The normal form of a workflow of n8n. Raises InvalidRequest."""
    try:
        return (await in_worker(context.parts, from_n8n, file)).form
    except NotN8nError as error:
        raise InvalidRequest(f"file: {error}.", code="bad_file", details={"parameter": "file"}) from None


def _title_of(name: str) -> str:
    """In one line, as titles are."""
    line = "".join(character for character in name if character.isprintable())[:_LONGEST_TITLE]
    return line or "Imported workflow"


OPERATIONS = (
    Operation(
        "workflow.file_schema.get",
        GetFileSchema,
        FileSchema,
        get_file_schema,
        "GET /workflow/designer/file-schema",
        Permission.SIGNED_IN,
        "Get the JSON Schema of workflows as files.",
    ),
    Operation(
        "workflow.definitions.export",
        ExportWorkflow,
        WorkflowForm | Binary,
        export_workflow,
        f"GET {ONE}/export",
        Permission.SIGNED_IN,
        "Get a workflow as a file, as it is drawn or in a version.",
        errors=(Forbidden, Conflict),
        media_types=(BPMN,),
    ),
    Operation(
        "workflow.definitions.import",
        ImportWorkflow,
        Workflow,
        import_workflow,
        "POST /workflow/designer/import",
        Permission.WRITE,
        "Make a workflow of a file.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "workflow.definitions.duplicate",
        DuplicateWorkflow,
        Workflow,
        duplicate_workflow,
        f"POST {ONE}/duplicate",
        Permission.SIGNED_IN,
        "Make a workflow that is drawn like another.",
        status=201,
        errors=(Forbidden, Conflict),
    ),
)

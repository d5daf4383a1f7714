"""Workflows of the tests: written down in a line each, published without people, and run."""

from datetime import UTC, datetime
from typing import Any

from crdt.diagram import fingerprint, normalise
from handlers.workflow_forms import packed
from storage import documents, workflow_versions, workflows
from storage.database import Database
from storage.workflow_versions import NewVersion

Json = dict[str, Any]


def node(kind: str, *, policy: Json | None = None, disabled: bool = False, **params: Any) -> Json:
    return {"type": kind, "type_version": 1, "name": "", "disabled": disabled, "params": params, "policy": policy or {}}


def work(*, policy: Json | None = None, **parameters: Any) -> Json:
    """A node that run_jobs.py does: `seconds`, `failures`, `value`."""
    return node("operation", policy=policy, operation="work", parameters=parameters)


def form(nodes: dict[str, Json], *edges: str) -> Json:
    """Edges are written as "a>b", or with ports as "a:true>b" and "a>loop:next"."""
    inputs = {name: {"type": "any"} for name in ("items", "limit", "n")}
    meta = {"name": "test", "settings": {"inputs": inputs}}
    return normalise({"meta": meta, "nodes": nodes, "edges": dict(map(edge, edges))})


def edge(text: str) -> tuple[str, Json]:
    source, _, target = text.partition(">")
    source, _, source_port = source.partition(":")
    target, _, target_port = target.partition(":")
    ends = (source, source_port or "out", target, target_port or "in")
    key = "{}:{}>{}:{}".format(*ends)
    return key, dict(zip(("source", "source_port", "target", "target_port"), ends, strict=True))


async def publish(database: Database, diagram: Json, name: str = "flow", workspace_id: str = "lab") -> int:
    """The id of a workflow whose newest version has this form."""
    now = datetime.now(UTC)
    async with database.write() as connection:
        document = await documents.create(
            connection, workspace_id, name, kind="diagram", title=name, created_by="ada", at=now
        )
        workflow = await workflows.create(
            connection, workspace_id, document.id, description="", created_by="ada", at=now
        )
        new = NewVersion(0, fingerprint(diagram), "", len(diagram["nodes"]), len(diagram["edges"]), packed(diagram))
        await workflow_versions.add(connection, workflow.id, new, created_by="ada", at=now)
    return workflow.id

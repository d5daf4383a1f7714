"""The types of nodes that workflows are made of, for whoever draws a palette of them or a form for one."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analysis.workflow.node_types import NODE_TYPES, Group, Port, PortType
from analysis.workflow.node_types import NodeType as Known
from handlers.registry import Context, NotFound, Operation, Permission


class NodePort(msgspec.Struct, frozen=True, kw_only=True):
    """Where edges end or begin. `many`: an input that takes several; `optional`: an output that may lead nowhere."""

    name: str
    type: PortType
    many: bool
    optional: bool


class NodeType(msgspec.Struct, frozen=True, kw_only=True):
    """`parameters` is the JSON Schema (2020-12) of a node's `params`.

    `expressions` has those that are CEL, by path, and what they are to answer; `references` those that name something
    of the workspace, and its kind. `ports_from` is a map among the parameters that has an output port for each key.
    One that is `executable` has a policy, and the output port `error` where that says `on_error: branch`. One that is
    not `is_run` can be drawn and published, and a run with one in it fails before anything is done.
    """

    type: str
    version: int
    title: str
    group: Group
    inputs: list[NodePort]
    outputs: list[NodePort]
    parameters: dict[str, Any]
    expressions: dict[str, str]
    references: dict[str, str]
    ports_from: str | None
    idempotent: bool
    executable: bool
    is_run: bool


class NodeTypes(msgspec.Struct, frozen=True, kw_only=True):
    items: list[NodeType]


class GetNodeTypes(msgspec.Struct, frozen=True, kw_only=True):
    """All, or that of the name `type`."""

    type: Annotated[str, Meta(max_length=100)] | None = None


async def get_node_types(_: Context, request: GetNodeTypes) -> NodeTypes:
    if request.type is None:
        return NodeTypes(items=[_shown(known) for known in NODE_TYPES.values()])
    if request.type not in NODE_TYPES:
        known_types = ", ".join(NODE_TYPES)
        raise NotFound(f"There is no type of nodes {request.type!r}; there are {known_types}.", code="no_such_type")
    return NodeTypes(items=[_shown(NODE_TYPES[request.type])])


def _shown(known: Known) -> NodeType:
    return NodeType(
        type=known.type,
        version=known.version,
        title=known.title,
        group=known.group,
        inputs=[_port(port) for port in known.inputs],
        outputs=[_port(port) for port in known.outputs],
        parameters=known.parameters,
        expressions=dict(known.expressions),
        references=dict(known.references),
        ports_from=known.ports_from,
        idempotent=known.idempotent,
        executable=known.executable,
        is_run=known.is_run,
    )


def _port(port: Port) -> NodePort:
    return NodePort(name=port.name, type=port.type, many=port.many, optional=port.optional)


OPERATIONS = (
    Operation(
        "workflow.node_types.get",
        GetNodeTypes,
        NodeTypes,
        get_node_types,
        "GET /workflow/designer/node-types",
        Permission.SIGNED_IN,
        "Get the types of nodes, with their ports and the schemas of their parameters.",
        errors=(NotFound,),
    ),
)

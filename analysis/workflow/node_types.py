"""The types of nodes that a workflow is made of: their ports, parameters and what may be done to them again."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import msgspec

from analysis.workflow import action_parameters as action
from analysis.workflow import flow_parameters as flow

# What flows through a port: a port that takes "any" takes all.
PortType = Literal["any", "object", "rows", "decision", "error"]
Group = Literal["flow", "people", "data", "actions"]
ERROR_PORT: Final = "error"
DEFAULT_PORT: Final = "default"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Port:
    """`many`: an input that takes several edges. `optional`: an output that may well lead nowhere."""

    name: str
    type: PortType = "any"
    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class NodeType:
    """``expressions`` has the parameters in CEL (``*`` for each key) and what they answer, ``references`` those that
    name something and its kind, ``literal`` those in which ``${…}`` means nothing."""

    type: str
    version: int
    title: str
    group: Group
    params: builtins.type[msgspec.Struct]
    inputs: tuple[Port, ...] = (Port("in"),)
    outputs: tuple[Port, ...] = (Port("out", optional=True),)
    idempotent: bool = True
    # Where it depends on the parameters.
    idempotent_when: Callable[[Json], bool] | None = None
    expressions: Mapping[str, Literal["boolean", "list", "any"]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    literal: frozenset[str] = frozenset()
    # The ports that come from a map among the parameters, one a key.
    ports_from: str | None = None
    # Whether the work can fail, and so has a policy of retries and an error port.
    executable: bool = True
    # Whether a run knows how to do it; what it does not is drawn, published, and fails a run before anything is done.
    is_run: bool = True

    @cached_property
    def parameters(self) -> Json:
        """The JSON Schema (2020-12) of the parameters."""
        return msgspec.json.schema(self.params)

    def safe_to_repeat(self, params: Json) -> bool:
        """Whether doing it twice comes to the same as once."""
        return self.idempotent if self.idempotent_when is None else self.idempotent_when(params)


def _has_safe_method(params: Json) -> bool:
    return params.get("method", "GET") not in ("POST", "PATCH")


def _only_reads(params: Json) -> bool:
    return params.get("write") is not True


_TYPES: Final = (
    NodeType("start", 1, "Start", "flow", flow.StartParameters, inputs=(), outputs=(Port("out"),), executable=False),
    NodeType(
        "end",
        1,
        "End",
        "flow",
        flow.EndParameters,
        inputs=(Port("in", many=True),),
        outputs=(),
        expressions={"output": "any"},
        executable=False,
    ),
    NodeType(
        "condition",
        1,
        "Condition",
        "flow",
        flow.ConditionParameters,
        outputs=(Port("true"), Port("false", optional=True)),
        expressions={"expression": "boolean"},
    ),
    NodeType(
        "switch",
        1,
        "Switch",
        "flow",
        flow.SwitchParameters,
        outputs=(Port(DEFAULT_PORT),),
        expressions={"cases/*/when": "boolean"},
        ports_from="cases",
    ),
    NodeType("join", 1, "Join", "flow", flow.JoinParameters, inputs=(Port("in", many=True),), executable=False),
    NodeType(
        "transform",
        1,
        "Transform",
        "data",
        flow.TransformParameters,
        outputs=(Port("out"),),
        expressions={"expression": "any"},
    ),
    NodeType("delay", 1, "Delay", "flow", flow.DelayParameters, executable=False),
    NodeType(
        "wait_for_event",
        1,
        "Wait for an event",
        "flow",
        flow.WaitForEventParameters,
        outputs=(Port("out", "object"), Port("expired", optional=True)),
        expressions={"filter": "boolean"},
        is_run=False,
    ),
    NodeType(
        "approval",
        1,
        "Approval",
        "people",
        flow.ApprovalParameters,
        outputs=(Port("approved", "decision"), Port("rejected", "decision"), Port("expired", optional=True)),
        references={"approvers/*": "user"},
        literal=frozenset({"form"}),
    ),
    NodeType(
        "loop",
        1,
        "Loop",
        "flow",
        flow.LoopParameters,
        inputs=(Port("in"), Port("next", many=True)),
        outputs=(Port("item"), Port("done", optional=True)),
        expressions={"items": "list"},
    ),
    NodeType(
        "sub_workflow",
        1,
        "Sub-workflow",
        "flow",
        flow.SubWorkflowParameters,
        references={"workflow_id": "workflow"},
    ),
    NodeType(
        "http_request",
        1,
        "HTTP request",
        "actions",
        action.HttpRequestParameters,
        outputs=(Port("out", "object", optional=True),),
        idempotent_when=_has_safe_method,
        is_run=False,
    ),
    NodeType(
        "sql_query",
        1,
        "SQL query",
        "data",
        action.SqlQueryParameters,
        outputs=(Port("out", "rows", optional=True),),
        idempotent_when=_only_reads,
        references={"source_id": "source"},
        literal=frozenset({"query"}),
        is_run=False,
    ),
    NodeType(
        "operation",
        1,
        "Operation",
        "actions",
        action.OperationParameters,
        idempotent=False,
        references={"operation": "operation"},
    ),
    NodeType(
        "notify",
        1,
        "Notify",
        "people",
        action.NotifyParameters,
        idempotent=False,
        references={"users/*": "user", "integration_id": "integration"},
        is_run=False,
    ),
    NodeType(
        "set_content",
        1,
        "Set content",
        "actions",
        action.SetContentParameters,
        references={"document_id": "document"},
        is_run=False,
    ),
    NodeType(
        "create_alert",
        1,
        "Create alert",
        "actions",
        action.CreateAlertParameters,
        idempotent=False,
        references={"source_id": "source"},
        is_run=False,
    ),
    NodeType(
        "placeholder",
        1,
        "Placeholder",
        "actions",
        action.PlaceholderParameters,
        outputs=(Port("out", optional=True),),
        literal=frozenset({"source", "original"}),
        executable=False,
        is_run=False,
    ),
)

NODE_TYPES: Final[Mapping[str, NodeType]] = {node_type.type: node_type for node_type in _TYPES}


def outputs_of(node: Json, node_type: NodeType) -> dict[str, Port]:
    """The output ports of a node by name: its type's, those of its cases before them, and the error port last."""
    ports = {port.name: port for port in node_type.outputs}
    if node_type.ports_from is not None:
        cases = _object(_object(node.get("params")).get(node_type.ports_from))
        ports = {**{key: Port(key) for key in sorted(cases)}, **ports}
    if node_type.executable and _object(node.get("policy")).get("on_error") == "branch":
        ports[ERROR_PORT] = Port(ERROR_PORT, "error")
    return ports


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}

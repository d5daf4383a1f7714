"""What can be said of one node alone: kept as long as the node is not changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from analysis.workflow.expression_checks import Used, expressions_of
from analysis.workflow.expressions import InputType
from analysis.workflow.node_types import NodeType, Port, outputs_of
from analysis.workflow.parameter_checks import check_parameters, check_policy
from analysis.workflow.references import Reference, references_of
from analysis.workflow.templates import OPEN
from analysis.workflow.violations import Violation, pointer, shown

MOST_NODE_BYTES: Final = 256 * 1024

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """``node_type`` is None where it is unknown; ``bytes`` is the size of the node as JSON."""

    node_type: NodeType | None
    disabled: bool
    bytes: int
    inputs: Mapping[str, Port] = field(default_factory=dict)
    outputs: Mapping[str, Port] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    used: tuple[Used, ...] = ()
    references: tuple[tuple[str, Reference], ...] = ()
    # None for the operations of the server, which are looked up.
    unsafe_retry: bool | None = False


def look_at(node_id: str, node: Json, types: Mapping[str, NodeType], inputs: Mapping[str, InputType]) -> NodeFacts:
    """All that is known of a node without the others; nothing is said of what a node holds that is switched off."""
    size = len(msgspec.json.encode(node))
    disabled = node.get("disabled") is True
    node_type = types.get(node["type"]) if isinstance(node.get("type"), str) else None
    if node_type is None or size > MOST_NODE_BYTES:
        wrong = _too_large(node_id, size) if size > MOST_NODE_BYTES else _unknown_type(node_id, node, types)
        return NodeFacts(None, disabled, size, violations=tuple(wrong))
    ports = {port.name: port for port in node_type.inputs}
    outputs = outputs_of(node, node_type)
    if disabled:
        return NodeFacts(node_type, disabled, size, ports, outputs)
    params, policy = _object(node.get("params")), _object(node.get("policy"))
    used, wrong_expressions = expressions_of(node_id, params, node_type, inputs)
    violations = (
        *_version(node_id, node, node_type),
        *check_parameters(node_id, params, node_type),
        *check_policy(node_id, policy),
        *wrong_expressions,
        *_of_type(node_id, params, policy, node_type),
    )
    references = tuple(
        (pointer("nodes", node_id, "params", *keys), reference) for keys, reference in references_of(node, types)
    )
    retried = _is_retried(policy)
    unsafe: bool | None = retried and not node_type.safe_to_repeat(params)
    if retried and "operation" in node_type.references.values():
        unsafe = None
    return NodeFacts(node_type, disabled, size, ports, outputs, violations, tuple(used), references, unsafe)


def _unknown_type(node_id: str, node: Json, types: Mapping[str, NodeType]) -> Iterator[Violation]:
    name = node.get("type")
    if isinstance(name, str) and name:
        message = f"there is no node type {shown(name)}; there are {', '.join(sorted(types))}"
        yield Violation("node.type_unknown", pointer("nodes", node_id, "type"), message, node=node_id)


def _too_large(node_id: str, size: int) -> Iterator[Violation]:
    message = f"the node has {size} bytes, at most {MOST_NODE_BYTES} are allowed"
    yield Violation("node.too_large", pointer("nodes", node_id), message, node=node_id)


def _version(node_id: str, node: Json, node_type: NodeType) -> Iterator[Violation]:
    version = node.get("type_version", node_type.version)
    if version != node_type.version:
        message = f"there is no version {shown(str(version))} of {node_type.type!r}; the newest is {node_type.version}"
        path = pointer("nodes", node_id, "type_version")
        yield Violation("node.version_unknown", path, message, node=node_id, fix=f"set it to {node_type.version}")


def _of_type(node_id: str, params: Json, policy: Json, node_type: NodeType) -> Iterator[Violation]:
    """What only a node of some type can have wrong."""
    path = pointer("nodes", node_id, "params")
    if not node_type.is_run and node_type.type != "placeholder":
        message = f"nodes of the type {node_type.type!r} can be drawn, but no run does them yet: it fails at once"
        yield Violation("node.not_run", pointer("nodes", node_id, "type"), message, "warning", node_id)
    match node_type.type:
        case "approval":
            yield from _approval(node_id, params, path)
        case "sql_query" if isinstance(params.get("query"), str) and OPEN in params["query"]:
            message = "values do not go into the text of a query by ${…}: write :name and give it in `parameters`"
            yield Violation("sql.interpolated", f"{path}/query", message, node=node_id, fix="use a parameter")
        case "http_request" if policy.get("timeout") is None:
            message = "a request without a time limit may hold a run up for as long as the other side likes"
            where = pointer("nodes", node_id, "policy")
            yield Violation("http.no_timeout", where, message, "warning", node_id, fix="set `timeout` in the policy")
        case "notify" if not params.get("users") and params.get("integration_id") is None:
            message = "nobody is notified: name people in `users`, or an integration"
            yield Violation("notify.nobody", path, message, node=node_id)
        case "placeholder":
            message = "the node was imported from elsewhere and does nothing here: replace it, or switch it off"
            yield Violation("node.placeholder", pointer("nodes", node_id), message, node=node_id)


def _approval(node_id: str, params: Json, path: str) -> Iterator[Violation]:
    approvers, required = params.get("approvers", []), params.get("required", 1)
    if not isinstance(approvers, list) or not isinstance(required, int):
        return
    if not approvers:
        message = "nobody is asked: an approval names at least one person in `approvers`"
        yield Violation("approval.no_approvers", f"{path}/approvers", message, node=node_id, fix="name an approver")
    elif required > len(set(map(str, approvers))):
        message = f"{required} people have to agree, and only {len(set(map(str, approvers)))} are asked"
        yield Violation("approval.too_few", f"{path}/required", message, node=node_id, fix="ask more, or require fewer")


def _is_retried(policy: Json) -> bool:
    retries = policy.get("retry_max", 0)
    return isinstance(retries, int) and retries > 0


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}

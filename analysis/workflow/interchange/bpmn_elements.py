"""Which element of BPMN a type of nodes is, and what it says of itself there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree as Xml

from analysis.workflow.interchange.namespaces import BPMN

ELEMENTS: Final[Mapping[str, str]] = {
    "start": "startEvent",
    "end": "endEvent",
    "condition": "exclusiveGateway",
    "switch": "exclusiveGateway",
    "join": "parallelGateway",
    "transform": "scriptTask",
    "delay": "intermediateCatchEvent",
    "wait_for_event": "receiveTask",
    "approval": "userTask",
    "loop": "subProcess",
    "sub_workflow": "callActivity",
    "http_request": "serviceTask",
    "sql_query": "serviceTask",
    "operation": "serviceTask",
    "notify": "sendTask",
    "set_content": "serviceTask",
    "create_alert": "serviceTask",
}
EVENT_SIZE: Final = (36.0, 36.0)

_SIZES: Final[Mapping[str, tuple[float, float]]] = {
    "startEvent": EVENT_SIZE,
    "endEvent": EVENT_SIZE,
    "intermediateCatchEvent": EVENT_SIZE,
    "exclusiveGateway": (50.0, 50.0),
    "parallelGateway": (50.0, 50.0),
}
_FIRST: Final = ("extensionElements", "incoming", "outgoing")
_TASK: Final = (100.0, 80.0)
# Gateways have no border events: there the port is a flow like the others.
_GATEWAYS: Final = frozenset({"condition", "switch"})


def size_of(node_type: str) -> tuple[float, float]:
    """As wide and high as modelling tools draw it, in pixels."""
    return _SIZES.get(ELEMENTS.get(node_type, "task"), _TASK)


def boundary(node_type: str, port: str) -> str | None:
    """The definition of the event on a node's border that a port stands for; None for a plain flow."""
    if node_type in _GATEWAYS:
        return None
    return {"error": "errorEventDefinition", "expired": "timerEventDefinition"}.get(port)


def define(element: Xml.Element, node: Mapping[str, Any]) -> None:
    """Adds how long an element waits and what it repeats."""
    params = node.get("params")
    params = params if isinstance(params, dict) else {}
    match node.get("type"):
        case "delay":
            timer = Xml.SubElement(element, f"{BPMN}timerEventDefinition")
            Xml.SubElement(timer, f"{BPMN}timeDuration").text = _duration(params.get("seconds"))
        case "loop":
            Xml.SubElement(element, f"{BPMN}multiInstanceLoopCharacteristics", {"isSequential": "false"})


def rank(child: Xml.Element) -> int:
    """The place of a child of an element in the order that the schema asks for."""
    tag = child.tag.rpartition("}")[2]
    if tag in _FIRST:
        return _FIRST.index(tag)
    own = tag.endswith("EventDefinition") or tag == "multiInstanceLoopCharacteristics"
    return len(_FIRST) + (not own)


def _duration(seconds: Any) -> str:
    """ISO 8601; as it is written where it comes from the run."""
    return f"PT{seconds:g}S" if isinstance(seconds, int | float) else str(seconds)

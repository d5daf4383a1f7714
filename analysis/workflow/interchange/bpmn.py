"""A workflow as BPMN 2.0 (OMG formal/2011-01-03) with its layout, for whoever reads or documents it elsewhere.

A loop becomes a sub-process that runs once for each item, an error port a boundary event. What BPMN has no word for,
the type of a node and its parameters, is kept as JSON in its `extensionElements`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.etree import ElementTree as Xml

import msgspec

from analysis.workflow.graph import ITEM, LOOP, Edge, Graph
from analysis.workflow.interchange.bpmn_elements import ELEMENTS, EVENT_SIZE, boundary, define, rank, size_of
from analysis.workflow.interchange.layout import Box, around, boxes
from analysis.workflow.interchange.namespaces import BPMN, BPMNDI, DC, DI, EXTENSION, TARGET, register

# XML 1.0 has no place for these, not even escaped.
_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")

Json = dict[str, Any]


def to_bpmn(form: Json) -> str:
    """The XML of a diagram's normal form, workflow/v1; edges without an end are left out."""
    return _Export(form).xml()


class _Export:
    """Of one diagram. Names of elements are made by count: ids of nodes may be no names in XML."""

    def __init__(self, form: Json) -> None:
        self._form = form
        self._graph = Graph.of(form)
        self._names = {node: f"node_{at}" for at, node in enumerate(sorted(self._graph.nodes), 1)}
        sizes = {node: size_of(str(value.get("type"))) for node, value in self._graph.nodes.items()}
        self._boxes = boxes(form, self._graph, sizes)
        for loop, body in sorted(self._graph.bodies.items(), key=lambda item: len(item[1])):
            self._boxes[loop] = around([self._boxes[node] for node in (loop, *body)])
        self._parents: dict[str | None, Xml.Element] = {}
        self._elements: dict[str, Xml.Element] = {}
        self._flows = 0
        register()
        self._root = Xml.Element(f"{BPMN}definitions", {"id": "definitions", "targetNamespace": TARGET})
        self._process = Xml.SubElement(
            self._root,
            f"{BPMN}process",
            {"id": "process", "name": _text(form.get("name", "")), "isExecutable": "false"},
        )
        diagram = Xml.SubElement(self._root, f"{BPMNDI}BPMNDiagram", {"id": "diagram"})
        self._plane = Xml.SubElement(diagram, f"{BPMNDI}BPMNPlane", {"id": "plane", "bpmnElement": "process"})

    def xml(self) -> str:
        self._parents[None] = self._process
        # Loops from the outside in, so that each has its place when its body is written.
        for node in sorted(self._graph.nodes, key=lambda node: (len(self._graph.loops_of.get(node, ())), node)):
            self._node(node)
        for edge in self._graph.edges.values():
            self._edge(edge)
        for node, element in self._elements.items():
            define(element, self._graph.nodes.get(node, {}))
            element[:] = sorted(element, key=rank)
        Xml.indent(self._root)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(self._root, encoding="unicode") + "\n"

    def _node(self, node: str) -> None:
        value = self._graph.nodes[node]
        element = Xml.SubElement(
            self._parents[self._around(node)],
            f"{BPMN}{ELEMENTS.get(str(value.get('type')), 'task')}",
            {"id": self._names[node], "name": _text(value.get("name") or value.get("type", ""))},
        )
        if value.get("type") == "join" and _object(value.get("params")).get("mode") == "any":
            element.tag = f"{BPMN}exclusiveGateway"
        kept = {key: value[key] for key in ("type", "type_version", "disabled", "params", "policy") if key in value}
        extension = Xml.SubElement(Xml.SubElement(element, f"{BPMN}extensionElements"), f"{EXTENSION}node")
        extension.set("id", _text(node))
        extension.text = _text(msgspec.json.encode(kept, order="deterministic").decode())
        self._elements[node] = element
        if value.get("type") == LOOP:
            self._parents[node] = element
        self._shape(self._names[node], self._boxes[node], expanded=value.get("type") == LOOP)

    def _around(self, node: str) -> str | None:
        """The innermost loop that a node is in the body of."""
        loops = self._graph.loops_of.get(node, ())
        return loops[-1] if loops else None

    def _edge(self, edge: Edge) -> None:
        if edge.source_port == ITEM and edge.target in self._graph.bodies.get(edge.source, ()):
            start = self._ending(edge.source, "startEvent", self._boxes[edge.target], -60)
            self._flow(start, edge.target, edge, within=edge.source)
        elif edge.id in self._graph.closing:
            end = self._ending(edge.target, "endEvent", self._boxes[edge.source], 160)
            self._flow(edge.source, end, edge, within=edge.target)
        elif self._around(edge.source) == self._around(edge.target):
            self._flow(self._leaving(edge), edge.target, edge, within=self._around(edge.source))

    def _leaving(self, edge: Edge) -> str:
        """Where a flow starts: at the node, or at the event on its border that the port stands for."""
        event = boundary(str(self._graph.nodes[edge.source].get("type")), edge.source_port)
        if event is None:
            return edge.source
        key = f"{edge.source}:{edge.source_port}"
        if key not in self._names:
            self._names[key] = f"{self._names[edge.source]}_{len(self._names)}"
            attributes = {"id": self._names[key], "name": edge.source_port, "attachedToRef": self._names[edge.source]}
            parent = self._parents[self._around(edge.source)]
            element = Xml.SubElement(parent, f"{BPMN}boundaryEvent", attributes)
            self._elements[key] = element
            Xml.SubElement(element, f"{BPMN}{event}")
            box = self._boxes[edge.source]
            half = EVENT_SIZE[0] / 2
            self._boxes[key] = Box(box.x + box.width / 2 - half, box.y + box.height - half, *EVENT_SIZE)
            self._shape(self._names[key], self._boxes[key])
        return key

    def _ending(self, loop: str, tag: str, beside: Box, shift: float) -> str:
        """The start or the end of what a loop does for each item, made when it is first needed."""
        key = f"{loop}:{tag}"
        if key not in self._names:
            self._names[key] = f"{self._names[loop]}_{tag}"
            self._elements[key] = Xml.SubElement(self._parents[loop], f"{BPMN}{tag}", {"id": self._names[key]})
            self._boxes[key] = Box(beside.x + shift, beside.y + 20, *EVENT_SIZE)
            self._shape(self._names[key], self._boxes[key])
        return key

    def _flow(self, source: str, target: str, edge: Edge, *, within: str | None) -> None:
        self._flows += 1
        name = f"flow_{self._flows}"
        value = _object(_object(self._form.get("edges")).get(edge.id))
        label = value.get("label") or ("" if edge.source_port in ("out", ITEM) else edge.source_port)
        attributes = {"id": name, "sourceRef": self._names[source], "targetRef": self._names[target]}
        if label:
            attributes["name"] = _text(label)
        Xml.SubElement(self._parents[within], f"{BPMN}sequenceFlow", attributes)
        for tag, end in (("outgoing", source), ("incoming", target)):
            Xml.SubElement(self._elements[end], f"{BPMN}{tag}").text = name
        self._line(name, self._boxes[source], self._boxes[target])

    def _shape(self, name: str, box: Box, *, expanded: bool = False) -> None:
        attributes = {"id": f"{name}_shape", "bpmnElement": name}
        if expanded:
            attributes["isExpanded"] = "true"
        shape = Xml.SubElement(self._plane, f"{BPMNDI}BPMNShape", attributes)
        Xml.SubElement(shape, f"{DC}Bounds", {key: f"{value:g}" for key, value in box.attributes()})

    def _line(self, name: str, source: Box, target: Box) -> None:
        line = Xml.SubElement(self._plane, f"{BPMNDI}BPMNEdge", {"id": f"{name}_edge", "bpmnElement": name})
        for x, y in _ends(source, target):
            Xml.SubElement(line, f"{DI}waypoint", {"x": f"{x:g}", "y": f"{y:g}"})


def _ends(source: Box, target: Box) -> Iterator[tuple[float, float]]:
    """From the right side of one to the left of the other."""
    yield source.x + source.width, source.y + source.height / 2
    yield target.x, target.y + target.height / 2


def _text(value: Any) -> str:
    return _NOT_XML.sub("", str(value))


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}

"""The namespaces of BPMN 2.0 and its diagrams, and ours for what it has no word for."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as Xml

_URIS: Final = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
    "studio": "urn:collab-studio:workflow:v1",
}
BPMN: Final = f"{{{_URIS['bpmn']}}}"
BPMNDI: Final = f"{{{_URIS['bpmndi']}}}"
DC: Final = f"{{{_URIS['dc']}}}"
DI: Final = f"{{{_URIS['di']}}}"
EXTENSION: Final = f"{{{_URIS['studio']}}}"
TARGET: Final = _URIS["studio"]


def register() -> None:
    """So that what is written has their usual prefixes."""
    for prefix, uri in _URIS.items():
        Xml.register_namespace(prefix, uri)

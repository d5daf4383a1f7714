"""Everything that a document of `random_documents` holds, in a form that can be compared."""

from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from crdt.structs import read_structs
from crdt.update import check_state_vector


def everything_in(doc: Doc[Any]) -> tuple[Any, ...]:
    return (
        check_state_vector(doc.get_state()),
        sorted(read_structs(doc.get_update())[1]),
        str(doc.get("text", type=Text)),
        doc.get("text", type=Text).diff(),
        doc.get("embeds", type=Text).diff(),
        _plain(doc.get("array", type=Array)),
        _plain(doc.get("map", type=Map)),
        _xml(doc.get("xml", type=XmlFragment)),
    )


def document(*updates: bytes) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    return doc


def _plain(value: Any) -> Any:
    if isinstance(value, Map):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Array):
        return [_plain(item) for item in value]
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, Doc):
        return value.guid
    return value


def _xml(node: object) -> Any:
    if isinstance(node, XmlText):
        return node.diff()
    assert isinstance(node, XmlElement | XmlFragment)
    tag = (node.tag, dict(node.attributes.__iter__())) if isinstance(node, XmlElement) else None
    return tag, [_xml(child) for child in node.children]

"""The normal form of a workflow's diagram: as it is stored with a version, and as the diagram it came from."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from crdt.json_values import canonical

Json = dict[str, Any]


def packed(form: Json) -> bytes:
    """The form as versions keep it: the same for the same form."""
    return zlib.compress(canonical(form))


def unpacked(data: bytes) -> Json:
    """The form that was `packed`."""
    form: Json = msgspec.json.decode(zlib.decompress(data))
    return form


def diagram_of(form: Json) -> Json:
    """A diagram of which this is the normal form."""
    layout = form["layout"]
    looks = layout.get("nodes", {})
    return {
        "meta": {"name": form["name"], "schema_version": 1, "settings": form["settings"]},
        "nodes": {node_id: {**node, **looks.get(node_id, {})} for node_id, node in form["nodes"].items()},
        "edges": form["edges"],
        "notes": layout.get("notes", {}),
    }

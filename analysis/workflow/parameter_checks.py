"""Whether the parameters and the policy of one node are what its type asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from analysis.workflow.node_types import NodeType
from analysis.workflow.templates import is_dynamic
from analysis.workflow.violations import Violation, pointer

DAY: Final = 86_400.0

Json = dict[str, Any]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a node that fails: tried again after `interval` seconds, doubled each time, then `on_error`."""

    retry_max: Annotated[int, Meta(ge=0, le=20)] = 0
    interval: Annotated[float, Meta(ge=0, le=DAY)] = 1.0
    timeout: Annotated[float, Meta(gt=0, le=366 * DAY)] | None = None
    on_error: Literal["fail", "continue", "branch"] = "fail"


def check_parameters(node_id: str, params: Json, node_type: NodeType) -> Iterator[Violation]:
    """One violation for each parameter that is missing, unknown or not of its schema."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(node_type.params)}
    for name, field in fields.items():
        path = pointer("nodes", node_id, "params", name)
        if name not in params:
            if field.required:
                message = f"the parameter {name!r} is missing"
                yield Violation("parameter.missing", path, message, node=node_id, fix=f"give {name!r} a value")
        elif (wrong := _wrong(params[name], field.type, literal=name in node_type.literal)) is not None:
            yield Violation("parameter.invalid", path, f"the parameter {name!r} is not right: {wrong}", node=node_id)
    for name in params.keys() - fields.keys():
        path = pointer("nodes", node_id, "params", name)
        known = ", ".join(fields) or "none"
        message = f"a node of type {node_type.type!r} has no parameter {name[:60]!r}; it has {known}"
        yield Violation("parameter.unknown", path, message, "warning", node=node_id, fix="remove it")


def check_policy(node_id: str, policy: Json) -> Iterator[Violation]:
    for field in msgspec.structs.fields(Policy):
        if field.name in policy and (wrong := _wrong(policy[field.name], field.type, literal=True)) is not None:
            path = pointer("nodes", node_id, "policy", field.name)
            yield Violation("policy.invalid", path, f"{field.name!r} of the policy is not right: {wrong}", node=node_id)


def _wrong(value: Any, expected: Any, *, literal: bool) -> str | None:
    """What is wrong with a value, None for nothing; what comes from the run is known only then."""
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        return None if not literal and is_dynamic(value) else _plain(error)
    return None


def _plain(error: msgspec.ValidationError) -> str:
    """The library's message without its backquotes, the place in words."""
    text = re.sub(r" - at `(?:key in )?\$(?:\.\.\.)?(.*)`$", lambda at: f" (at {at[1]})" if at[1] else "", str(error))
    return text[:1].lower() + text[1:].replace("`", "'")

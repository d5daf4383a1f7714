"""For any operation, a request that its schema allows and that is about what is there: made from the registry alone.

What cannot be guessed from types, as a name that follows a pattern, stands in a table here. An operation that needs
more fails where it is made, and says which field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from msgspec import inspect, structs

from handlers.registry import METHODS, Operation

# By the field's name, whichever the operation.
NAMED: Mapping[str, Any] = {
    "workspace_id": "demo",
    "document_id": "welcome",
    "source_id": 2,
    "data_source_id": 2,
    "dataset_id": 2,
    "target_id": 3,
    "other_id": 2,
    "user_id": "admin",
    "feed": "activity",
    "column": "symbol",
    "number": 1,
    "time_zone": "UTC",
}
_RULE = {"query": {"kind": "threshold", "selector": {"metric": "load"}, "op": ">", "threshold": 1}}
# By the operation's name and the field's.
OF_OPERATIONS: Mapping[str, Mapping[str, Any]] = {
    "notifications.mark_read": {"up_to": 1},
    "collaboration.diff.get": {"from": "1"},
    "alert_rules.create": {"spec": _RULE},
    "alert_rules.preview_unsaved": {"spec": _RULE},
    "security.advisories.import": {"body": ""},
    "push_keys.revoke": {"data_source_id": 1},
    "workflow.runs.start": {"workflow_id": 2},
    "workflow.definitions.create": {"title": "Nightly"},
    "workflow.definitions.import": {"file": {"schema": "workflow/v1", "nodes": {}, "edges": {}}},
    "workflow.versions.diff": {"from_version": "1", "to_version": "draft"},
    "analytics.results.diff": {"result_id": 1, "other_id": 1},
    "analytics.predictions": {"dataset_id": 1, "target": "latitude"},
    "analytics.verdicts.decide": {"dataset_id": 1},
    "analytics.verdicts.take_back": {"dataset_id": 1},
    # No statement of the demo's sources was counted; that the source is another's is asked first.
    "metrics.statements.get": {"key": "0123456789abcdef"},
}
UNTIL = "2100-01-01T00:00:00Z"


class CannotFill(AssertionError):
    """A request for this operation could not be made."""


def is_id(name: str) -> bool:
    return name.endswith("_id") and name != "kept_id"


def parameters_of(operation: Operation, ids: Mapping[str, Any], *, with_optional_ids: bool = False) -> dict[str, Any]:
    """The required fields, the ids that are known, and nothing else. Raises CannotFill."""
    given = {**NAMED, **ids, **OF_OPERATIONS.get(operation.name, {})}
    own = OF_OPERATIONS.get(operation.name, {})
    filled: dict[str, Any] = {}
    for field in structs.fields(operation.request):
        name = field.encode_name
        asked = field.required or name in own or name == "workspace_id" or (with_optional_ids and is_id(name))
        if asked:
            filled[name] = given[name] if name in given else smallest(field.type)
    try:
        msgspec.convert(filled, operation.request)
    except msgspec.ValidationError as error:
        raise CannotFill(f"{operation.name}: {error}: say in {__name__} what to ask it") from None
    return filled


def smallest(annotation: Any) -> Any:
    """A small JSON-like value of the type."""
    return _smallest(inspect.type_info(annotation))


def _smallest(shape: inspect.Type) -> Any:
    match shape:
        case inspect.Metadata():
            examples = (shape.extra_json_schema or {}).get("examples")
            return examples[0] if examples else _smallest(shape.type)
        case inspect.IntType() | inspect.FloatType():
            return max(1, shape.ge or 1)
        case inspect.StrType():
            return "x" * max(1, shape.min_length or 1)
        case inspect.BoolType():
            return True
        case inspect.DateTimeType():
            return UNTIL
        case inspect.EnumType() | inspect.LiteralType():
            return shape.values[0] if isinstance(shape, inspect.LiteralType) else next(iter(shape.cls)).value
        case inspect.ListType() | inspect.VarTupleType():
            return [_smallest(shape.item_type)] * (shape.min_length or 0)
        case inspect.UnionType():
            return _smallest(next(each for each in shape.types if not isinstance(each, inspect.NoneType)))
        case inspect.StructType():
            tag = {} if shape.tag_field is None else {shape.tag_field: shape.tag}
            return tag | {field.encode_name: _smallest(field.type) for field in shape.fields if field.required}
        case inspect.DictType():
            return {}
        case _:
            raise CannotFill(f"no value of {shape}: say in {__name__} what to ask")


def path_ids(operation: Operation, whoever_may: httpx.Client) -> dict[str, Any]:
    """What the operation's path names, each the first of the list that the path before it is of.

    So `/integrations/{integration_id}/deliveries/{delivery_id}` is about the first delivery of the first integration.
    Where there is none, it is a small id that may be nobody's.
    """
    own = OF_OPERATIONS.get(operation.name, {})
    types = {field.encode_name: field.type for field in structs.fields(operation.request)}
    found: dict[str, Any] = {}
    walked = ""
    for part in operation.path.strip("/").split("/"):
        name = part[1:-1] if part.startswith("{") else None
        if name is not None:
            known = own.get(name, NAMED.get(name)) or _first_of(walked, name, whoever_may)
            found[name] = smallest(types[name]) if known is None else known
        walked += f"/{part if name is None else found[name]}"
    return found


def _first_of(path: str, name: str, client: httpx.Client) -> Any:
    """None where the path is of no list, or of one that is empty."""
    for query in ({"workspace_id": NAMED["workspace_id"]}, {}):
        answer = client.get(path, params=query)
        if answer.is_success and (items := answer.json().get("items")):
            return items[0].get("id", items[0].get(name))
    return None


def send(client: httpx.Client, operation: Operation, parameters: Mapping[str, Any]) -> httpx.Response:
    """The answer over HTTP, wherever the parameters belong."""
    assert operation.method in METHODS
    path, rest = operation.path, dict(parameters)
    for name in operation.path_parameters:
        path = path.replace(f"{{{name}}}", str(rest.pop(name)))
    if operation.method in ("GET", "DELETE"):
        return client.request(operation.method, path, params=rest)
    if set(rest) >= {"body"}:
        body = rest.pop("body")
        if isinstance(body, str):
            headers = {"Content-Type": "application/octet-stream"}
            return client.request(operation.method, path, params=rest, content=body.encode(), headers=headers)
        return client.request(operation.method, path, params=rest, json=body)
    return client.request(operation.method, path, json=rest)

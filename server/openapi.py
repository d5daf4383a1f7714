"""OpenAPI 3.1 out of the registry: what is documented is what is served."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from http import HTTPStatus
from importlib import metadata
from typing import Any, get_origin

import msgspec
from msgspec import UNSET, UnsetType, structs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.registry import (
    Binary,
    Operation,
    OperationError,
    Page,
    Permission,
    errors_of,
)
from server.parameters import BODY, CONTENT_TYPE, field_types, has_list, takes_bytes, without
from server.problems import PROBLEM_TYPE, REQUEST_ID_HEADER, Problem, request_id_of
from server.representation import JSON, MESSAGEPACK, NDJSON, OCTETS, UnsupportedMediaType

Json = dict[str, Any]

# Results that are no JSON: bytes of their own, and nothing.
_NO_SCHEMA = (Binary, type(None))

_REFERENCE = "#/components/schemas/{name}"
_ABOUT = " ".join(
    (
        "Send `Authorization: Bearer TOKEN` (a token or an API key).",
        "Bodies are JSON, or MessagePack by `Content-Type` and `Accept: application/msgpack`.",
        "Lists are paged: pass `next_cursor` as `cursor`, or ask for the whole list, an item a line, with",
        "`Accept: application/x-ndjson`.",
        "Errors are problem documents (RFC 9457); every answer carries `X-Request-Id`.",
    )
)


def build_openapi(operations: Sequence[Operation]) -> Json:
    """The OpenAPI 3.1 document of the operations."""
    schemas = _Schemas(operations)
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, schemas)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Collaboration Studio", "version": _version(), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name} for name in sorted({_tag(operation) for operation in operations})],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": _problems(operations),
            "headers": {
                REQUEST_ID_HEADER: {"description": "Quote it if something went wrong.", "schema": {"type": "string"}}
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A signed token or an API key (`csk_…`)."}
            },
        },
    }


def openapi_route(operations: Sequence[Operation]) -> Route:
    """`GET /openapi.json`, for everybody: it says what can be asked, not what is there."""
    # Not before somebody asks: it takes a quarter of a second, and few ever do.
    write = functools.cache(lambda: msgspec.json.encode(build_openapi(operations)))

    async def openapi(request: Request) -> Response:
        body = await asyncio.to_thread(write)
        return Response(body, headers={REQUEST_ID_HEADER: request_id_of(request)}, media_type=JSON)

    return Route("/openapi.json", openapi, include_in_schema=False)


def _version() -> str:
    try:
        return metadata.version("collab-studio")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "0.0.0+checkout"


def _tag(operation: Operation) -> str:
    """Operations are grouped by all of their name but the last word."""
    return operation.name.rpartition(".")[0] or operation.name


class _Schemas:
    """The JSON Schema of every type the operations use, each named once."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._types: list[Any] = [Problem]
        for operation in operations:
            self._types.extend(without(annotation, UnsetType) for annotation in field_types(operation.request).values())
            self._types.extend(result for result in operation.results if result not in _NO_SCHEMA)
        found, self.components = msgspec.json.schema_components(self._types, ref_template=_REFERENCE)
        # Types need not be hashable, and two of one name look alike: those that look alike are compared.
        self._found: dict[str, list[tuple[Any, Json]]] = {}
        for type_, schema in zip(self._types, found, strict=True):
            self._found.setdefault(repr(type_), []).append((type_, schema))

    def of(self, annotation: Any) -> Json:
        """The schema of a type that was among the operations', or a reference to it."""
        wanted = without(annotation, UnsetType)
        return dict(next(schema for type_, schema in self._found[repr(wanted)] if type_ == wanted))

    def name(self, name: str, schema: Json) -> Json:
        """Puts a schema under a name of its own and answers with the reference."""
        self.components[name] = schema
        return {"$ref": _REFERENCE.format(name=name)}


def _describe(operation: Operation, schemas: _Schemas) -> Json:
    """One operation object."""
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [_tag(operation)],
        "x-permission": operation.permission.value,
        "parameters": _parameters(operation, schemas),
        "responses": {**_success(operation, schemas), **_failures(operation)},
    }
    if body := _request_body(operation, schemas):
        described["requestBody"] = body
    if description := _own_doc(operation.request):
        described["description"] = description
    if operation.watched is not None:
        described["x-watched"] = True
    if operation.permission is Permission.PUBLIC:
        described["security"] = []
    return described


def _own_doc(request: type[msgspec.Struct]) -> str:
    return (request.__doc__ or "").strip()


def _fields(operation: Operation) -> tuple[list[structs.FieldInfo], list[structs.FieldInfo], list[structs.FieldInfo]]:
    """The request's fields by where a client puts them: path, query, body. Binary beside JSON is told apart later."""
    path, query, body = [], [], []
    fields = structs.fields(operation.request)
    # Where one field is the whole body, no other can be in it.
    has_whole_body = any(field.encode_name == BODY and not takes_bytes(field.type) for field in fields)
    for field in fields:
        if field.encode_name in operation.path_parameters:
            path.append(field)
        elif operation.method in ("GET", "DELETE") or (has_whole_body and field.encode_name != BODY):
            query.append(field)
        else:
            body.append(field)
    return path, query, body


def _parameters(operation: Operation, schemas: _Schemas) -> list[Json]:
    path, query, _ = _fields(operation)
    return [_parameter(field, "path", schemas) for field in path] + [
        _parameter(field, "query", schemas) for field in query
    ]


def _parameter(field: structs.FieldInfo, where: str, schemas: _Schemas) -> Json:
    schema = _without_nul(_not_null(_field_schema(field, schemas)))
    parameter: Json = {"name": field.encode_name, "in": where, "required": where == "path" or field.required}
    if description := schema.pop("description", None):
        parameter["description"] = description
    parameter["schema"] = schema
    if has_list(field.type):
        parameter |= {"style": "form", "explode": True}
    return parameter


def _not_null(schema: Json) -> Json:
    """A parameter in an address is there or not; it cannot be null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return dict(choices[0]) if len(choices) == 1 else schema


def _without_nul(schema: Json) -> Json:
    """A text in an address holds no U+0000; where another pattern says what it may hold, that says so."""
    if schema.get("type") == "array":
        return {**schema, "items": _without_nul(schema["items"])}
    is_free = schema.get("type") == "string" and not schema.keys() & {"pattern", "format", "enum"}
    return {**schema, "pattern": r"^[^\u0000]*$"} if is_free else schema


def _field_schema(field: structs.FieldInfo, schemas: _Schemas) -> Json:
    schema = schemas.of(field.type)
    if field.default not in (msgspec.NODEFAULT, UNSET, None):
        schema["default"] = msgspec.to_builtins(field.default)
    return schema


def _request_body(operation: Operation, schemas: _Schemas) -> Json | None:
    _, _, fields = _fields(operation)
    if not fields:
        return None
    named = {field.encode_name: field for field in fields}
    content: Json = {}
    body = named.get(BODY)
    if body is not None and takes_bytes(body.type):
        content[OCTETS] = {"schema": {}}
        named.pop(BODY)
        named.pop(CONTENT_TYPE, None)
        if not named:
            return {"required": body.required, "content": content}
    if body is not None and BODY in named:
        schema, required = schemas.of(body.type), body.required
    else:
        schema = schemas.name(f"{operation.name}.body", _object(named, schemas))
        required = any(field.required for field in named.values())
    return {"required": required, "content": {JSON: {"schema": schema}, MESSAGEPACK: {"schema": schema}, **content}}


def _object(fields: dict[str, structs.FieldInfo], schemas: _Schemas) -> Json:
    schema: Json = {
        "type": "object",
        "properties": {name: _field_schema(field, schemas) for name, field in fields.items()},
        "additionalProperties": False,
    }
    if required := [name for name, field in fields.items() if field.required]:
        schema["required"] = required
    return schema


_HEADERS = {REQUEST_ID_HEADER: {"$ref": f"#/components/headers/{REQUEST_ID_HEADER}"}}


def _success(operation: Operation, schemas: _Schemas) -> Json:
    answers: Json = {}
    if type(None) in operation.results:
        answers["204"] = {"description": "Done.", "headers": _HEADERS}
    if content := _result_content(operation, schemas):
        phrase = HTTPStatus(operation.status).phrase
        answers[str(operation.status)] = {"description": phrase, "headers": _HEADERS, "content": content}
    return answers


def _result_content(operation: Operation, schemas: _Schemas) -> Json:
    content: Json = {}
    if choices := [schemas.of(result) for result in operation.results if result not in _NO_SCHEMA]:
        schema = choices[0] if len(choices) == 1 else {"anyOf": choices}
        content = {JSON: {"schema": schema}, MESSAGEPACK: {"schema": schema}}
    if get_origin(operation.result) is Page:
        content[NDJSON] = {"schema": {"type": "string", "description": "One item, as in `items`, a line."}}
    if Binary in operation.results:
        content |= {media_type: {"schema": {}} for media_type in operation.media_types}
    return content


def _failures(operation: Operation) -> Json:
    return {str(status): {"$ref": f"#/components/responses/{_problem_name(status)}"} for status in _codes([operation])}


def _problems(operations: Sequence[Operation]) -> Json:
    """One response for each status of an error. Its codes are told; more precise ones may stand in their place."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": _REFERENCE.format(name=Problem.__name__)}}}
    return {
        _problem_name(status): {
            "description": f"{HTTPStatus(status).phrase} ({', '.join(f'`{code}`' for code in codes)})",
            "headers": _HEADERS,
            "content": content,
        }
        for status, codes in _codes(operations).items()
    }


def _problem_name(status: int) -> str:
    return f"Problem{status}"


def _codes(operations: Sequence[Operation]) -> dict[int, list[str]]:
    """The codes of the errors that the operations may answer with, by status."""
    errors: set[type[OperationError]] = set()
    for operation in operations:
        errors.update(errors_of(operation))
        if _fields(operation)[2]:
            errors.add(UnsupportedMediaType)
    codes: dict[int, list[str]] = {}
    for error in sorted(errors, key=lambda error: (error.status, error.default_code)):
        codes.setdefault(error.status, []).append(error.default_code)
    return codes

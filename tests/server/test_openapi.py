"""The OpenAPI document is valid, complete, and true of what is sent and answered."""

import enum
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from http_node import Node, play
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator

from handlers.catalogue import OPERATIONS
from handlers.registry import Binary, Context, Operation, Page, Permission, errors_of
from server.batch import batch_operation
from server.openapi import build_openapi

TABLE = (*OPERATIONS, batch_operation(OPERATIONS))
API: dict[str, Any] = json.loads(msgspec.json.encode(build_openapi(TABLE)))

each = pytest.mark.parametrize("operation", TABLE, ids=lambda operation: operation.name)


def described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = API["paths"][operation.path][operation.method.lower()]
    return found


def test_it_is_openapi_3_1() -> None:
    assert API["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(API).validate()


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    used = set(references(API))
    defined = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in API["components"][kind]
    }
    assert used == defined


def test_it_holds_the_operations_and_no_others() -> None:
    listed = {
        (method.upper(), path, operation["operationId"])
        for path, methods in API["paths"].items()
        for method, operation in methods.items()
    }
    assert listed == {(operation.method, operation.path, operation.name) for operation in TABLE}


@each
def test_every_parameter_is_somewhere_once(operation: Operation) -> None:
    page = described(operation)
    outside = [parameter["name"] for parameter in page["parameters"]]
    content = page.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = API["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    inside = list(schema.get("properties", ())) if schema.get("type") == "object" else []
    fields = set(operation.request.__struct_encode_fields__)
    assert len(outside) == len(set(outside))
    assert not set(outside) & set(inside)
    assert fields - set(outside) - set(inside) <= {"body", "content_type"}
    assert set(operation.path_parameters) <= set(outside)


@each
def test_every_answer_is_described(operation: Operation) -> None:
    responses = described(operation)["responses"]
    assert {str(error.status) for error in errors_of(operation)} <= set(responses)
    assert any(status.startswith("2") for status in responses)
    if operation.result is None:
        assert responses.keys() >= {"204"}
    else:
        assert responses[str(operation.status)]["content"]


@each
def test_only_public_operations_need_no_credential(operation: Operation) -> None:
    assert (described(operation).get("security") == []) == (operation.permission is Permission.PUBLIC)


def test_it_is_served_to_everybody(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client(None).get("/openapi.json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-request-id"]
        assert answer.json() == API

    play(tmp_path, scenario)


class Odd(msgspec.Struct, kw_only=True):
    """Fields of every kind that needs care."""

    name: str
    tags: list[str] = []
    body: bytes | None = None
    content_type: str | None = None
    text: str | msgspec.UnsetType = msgspec.UNSET
    size: int | str | msgspec.UnsetType = 4


class Plain(msgspec.Struct):
    value: int


async def odd(context: Context, request: Odd) -> None:
    """Does nothing."""


def test_odd_requests_and_results_are_described() -> None:
    table = (
        Operation("odd.get", Odd, Plain | Binary, odd, "GET /odd/{name}", Permission.PUBLIC, "Get."),
        Operation("odd.put", Odd, Plain | None, odd, "PUT /odd/{name}", Permission.PUBLIC, "Put."),
        Operation("odd.list", Odd, Page[Plain], odd, "GET /odd", Permission.PUBLIC, "List."),
    )
    api = json.loads(msgspec.json.encode(build_openapi(table)))
    OpenAPIV31SpecValidator(api).validate()
    get, put = api["paths"]["/odd/{name}"]["get"], api["paths"]["/odd/{name}"]["put"]
    parameters = {parameter["name"]: parameter for parameter in get["parameters"]}
    assert parameters["tags"]["explode"] is True
    # A text in an address holds no U+0000, and says so.
    assert parameters["text"]["schema"] == {"type": "string", "pattern": r"^[^\u0000]*$"}
    assert parameters["tags"]["schema"]["items"] == {"type": "string", "pattern": r"^[^\u0000]*$"}
    assert parameters["size"]["schema"]["default"] == 4
    assert set(get["responses"]["200"]["content"]) == {
        "application/json",
        "application/msgpack",
        "application/octet-stream",
    }
    assert set(put["requestBody"]["content"]) == {
        "application/json",
        "application/msgpack",
        "application/octet-stream",
    }
    assert put["requestBody"]["required"] is False
    assert set(api["components"]["schemas"]["odd.put.body"]["properties"]) == {"tags", "text", "size"}
    assert {"200", "204"} <= set(put["responses"])
    assert "application/x-ndjson" in api["paths"]["/odd"]["get"]["responses"]["200"]["content"]


class Orchard:
    class Kind(enum.Enum):
        APPLE = "apple"
        PEAR = "pear"


class Mine:
    class Kind(enum.Enum):
        IRON = "iron"


def test_two_types_of_one_name_are_told_apart() -> None:
    pick = msgspec.defstruct("Pick", [("kind", Orchard.Kind)])
    melt = msgspec.defstruct("Melt", [("kind", Mine.Kind)])
    api = build_openapi(
        (
            Operation("fruit.pick", pick, None, odd, "POST /fruit", Permission.PUBLIC, "Pick."),
            Operation("metal.melt", melt, None, odd, "POST /metal", Permission.PUBLIC, "Melt."),
        )
    )
    schemas = api["components"]["schemas"]

    def kinds(name: str) -> list[str]:
        reference = schemas[f"{name}.body"]["properties"]["kind"]["$ref"]
        found: list[str] = schemas[reference.removeprefix("#/components/schemas/")]["enum"]
        return found

    assert (kinds("fruit.pick"), kinds("metal.melt")) == (["apple", "pear"], ["iron"])


# What is said is what is sent


def check(schema: dict[str, Any], value: Any) -> None:
    whole = {**schema, "components": API["components"]}
    OAS31Validator(whole, format_checker=oas31_format_checker).validate(value)


def operation_of(request: httpx.Request) -> Operation:
    def fits(operation: Operation) -> bool:
        pattern = re.sub(r"\{[^}]*\}", "[^/]+", operation.path)
        return operation.method == request.method and re.fullmatch(pattern, request.url.path) is not None

    [operation] = filter(fits, TABLE)
    return operation


async def check_request(request: httpx.Request) -> None:
    if request.content:
        body = described(operation_of(request))["requestBody"]["content"]["application/json"]
        check(body["schema"], json.loads(request.content))


async def check_response(response: httpx.Response) -> None:
    described_response = described(operation_of(response.request))["responses"][str(response.status_code)]
    if "$ref" in described_response:
        described_response = API["components"]["responses"][described_response["$ref"].rpartition("/")[2]]
    content = await response.aread()
    if response.status_code == 204:
        assert content == b""
        return
    media_type = described_response["content"][response.headers["content-type"]]
    check(media_type["schema"], json.loads(content))


def test_answers_are_as_described(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        admin, ada, nobody = node.client("admin"), node.client("ada"), node.client(None)
        for client in (admin, ada, nobody):
            client.event_hooks = {"request": [check_request], "response": [check_response]}
        where = "/collaboration/workspaces"
        statuses = [
            (await ada.get("/me")).status_code,
            (await nobody.get("/me")).status_code,
            (await admin.get("/users")).status_code,
            (await ada.get("/users")).status_code,
            (await admin.post("/users/ada/activate")).status_code,
            (await admin.post("/users/admin/deactivate")).status_code,
            (await ada.post("/api-keys", json={"name": "job", "expires_at": "2027-01-01T00:00:00Z"})).status_code,
            (await ada.get("/api-keys")).status_code,
            (await ada.delete("/api-keys/1")).status_code,
            (await ada.post("/tickets")).status_code,
            (await ada.post(where, json={"id": "lab", "title": None})).status_code,
            (await ada.get(where)).status_code,
            (await ada.get(f"{where}/lab")).status_code,
            (await ada.patch(f"{where}/lab", json={"title": "The Lab"})).status_code,
            (await ada.post(f"{where}/lab/members", json={"user_id": "admin", "role": "viewer"})).status_code,
            (await ada.put(f"{where}/lab/members/admin", json={"role": "editor"})).status_code,
            (await ada.put(f"{where}/lab/members/ada", json={"role": "viewer"})).status_code,
            (await ada.get(f"{where}/lab/members")).status_code,
            (await ada.delete(f"{where}/lab/members/admin")).status_code,
            (await ada.delete(f"{where}/lab/members/admin")).status_code,
            (
                await ada.post("/batch", json=[{"id": 1, "operation": "users.me"}, {"id": "b", "operation": "x"}])
            ).status_code,
            (await admin.get("/audit")).status_code,
            (await admin.get("/audit/verification")).status_code,
            (await ada.delete(f"{where}/lab")).status_code,
        ]
        assert statuses == [
            200, 401, 200, 403, 200, 409, 201, 200, 204, 201, 201, 200,
            200, 200, 201, 200, 409, 200, 204, 404, 200, 200, 200, 204,
        ]  # fmt: skip

    play(tmp_path, scenario)

"""HTTP around operations: media types, problem documents, request ids, limits, streams."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from http_node import Node, play

from handlers.access import Role
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.parts import Limits
from handlers.registry import (
    Binary,
    Context,
    Forbidden,
    Operation,
    Page,
    Permission,
    RateLimited,
)
from server.http import build_routes


class Nothing(msgspec.Struct):
    pass


class Numbers(msgspec.Struct, kw_only=True):
    count: int = 7
    fail_at: int = 10_000
    cursor: Cursor | None = None
    limit: Limit = 3


class Number(msgspec.Struct):
    value: int


class Upload(msgspec.Struct, kw_only=True):
    name: str
    text: str = ""
    body: bytes = b""
    content_type: str = ""


class Patch(msgspec.Struct):
    name: str
    body: list[Annotated[int, msgspec.Meta(ge=0)]]


class Echo(msgspec.Struct):
    name: str
    size: int
    content_type: str


async def list_numbers(context: Context, request: Numbers) -> Page[Number]:
    first = (decode_cursor("numbers", request.cursor, int) or 0) + 1
    if first >= request.fail_at:
        raise Forbidden("You were sent away.")
    rows = list(range(first, min(first + request.limit + 1, request.count + 1)))
    return page_of(rows, request.limit, "numbers", key=lambda row: row, item=Number)


async def put_upload(context: Context, request: Upload) -> Echo:
    return Echo(request.name, len(request.body or request.text), request.content_type)


async def get_bytes(context: Context, request: Nothing) -> Binary:
    return Binary(media_type="application/octet-stream", data=b"\0\1")


async def patch(context: Context, request: Patch) -> int:
    return sum(request.body)


async def nothing(context: Context, request: Nothing) -> None:
    """Does nothing."""


async def break_down(context: Context, request: Nothing) -> None:
    raise RuntimeError("a secret of the house")


async def hurry(context: Context, request: Nothing) -> None:
    raise RateLimited("Not so fast.", details={"retry_after": 2.4})


def operation(
    name: str,
    request: type[msgspec.Struct],
    result: Any,
    handler: Any,
    route: str,
    permission: Permission = Permission.PUBLIC,
) -> Operation:
    return Operation(name, request, result, handler, route, permission, f"{name}.")


OPERATIONS = (
    operation("numbers.list", Numbers, Page[Number], list_numbers, "GET /numbers"),
    operation("numbers.special", Nothing, Binary, get_bytes, "GET /uploads/special"),
    operation("uploads.put", Upload, Echo, put_upload, "PUT /uploads/{name}"),
    operation("uploads.patch", Patch, int, patch, "PATCH /uploads/{name}"),
    operation("uploads.make", Upload, Echo, put_upload, "POST /signed/{name}", Permission.SIGNED_IN),
    operation("nothing", Nothing, None, nothing, "DELETE /nothing"),
    operation("broken", Nothing, None, break_down, "GET /broken"),
    operation("hurried", Nothing, None, hurry, "GET /hurried"),
)

PROBLEM = "application/problem+json"


def scene(tmp_path: Path, scenario: Any, **limits: int) -> None:
    play(tmp_path, scenario, operations=OPERATIONS, limits=Limits(**limits))


def test_json_unless_asked_otherwise(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client(None)
        for accept in ("*/*", "application/json", "text/html", ""):
            answer = await client.get("/numbers", headers={"Accept": accept})
            assert answer.headers["content-type"] == "application/json"
            assert answer.json()["items"] == [{"value": 1}, {"value": 2}, {"value": 3}]
            assert answer.headers["vary"] == "Accept"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"

    scene(tmp_path, scenario)


def test_messagepack_both_ways(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        content = msgspec.msgpack.encode({"body": b"\xff" * 5})
        headers = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
        answer = await node.client(None).put("/uploads/a", content=content, headers=headers)
        assert answer.headers["content-type"] == "application/msgpack"
        assert msgspec.msgpack.decode(answer.content) == {"name": "a", "size": 5, "content_type": ""}

    scene(tmp_path, scenario)


def test_bodies_of_three_kinds(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client(None)
        as_json = await client.put("/uploads/a", json={"text": "four"})
        raw = await client.put("/uploads/a", content=b"12345", headers={"Content-Type": "text/plain; charset=utf-8"})
        bare = await client.put("/uploads/a", content=b"123456")
        assert as_json.json() == {"name": "a", "size": 4, "content_type": ""}
        assert raw.json() == {"name": "a", "size": 5, "content_type": "text/plain"}
        assert bare.json() == {"name": "a", "size": 6, "content_type": "application/octet-stream"}
        headers = {"Content-Type": "application/json-patch+json"}
        assert (await client.patch("/uploads/a", content=b"[1, 2]", headers=headers)).json() == 3
        assert (await client.patch("/uploads/a", content=b"[-1]", headers=headers)).json()["details"] == {
            "parameter": "body[0]"
        }

    scene(tmp_path, scenario)


def test_path_wins_over_query_over_body(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        body = {"name": "body", "text": "1"}
        query = {"name": "query", "text": "22"}
        answer = await node.client(None).put("/uploads/path", params=query, json=body)
        assert answer.json() == {"name": "path", "size": 2, "content_type": ""}

    scene(tmp_path, scenario)


def test_bytes_are_answered_as_bytes_and_a_fixed_path_comes_first(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client(None).get("/uploads/special")
        assert (answer.content, answer.headers["content-type"]) == (b"\0\1", "application/octet-stream")

    scene(tmp_path, scenario)


def test_nothing_is_204(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client(None).delete("/nothing")
        assert (answer.status_code, answer.content) == (204, b"")

    scene(tmp_path, scenario)


def check_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == PROBLEM
    assert set(problem) == {"type", "title", "status", "detail", "code", "message", "details", "request_id"}
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"] == problem["message"] != ""
    return problem


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/uploads", 404, "not_found"),
        ("GET", "/uploads/a/b", 404, "not_found"),
        ("DELETE", "/uploads/a", 405, "method_not_allowed"),
        ("PROPFIND", "/numbers", 405, "method_not_allowed"),
        ("GET", "/numbers?limit=x", 400, "invalid_request"),
        ("GET", "/numbers?limit=0", 400, "invalid_request"),
        ("GET", "/numbers?limit=1&limit=2", 400, "invalid_request"),
        ("GET", "/numbers?nonsense=1", 400, "invalid_request"),
        ("GET", "/numbers?cursor=zzz", 400, "bad_cursor"),
        ("GET", "/hurried", 429, "rate_limited"),
        ("POST", "/signed/a", 401, "not_authenticated"),
    ],
)
def test_every_refusal_is_a_problem_document(tmp_path: Path, method: str, path: str, status: int, code: str) -> None:
    async def scenario(node: Node) -> None:
        check_problem(await node.client(None).request(method, path), status, code)

    scene(tmp_path, scenario)


def test_refusals_carry_the_headers_clients_look_for(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client(None)
        assert (await client.delete("/uploads/a")).headers["allow"] == "PATCH, PUT"
        assert (await client.get("/hurried")).headers["retry-after"] == "2"
        assert (await client.post("/signed/a")).headers["www-authenticate"] == "Bearer"

    scene(tmp_path, scenario)


def test_a_malformed_body_is_a_problem(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client(None)
        json_type = {"Content-Type": "application/json"}
        for body in (b"{", b"\xff", b"[]", b"[" * 100_000):
            check_problem(await client.put("/uploads/a", content=body, headers=json_type), 400, "malformed_body")
        unsupported = await client.patch("/uploads/a", content=b"a=1", headers={"Content-Type": "text/csv"})
        check_problem(unsupported, 415, "unsupported_media_type")

    scene(tmp_path, scenario)


def test_a_fault_of_ours_tells_nothing_but_its_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client(None).get("/broken", headers={"X-Request-Id": "find-me"})
        problem = check_problem(answer, 500, "internal")
        assert "secret" not in answer.text
        assert problem["request_id"] == "find-me"
        assert "find-me" in caplog.text
        assert "a secret of the house" in caplog.text

    scene(tmp_path, scenario)


def test_a_request_id_is_taken_over_or_made(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client(None)
        given = await client.get("/numbers", headers={"X-Request-Id": "abc-1.2:3"})
        assert given.headers["x-request-id"] == "abc-1.2:3"
        for odd in ("", "a b", "x" * 65, "<script>", "a\tb"):
            made = (await client.get("/numbers", headers={"X-Request-Id": odd})).headers["x-request-id"]
            assert made != odd
            assert len(made) == 16
        assert len({(await client.get("/nowhere")).headers["x-request-id"] for _ in range(10)}) == 10

    scene(tmp_path, scenario)


async def chunks(count: int, taken: list[int]) -> AsyncIterator[bytes]:
    for number in range(count):
        taken.append(number)
        yield b"x" * 1000


def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client(None)
        assert (await client.put("/uploads/a", content=b"x" * 5000)).json()["size"] == 5000
        declared = await client.put("/uploads/a", content=b"x" * 5001)
        assert check_problem(declared, 413, "too_large")["details"] == {"limit": 5000}
        streamed = await client.put("/uploads/a", content=chunks(100, []))
        check_problem(streamed, 413, "too_large")

    scene(tmp_path, scenario, body_bytes=5000)


def test_a_strangers_body_is_not_read(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        taken: list[int] = []
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            taken.append(1)
            return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        await node.app(scope_of("POST", "/signed/a"), receive, send)
        assert sent[0]["status"] == 401
        assert taken == []

    scene(tmp_path, scenario)


def test_head_is_get_without_an_operation_of_its_own(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client(None).head("/numbers")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")

    scene(tmp_path, scenario)


def lines_of(answer: httpx.Response) -> list[Any]:
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text == "" or answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7, 1000])
def test_a_list_streams_whole(tmp_path: Path, count: int) -> None:
    async def scenario(node: Node) -> None:
        headers = {"Accept": "application/x-ndjson"}
        for parameters in ({"count": count}, {"count": count, "limit": 3}):
            answer = await node.client(None).get("/numbers", params=parameters, headers=headers)
            assert lines_of(answer) == [{"value": number} for number in range(1, count + 1)]

    scene(tmp_path, scenario)


def test_a_stream_that_fails_says_so_in_its_last_line(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        headers = {"Accept": "application/x-ndjson"}
        parameters = {"limit": 3, "fail_at": 5}
        answer = await node.client(None).get("/numbers", params=parameters, headers=headers)
        *items, last = lines_of(answer)
        assert items == [{"value": number} for number in range(1, 7)]
        assert (last["problem"]["status"], last["problem"]["message"]) == (403, "You were sent away.")
        refused = await node.client(None).get("/numbers", params={"fail_at": 1}, headers=headers)
        check_problem(refused, 403, "forbidden")

    scene(tmp_path, scenario)


def test_what_is_no_list_does_not_stream(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client(None).put("/uploads/a", json={}, headers={"Accept": "application/x-ndjson"})
        assert answer.json() == {"name": "a", "size": 0, "content_type": ""}

    scene(tmp_path, scenario)


def test_a_credential_that_does_not_hold_is_refused_and_audited(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        problem = check_problem(await node.client(None, credential="nonsense").get("/me"), 401, "invalid_token")
        assert "nonsense" not in problem["message"]
        [row] = await node.audited()
        assert (row.actor, row.action, row.target, row.outcome) == ("anonymous", "auth.failed", "users.me", "refused")

    play(tmp_path, scenario)


def test_a_membership_lost_ends_a_stream_on_its_way(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER, bob=Role.OWNER, eve=Role.VIEWER)
        members, bob = "/collaboration/workspaces/lab/members", node.client("bob")
        lines: list[Any] = []

        async def send(message: Any) -> None:
            if not message.get("body"):
                return
            if not lines:
                assert (await bob.delete(f"{members}/ada")).status_code == 204
            lines.extend(json.loads(line) for line in message["body"].splitlines())

        headers = {"Accept": "application/x-ndjson", "Authorization": f"Bearer {node.token('ada')}"}
        await node.app(scope_of("GET", members, b"limit=1", headers), nothing_to_read, send)
        assert [line.get("user_id") for line in lines] == ["ada", None]
        assert lines[-1]["problem"]["status"] == 404

    play(tmp_path, scenario)


async def nothing_to_read() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def scope_of(method: str, path: str, query: bytes = b"", headers: dict[str, str] | None = None) -> dict[str, Any]:
    """A request below what an HTTP client shows of it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "root_path": "",
    }


def test_two_operations_cannot_share_a_route(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        with pytest.raises(ValueError, match="share"):
            build_routes((OPERATIONS[0], OPERATIONS[0]), node.parts, nobody)

    async def nobody(headers: Any) -> None:
        return None

    scene(tmp_path, scenario)

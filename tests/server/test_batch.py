"""Many calls in one: side by side, but not too many; each with its own answer, in the order asked."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
from http_node import Node, play

from handlers.access import Role
from handlers.catalogue import OPERATIONS
from handlers.parts import Limits
from handlers.registry import Context, Operation, Permission


class Nothing(msgspec.Struct):
    pass


class Gauge:
    """How many calls run at once; the first ones wait until as many are there as may be."""

    def __init__(self, full_at: int) -> None:
        self.now = self.most = 0
        self.full_at = full_at
        self.full = asyncio.Event()

    async def call(self, context: Context, request: Nothing) -> int:
        self.now += 1
        self.most = max(self.most, self.now)
        if self.now == self.full_at:
            self.full.set()
        async with asyncio.timeout(10):
            await self.full.wait()
        self.now -= 1
        return self.most

    def operation(self) -> Operation:
        return Operation("gauge", Nothing, int, self.call, "GET /gauge", Permission.SIGNED_IN, "Measure.")


async def break_down(context: Context, request: Nothing) -> None:
    raise RuntimeError("a secret of the house")


BROKEN = Operation("broken", Nothing, None, break_down, "GET /broken", Permission.SIGNED_IN, "Break.")


def call(number: int | str, operation: str, **parameters: Any) -> dict[str, Any]:
    return {"id": number, "operation": operation, "parameters": parameters}


async def batch(client: httpx.AsyncClient, *calls: Any) -> list[dict[str, Any]]:
    answer = await client.post("/batch", json=list(calls))
    assert answer.status_code == 200, answer.text
    answers: list[dict[str, Any]] = answer.json()
    return answers


def test_each_call_has_its_own_answer_in_the_order_asked(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        what = "collaboration.workspaces"
        answers = await batch(
            node.client("ada"),
            call(1, "users.me"),
            call("two", f"{what}.get", workspace_id="lab"),
            call(3, f"{what}.delete", workspace_id="lab"),
            call(4, f"{what}.get", workspace_id="nowhere"),
            call(5, f"{what}.get", workspace_id=7),
            call(6, f"{what}.create", id="mine"),
            call(7, "no.such"),
            call(1, "users.me", nonsense=1),
        )
        assert [answer["id"] for answer in answers] == [1, "two", 3, 4, 5, 6, 7, 1]
        assert [answer["status"] for answer in answers] == [200, 200, 403, 404, 400, 201, 404, 400]
        assert answers[0]["result"]["id"] == "ada"
        assert answers[1]["result"]["role"] == "viewer"
        assert answers[2]["error"]["details"] == {"role": "viewer", "needed": "owner"}
        assert answers[6]["error"]["code"] == "unknown_operation"
        assert all(("error" in answer) != ("result" in answer) for answer in answers)
        [deleted] = await batch(node.client("ada"), call(1, f"{what}.delete", workspace_id="mine"))
        assert deleted == {"id": 1, "status": 204, "result": None}

    play(tmp_path, scenario)


def test_an_empty_batch_is_an_empty_answer(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        assert await batch(node.client("ada")) == []

    play(tmp_path, scenario)


def test_calls_run_side_by_side_but_no_more_than_so_many(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        answers = await batch(node.client("ada"), *(call(number, "gauge") for number in range(20)))
        assert [answer["id"] for answer in answers] == list(range(20))
        assert gauge.most == 5

    gauge = Gauge(full_at=5)
    play(tmp_path, scenario, operations=(gauge.operation(),), limits=Limits(batch_concurrency=5))


def test_a_batch_holds_so_many_calls(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client("ada")
        assert len(await batch(client, *[call(0, "users.me")] * 3)) == 3
        refused = await client.post("/batch", json=[call(0, "users.me")] * 4)
        assert (refused.status_code, refused.json()["details"]) == (413, {"limit": 3})

    play(tmp_path, scenario, limits=Limits(batch_items=3))


def test_a_batch_within_a_batch_is_no_operation(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        [answer] = await batch(node.client("ada"), call(1, "batch", body=[]))
        assert answer["error"]["code"] == "unknown_operation"

    play(tmp_path, scenario)


def test_a_fault_in_one_call_leaves_the_others_alone(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        answers = await batch(node.client("ada"), call(1, "broken"), call(2, "users.me"))
        assert [answer["status"] for answer in answers] == [500, 200]
        assert answers[0]["error"]["code"] == "internal"
        assert "secret" not in str(answers)

    play(tmp_path, scenario, operations=(*OPERATIONS, BROKEN))


def test_a_malformed_batch_runs_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = node.client("ada")
        good = call(1, "collaboration.workspaces.create", id="mine")
        bad: list[Any] = [{}, [good, 5], [good, {"id": 2}], [good, {**good, "extra": 1}], [{**good, "id": "x" * 101}]]
        for body in bad:
            answer = await client.post("/batch", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert (await client.get("/collaboration/workspaces")).json()["items"] == []

    play(tmp_path, scenario)


def test_refusals_in_a_batch_are_audited_one_by_one(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await batch(node.client("ada"), call(1, "audit.list"), call(2, "users.list"))
        assert [row.action for row in await node.audited()] == ["audit.list", "users.list"]
        assert (await node.client(None).post("/batch", json=[call(1, "users.me")])).status_code == 401

    play(tmp_path, scenario)


def test_a_batch_in_messagepack(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        headers = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
        content = msgspec.msgpack.encode([call(1, "users.me")])
        answer = await node.client("ada").post("/batch", content=content, headers=headers)
        assert msgspec.msgpack.decode(answer.content)[0]["result"]["id"] == "ada"

    play(tmp_path, scenario)

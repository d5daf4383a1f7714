"""Authorise, validate, run: in this order, whatever comes in."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from http_node import Node, play

from handlers.access import Role
from handlers.dispatch import execute, find, validate
from handlers.registry import (
    Context,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    Operation,
    Permission,
    Unavailable,
)
from storage.errors import Unavailable as StorageUnavailable


class Ask(msgspec.Struct, kw_only=True):
    workspace_id: str
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    parts: list[dict[str, int]] = []


async def answer(context: Context, request: Ask) -> int:
    return request.times


async def refuse(context: Context, request: Ask) -> int:
    raise Forbidden("Not like this.", code="not_so")


async def fail(context: Context, request: Ask) -> int:
    raise StorageUnavailable("locked")


def operation(handler: Any = answer, permission: Permission = Permission.WRITE) -> Operation:
    return Operation("asks.put", Ask, int, handler, "PUT /asks/{workspace_id}", permission, "Ask.")


def test_a_member_gets_an_answer(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        assert await execute(operation(), node.context("ada"), {"workspace_id": "lab", "times": 3}) == 3
        assert await node.audited() == []

    play(tmp_path, scenario)


def test_who_may_not_is_not_told_what_is_wrong_with_the_request(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        bad = {"workspace_id": "lab", "times": "many", "nonsense": 1}
        with pytest.raises(NotAuthenticated):
            await execute(operation(), node.context(None), bad)
        with pytest.raises(Forbidden):
            await execute(operation(), node.context("ada"), bad)
        with pytest.raises(NotFound):
            await execute(operation(), node.context("mallory"), bad)
        with pytest.raises(NotAuthenticated):
            await execute(operation(), node.context(None), {"workspace_id": 5})

    play(tmp_path, scenario)


def test_refusals_are_audited(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        with pytest.raises(NotAuthenticated):
            await execute(operation(), node.context(None), {"workspace_id": "lab"})
        with pytest.raises(Forbidden):
            await execute(operation(), node.context("ada"), {"workspace_id": "lab"})
        with pytest.raises(Forbidden):
            await execute(operation(refuse, Permission.READ), node.context("ada"), {"workspace_id": "lab"})
        rows = [(row.actor, row.action, row.target, row.outcome, row.details["reason"]) for row in await node.audited()]
        assert rows == [
            ("anonymous", "asks.put", "lab", "refused", "not_authenticated"),
            ("ada", "asks.put", "lab", "refused", "forbidden"),
            ("ada", "asks.put", "lab", "refused", "not_so"),
        ]

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"times": "3"}, "times"),
        ({"times": 0}, "times"),
        ({"parts": [{"a": 1}, {"b": "x"}]}, "parts[1][...]"),
        ({"parts": 5}, "parts"),
        ({"times": None}, "times"),
    ],
)
def test_a_bad_parameter_is_named(tmp_path: Path, parameters: dict[str, Any], where: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        with pytest.raises(InvalidRequest) as refused:
            await execute(operation(), node.context("ada"), {"workspace_id": "lab", **parameters})
        assert refused.value.details == {"parameter": where}
        assert refused.value.message.startswith(f"{where}: ")

    play(tmp_path, scenario)


def test_unknown_and_missing_parameters_are_refused(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        with pytest.raises(InvalidRequest, match="'tmes'") as unknown:
            await execute(operation(), node.context("ada"), {"workspace_id": "lab", "tmes": 3})
        assert unknown.value.details == {"unknown": ["tmes"], "known": ["workspace_id", "times", "parts"]}
        for missing in ({}, {"workspace_id": None}, {"workspace_id": ["lab"]}):
            with pytest.raises(InvalidRequest, match="workspace_id"):
                await execute(operation(), node.context("ada"), missing)

    play(tmp_path, scenario)


def test_a_database_that_cannot_be_used_is_told_as_such(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        with pytest.raises(Unavailable) as unavailable:
            await execute(operation(fail), node.context("ada"), {"workspace_id": "lab"})
        assert "locked" not in unavailable.value.message

    play(tmp_path, scenario)


def test_an_operation_is_found_by_its_name() -> None:
    table = {"asks.put": operation()}
    assert find(table, "asks.put").summary == "Ask."
    with pytest.raises(NotFound) as unknown:
        find(table, "asks.drop")
    assert unknown.value.code == "unknown_operation"


def test_one_point_nought_is_a_whole_number() -> None:
    asked = validate(operation(), {"workspace_id": "lab", "times": 3.0, "parts": [{"a": 2.0, "b": 1}]})
    assert asked == Ask(workspace_id="lab", times=3, parts=[{"a": 2, "b": 1}])
    assert repr(asked) == "Ask(workspace_id='lab', times=3, parts=[{'a': 2, 'b': 1}])"


def test_no_other_number_becomes_one() -> None:
    deep: Any = 1.0
    for _ in range(2000):
        deep = [deep]
    for times in (3.5, float("inf"), float("nan"), -1.0, "3.0", deep):
        with pytest.raises(InvalidRequest) as caught:
            validate(operation(), {"workspace_id": "lab", "times": times})
        assert caught.value.details == {"parameter": "times"}

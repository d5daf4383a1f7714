"""Operations are checked when they are made, not when they are called."""

from typing import Any

import msgspec
import pytest

from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    Operation,
    OperationError,
    Permission,
    TooLarge,
    errors_of,
)


class Here(msgspec.Struct):
    workspace_id: str
    limit: int = 10


async def nothing(context: Context, request: Here) -> None:
    """Does nothing."""


def operation(route: str = "GET /things/{workspace_id}", **changes: Any) -> Operation:
    given: dict[str, Any] = {
        "name": "things.get",
        "request": Here,
        "result": None,
        "handler": nothing,
        "route": route,
        "permission": Permission.READ,
        "summary": "Get a thing.",
        **changes,
    }
    return Operation(**given)


def test_a_route_is_taken_apart() -> None:
    patch = operation("PATCH /things/{workspace_id}/parts/{limit}")
    assert patch.method == "PATCH"
    assert patch.path == "/things/{workspace_id}/parts/{limit}"
    assert patch.path_parameters == ("workspace_id", "limit")


@pytest.mark.parametrize("route", ["/things", "GET things", "FETCH /things", "GET /things/", "GET /Things", "get /x"])
def test_a_bad_route_is_refused(route: str) -> None:
    with pytest.raises(ValueError, match="is not a route"):
        operation(route, permission=Permission.PUBLIC)


def test_a_path_parameter_needs_a_field() -> None:
    with pytest.raises(ValueError, match="thing_id"):
        operation("GET /things/{thing_id}")


def test_a_workspace_permission_needs_a_workspace() -> None:
    class Nowhere(msgspec.Struct):
        name: str

    with pytest.raises(ValueError, match="workspace_id"):
        operation("GET /things", request=Nowhere)
    operation("GET /things", request=Nowhere, permission=Permission.SIGNED_IN)


@pytest.mark.parametrize(("method", "audited"), [("GET", False), ("POST", True), ("PUT", True), ("DELETE", True)])
def test_what_changes_state_is_audited(method: str, audited: bool) -> None:
    assert operation(f"{method} /things/{{workspace_id}}").audited is audited


def test_a_search_by_post_need_not_be_audited() -> None:
    assert operation("POST /things/{workspace_id}", audited=False).audited is False


def test_errors_follow_from_the_shape() -> None:
    public = operation("GET /things", permission=Permission.PUBLIC)
    member = operation("PUT /things/{workspace_id}", errors=(Conflict,))
    assert {InvalidRequest} <= set(errors_of(public))
    assert not {NotAuthenticated, Forbidden, NotFound, TooLarge} & set(errors_of(public))
    assert {InvalidRequest, NotAuthenticated, Forbidden, NotFound, Conflict, TooLarge} <= set(errors_of(member))
    assert [error.status for error in errors_of(member)] == sorted(error.status for error in errors_of(member))


def test_an_error_has_the_code_of_its_kind_unless_told() -> None:
    assert (Conflict("no").code, Conflict("no").status) == ("conflict", 409)
    assert Conflict("no", code="last_owner", details={"user": "ada"}).code == "last_owner"
    assert issubclass(Conflict, OperationError)
    assert str(Conflict("one owner must stay")) == "one owner must stay"

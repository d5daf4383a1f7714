"""Every operation of the catalogue, asked with ids that are another workspace's: nothing is answered, nothing is done.

Requests are made from the registry, about things that are there: a new operation is covered by being in it, and fails
here until `fill` makes what it is about. It comes before the tests that delete what the demo holds.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from filled_demo import WORKSPACE, FilledDemo
from whole_requests import NAMED, is_id, parameters_of, path_ids, send

from handlers.access import ROLES, Role
from handlers.catalogue import OPERATIONS
from handlers.registry import NotFound, Operation, Permission, errors_of

# The server that is asked is filled first.
pytestmark = pytest.mark.timeout(400)

OWN = "attic"
# An owner of both workspaces, by a key that is for one of them; no role, and yet a stranger to the other.
KEY = "key"
# Ids of these are no workspace's: whose they are is told by who asks.
_OF_USERS = {"user_id", "key_id", "session_id"}
# No statement of the demo's sources was counted, nothing was detected in them, and a prediction of their data would
# take seconds: that members may ask of these sources and datasets, other operations show.
_NOT_ASKED_BY_MEMBERS = {
    "metrics.statements.get",
    "analytics.predictions",
    "security_alerts.get",
    "security_alerts.acknowledge",
    "security_alerts.resolve",
}
# About the caller or the whole server, whatever workspaces there are.
_OF_NO_WORKSPACE = {
    "users.me",
    "sessions.list",
    "sessions.end",
    "sessions.end_others",
    "api_keys.create",
    "api_keys.list",
    "api_keys.revoke",
    "api_keys.rotate",
    "tickets.create",
    "collaboration.workspaces.list",
    "collaboration.workspaces.create",
    "notifications.get",
    "notifications.mark_read",
    "jobs.list",
    "alert_rules.templates",
    "security.advisories.get",
    "security.checks.list",
    "workflow.file_schema.get",
    "workflow.node_types.get",
}
_NOWHERE: Mapping[str, Any] = {"workspace_id": "nowhere", "run_id": "run:demo:000000000000000000000000"}


@dataclass(frozen=True)
class Walk:
    """The users by role, members of OWN alone, and a KEY for it; `viewer` is one of the demo, `reading_key` an owner's.

    `requests` is what each operation is asked for.
    """

    strangers: Mapping[str, httpx.Client]
    viewer: httpx.Client
    reading_key: httpx.Client
    nobody: httpx.Client
    requests: Mapping[str, dict[str, Any]]
    own: Mapping[str, Any]


@pytest.fixture(scope="module")
def walk(filled_demo: FilledDemo) -> Iterator[Walk]:
    with contextlib.ExitStack() as opened:

        def client(credential: str | None) -> httpx.Client:
            return opened.enter_context(filled_demo.client(credential))

        def member(workspace_id: str, role: Role) -> httpx.Client:
            return client(filled_demo.server.token(f"{role}-of-{workspace_id}", str(role), workspace_id))

        administrator = client(filled_demo.admin)
        own = _furnish(administrator, filled_demo)
        strangers: dict[str, httpx.Client] = {role: member(OWN, role) for role in ROLES}
        strangers[KEY] = client(_key_of_both(filled_demo, {"level": "manage", "workspaces": [OWN]}))
        reading_key = client(_key_of_both(filled_demo, {"level": "read"}))
        requests = {each.name: parameters_of(each, path_ids(each, administrator)) for each in OPERATIONS}
        yield Walk(strangers, member(WORKSPACE, Role.VIEWER), reading_key, client(None), requests, own)


def _key_of_both(demo: FilledDemo, scope: dict[str, Any]) -> str:
    """A key with this scope, of somebody who owns both workspaces."""
    for workspace_id in (WORKSPACE, OWN):
        token = demo.server.token("owner-of-both", str(Role.OWNER), workspace_id)
    with demo.client(token) as owner:
        answer = owner.post("/api-keys", json={"name": "job", "scope": scope})
    assert answer.is_success, answer.text
    secret: str = answer.json()["secret"]
    return secret


def _furnish(administrator: httpx.Client, demo: FilledDemo) -> dict[str, Any]:
    """Makes the workspace OWN, and in it what other things belong to: their ids, by the names of parameters."""

    def make(path: str, **body: Any) -> Any:
        answer = administrator.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()["id"]

    make("/collaboration/workspaces", id=OWN, title="Attic")
    make(f"/collaboration/documents/{OWN}", id=NAMED["document_id"])
    settings = administrator.get(f"/data-sources/{NAMED['source_id']}").json()["settings"]
    source = make("/data-sources", workspace_id=OWN, name="Box", kind="sqlite", settings=settings)
    hook = make("/integrations", workspace_id=OWN, name="own", kind="webhook", url=demo.receiver)
    return {
        "workspace_id": OWN,
        "document_id": NAMED["document_id"],
        "source_id": source,
        "data_source_id": source,
        "integration_id": hook,
    }


def _foreign(operation: Operation, parameters: Mapping[str, Any]) -> set[str]:
    """The parameters that say which workspace, or what of it, the request is about."""
    about = {name for name in (*operation.path_parameters, "workspace_id") if is_id(name) and name in parameters}
    about |= {name for name in ("source_id", "dataset_id", "data_source_id", "workflow_id") if name in parameters}
    return about - _OF_USERS


def _elsewhere(name: str, value: Any) -> Any:
    return _NOWHERE.get(name, 987654321 if isinstance(value, int) else f"no-{value}")


IN_WORKSPACES = tuple(
    each
    for each in OPERATIONS
    if each.permission is not Permission.SERVER_ADMIN
    and _foreign(each, dict.fromkeys(each.request.__struct_encode_fields__))
)


def _shape(answer: httpx.Response, parameters: Mapping[str, Any]) -> str:
    """What a refusal says, without the ids that were asked for."""
    if answer.is_success:
        return f"{answer.status_code} {answer.text[:200]}"
    told = answer.json()["message"]
    for value in sorted({str(parameters[name]) for name in parameters if is_id(name)}, key=len, reverse=True):
        told = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", "?", told)
    return f"{answer.status_code} {answer.json()['code']} {told}"


def test_most_operations_are_walked() -> None:
    """So that nobody leaves them out by a change of how they are found."""
    left_out = {each.name for each in OPERATIONS} - {each.name for each in IN_WORKSPACES}
    others = {each.name for each in OPERATIONS if each.permission is Permission.SERVER_ADMIN}
    assert left_out - others <= _OF_NO_WORKSPACE


def test_members_are_answered_so_that_a_refusal_of_others_means_something(walk: Walk) -> None:
    wrong = {}
    for operation in IN_WORKSPACES:
        if operation.name not in _NOT_ASKED_BY_MEMBERS:
            answer = send(walk.viewer, operation, walk.requests[operation.name])
            if not (answer.is_success or answer.status_code in (403, 409)):
                wrong[operation.name] = answer.text
    assert not wrong, "make what they are about in tests/support/filled_demo.py"


@pytest.mark.parametrize("role", [*ROLES, KEY])
def test_of_another_workspace_no_role_learns_or_does_anything(walk: Walk, role: str) -> None:
    """Refused in the words of what does not exist: whether it does is not told either."""
    wrong = {}
    for operation in IN_WORKSPACES:
        parameters = walk.requests[operation.name]
        about = _foreign(operation, parameters)
        nowhere = {name: _elsewhere(name, value) if name in about else value for name, value in parameters.items()}
        answer, there = (send(walk.strangers[role], operation, asked) for asked in (parameters, nowhere))
        told, told_there = _shape(answer, parameters), _shape(there, nowhere)
        if answer.status_code != 404 or told != told_there or NotFound not in errors_of(operation):
            wrong[operation.name] = (told, told_there)
    assert not wrong


def test_a_key_for_reading_changes_nothing_of_what_its_owner_owns(walk: Walk) -> None:
    """Of whatever is there, by its own ids. What looks like a change and is none is told by its permission."""
    wrong = {}
    for operation in IN_WORKSPACES:
        answer = send(walk.reading_key, operation, walk.requests[operation.name])
        if operation.audited and (answer.status_code, answer.json().get("code")) != (403, "out_of_scope"):
            wrong[operation.name] = answer.text[:200]
        elif not operation.audited and operation.permission not in (Permission.READ, Permission.SIGNED_IN):
            assert answer.status_code == 403, operation.name
    assert not wrong


@pytest.mark.parametrize("role", [*ROLES, KEY])
def test_what_is_the_servers_is_for_its_administrators(walk: Walk, role: str) -> None:
    for operation in OPERATIONS:
        if operation.permission is Permission.SERVER_ADMIN:
            answer = send(walk.strangers[role], operation, walk.requests[operation.name])
            assert answer.status_code == 403, operation.name


def test_nobody_is_told_to_sign_in(walk: Walk) -> None:
    for operation in OPERATIONS:
        if operation.permission is not Permission.PUBLIC:
            answer = send(walk.nobody, operation, walk.requests[operation.name])
            assert answer.status_code == 401, operation.name


def test_what_is_of_no_workspace_tells_of_none(walk: Walk) -> None:
    """Lists of one's own, and what everybody may know."""
    for operation in OPERATIONS:
        if operation.name in _OF_NO_WORKSPACE and operation.method == "GET":
            answer = send(walk.strangers[Role.OWNER], operation, walk.requests[operation.name])
            assert answer.is_success, answer.text
            assert f'"{WORKSPACE}' not in answer.text, operation.name


def test_ones_own_workspace_is_no_way_to_things_of_another(walk: Walk) -> None:
    """Its owner names it, or something of it, together with ids of the other's."""
    tried, wrong = 0, {}
    for operation in IN_WORKSPACES:
        parameters = parameters_of(operation, walk.requests[operation.name], with_optional_ids=True)
        own = {name: walk.own[name] for name in walk.own if name in {*operation.path_parameters, "workspace_id"}}
        mine = own.keys() & parameters.keys()
        if not mine or not {name for name in parameters if is_id(name)} - mine - {"user_id"}:
            continue
        tried += 1
        answer = send(walk.strangers[Role.OWNER], operation, parameters | {name: own[name] for name in mine})
        is_empty = operation.method == "GET" and answer.is_success and not answer.json().get("items")
        if not is_empty and not 400 <= answer.status_code < 500:
            wrong[operation.name] = answer.text[:300]
    assert not wrong
    assert tried >= 12
